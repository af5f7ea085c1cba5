"""Files on a host by digest: staged, kept, placed and removed by the real scripts."""

import hashlib
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from platformctl.errors import Refusal, ToolError, Unreachable
from platformctl.model.command import Command, Completed
from platformctl.model.names import Digest, RepoPath
from platformctl.model.plan import PlannedFile
from platformctl.store import host_files
from platformctl.store.host import HostLayout, read_answer
from tests.store.hosts import ask, contents, prepared, run
from tests.store.samples import HOST

FILES = (b"", b"services: {}\n", bytes(range(256)) * 1000)


def digest(content: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def placing(layout: HostLayout, path: str, content: bytes, mode: int = 0o644) -> Command:
    return Command(host_files.place(layout, RepoPath.parse(path), digest(content), mode))


def test_staged_files_lie_under_their_digests(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    assert ask(host_files.stage(layout, FILES)).word == "staged"
    assert contents(Path(layout.base, "blobs")) == {digest(each).hexadecimal: each for each in FILES}
    assert contents(Path(layout.base, "tmp")) == {}
    ask(host_files.stage(layout, (FILES[1], b"more")))
    assert len(contents(Path(layout.base, "blobs"))) == 4


def test_a_staged_file_that_rotted_is_made_right_by_staging_it_again(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_files.stage(layout, FILES))
    Path(layout.base, "blobs", digest(FILES[1]).hexadecimal).write_bytes(b"rot")
    with pytest.raises(ToolError) as caught:
        ask(placing(layout, "compose.yaml", FILES[1]))
    assert caught.value.reason == "damaged"
    assert list(tmp_path.iterdir()) == [Path(layout.base)]
    ask(host_files.stage(layout, FILES))
    assert ask(placing(layout, "compose.yaml", FILES[1])).word == "placed"


@pytest.mark.parametrize("part", [0.0, 0.3, 0.999])
def test_an_upload_that_is_cut_short_leaves_nothing(tmp_path: Path, part: float) -> None:
    layout = prepared(tmp_path)
    command = host_files.stage(layout, FILES)
    whole = len(command.stdin.rstrip(b"\0"))
    with pytest.raises(Unreachable) as caught:
        ask(Command(command.argv, command.stdin[: int(whole * part)]))
    assert caught.value.summary == "what was sent did not arrive whole"
    assert contents(Path(layout.base, "blobs")) == contents(Path(layout.base, "tmp")) == {}


def test_a_file_is_placed_with_its_mode_in_folders_that_are_made(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_files.stage(layout, FILES))
    for content, mode in ((FILES[1], 0o644), (FILES[2], 0o755)):
        ask(placing(layout, "a b/-c/$(id)/run.sh", content, mode))
        path = tmp_path / "a b/-c/$(id)/run.sh"
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o7777 == mode
        assert path.parent.stat().st_mode & 0o777 == 0o755
        assert list(path.parent.iterdir()) == [path]


def test_a_file_whose_bytes_were_never_staged_is_not_placed(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    (tmp_path / "compose.yaml").write_bytes(b"old")
    completed = run(placing(layout, "compose.yaml", b"unknown"))
    assert completed.status != 0
    with pytest.raises(ToolError) as caught:
        read_answer(completed, HOST)
    assert caught.value.reason == "missing"
    assert (tmp_path / "compose.yaml").read_bytes() == b"old"


def test_a_file_is_not_placed_over_a_folder(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_files.stage(layout, FILES))
    (tmp_path / "data").mkdir()
    with pytest.raises(ToolError):
        ask(placing(layout, "data", FILES[1]))
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(ToolError):
        ask(placing(layout, "file/below", FILES[1]))


def test_what_is_replaced_is_kept_and_can_be_put_back(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/old.sh").write_bytes(b"old")
    (tmp_path / "a/old.sh").chmod(0o755)
    paths = tuple(map(RepoPath.parse, ("a/old.sh", "a/new", "none/at all")))
    kept = host_files.read_kept(run(host_files.keep(layout, paths, 0)), HOST)
    assert kept == {paths[0]: PlannedFile(paths[0], digest(b"old"), 0o755), paths[1]: None, paths[2]: None}
    ask(host_files.stage(layout, FILES))
    ask(placing(layout, "a/old.sh", FILES[1]))
    ask(placing(layout, "a/old.sh", b"old", 0o755))
    assert (tmp_path / "a/old.sh").read_bytes() == b"old"
    assert not (tmp_path / "none").exists()


def test_a_file_is_removed_and_removing_it_again_is_no_failure(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "y").write_bytes(b"y")
    for path in ("x", "x", "none/x"):
        assert ask(Command(host_files.remove(layout, RepoPath.parse(path)))).word == "removed"
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["y"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A host's root of 256 KiB on a file system of its own."""
    root = tmp_path / "small"
    root.mkdir()
    mounting = ("mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=64", "tmpfs", str(root))
    if os.geteuid() or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        yield root
    finally:
        subprocess.run(("umount", "-l", str(root)), check=True)


def test_a_full_disk_is_named_and_leaves_the_old_file(small: Path) -> None:
    layout = prepared(small)
    old, new = b"o" * 100_000, b"n" * 100_000
    ask(host_files.stage(layout, (old,)))
    ask(placing(layout, "data", old))
    with pytest.raises(Unreachable) as caught:
        ask(host_files.stage(layout, (new,)))
    assert caught.value.reason == "disk_full"
    with pytest.raises(Unreachable) as caught:
        ask(host_files.stage(layout, (b"x" * 10_000_000,)))
    assert caught.value.reason == "disk_full"
    assert contents(small / ".platformctl/tmp") == {}
    assert (small / "data").read_bytes() == old


def test_a_disk_without_room_for_one_more_file_is_full(small: Path) -> None:
    layout = prepared(small)
    ask(host_files.stage(layout, (b"x",)))
    for number in range(os.statvfs(small).f_ffree):
        (small / f"file{number}").touch()
    with pytest.raises(Unreachable) as caught:
        ask(placing(layout, "data", b"x"))
    assert caught.value.reason == "disk_full"


def test_a_root_that_is_read_only_is_named(small: Path) -> None:
    layout = prepared(small)
    ask(host_files.stage(layout, (b"x",)))
    subprocess.run(("mount", "-o", "remount,ro", str(small)), check=True)
    for command in (host_files.stage(layout, (b"y",)), placing(layout, "data", b"x")):
        with pytest.raises(Unreachable) as caught:
            ask(command)
        assert caught.value.reason == "root_readonly"


@pytest.mark.parametrize("path", ["folder/data", "folder/new", "folder/to/make/data"])
def test_a_folder_that_can_not_be_written_is_found_out_before_anything_is_placed(small: Path, path: str) -> None:
    layout, folder = prepared(small), small / "folder"
    folder.mkdir()
    (folder / "data").write_bytes(b"old")
    paths = (RepoPath.parse("beside"), RepoPath.parse(path))
    before = contents(small)
    assert ask(host_files.keep(layout, paths, 10)).word == "kept"
    subprocess.run(("mount", "--bind", str(folder), str(folder)), check=True)
    subprocess.run(("mount", "-o", "remount,bind,ro", str(folder)), check=True)
    with pytest.raises(Unreachable) as caught:
        ask(host_files.keep(layout, paths, 10))
    assert caught.value.reason == "root_readonly"
    assert path in caught.value.detail
    assert contents(small).items() >= before.items()
    assert contents(small / ".platformctl/tmp") == {}


def test_room_for_what_is_to_be_placed_is_found_out_before(small: Path) -> None:
    layout, paths = prepared(small), (RepoPath.parse("data"),)
    free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
    assert ask(host_files.keep(layout, paths, free // 2)).word == "kept"
    with pytest.raises(Unreachable) as caught:
        ask(host_files.keep(layout, paths, free + 1))
    assert caught.value.reason == "disk_full"
    assert contents(small / ".platformctl/tmp") == {}


# --- what is remembered of an earlier release --------------------------------------------------


def recollected(layout: HostLayout, *files: tuple[str, bytes]) -> list[bytes]:
    """What the host has of these files, which were there with these bytes."""
    planned = [PlannedFile(RepoPath.parse(path), digest(content), 0o644) for path, content in files]
    answer = run(host_files.recollect(layout, planned, limit=1000))
    found = host_files.read_recollected(answer, HOST)
    assert all(digest(content) == name for name, content in found.items())
    return list(found.values())


def test_files_of_an_earlier_release_are_found_where_they_are_kept_or_still_lie(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_files.stage(layout, (b"kept",)))
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/a b").write_bytes(b"in place")
    before = contents(tmp_path)

    assert recollected(layout, ("gone", b"kept"), ("conf/a b", b"in place"), ("x", b"lost")) == [b"kept", b"in place"]
    assert contents(tmp_path) == before


def test_bytes_of_another_digest_or_too_many_of_them_are_not_taken_for_a_file(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_files.stage(layout, (b"kept", b"x" * 1001)))
    Path(layout.base, "blobs", digest(b"kept").hexadecimal).write_bytes(b"rot")
    (tmp_path / "by-hand").write_bytes(b"edited")

    assert recollected(layout, ("a", b"kept"), ("by-hand", b"delivered"), ("long", b"x" * 1001)) == []


def test_bytes_that_a_host_says_have_a_digest_are_believed_where_they_have_it() -> None:
    lines = (
        b"text %s %s\n" % (digest(b"asked").hexadecimal.encode(), b64encode(said)) for said in (b"asked", b"other")
    )
    found = [host_files.read_recollected(Completed(0, line + b"recollected\n", b""), HOST) for line in lines]

    assert found == [{digest(b"asked"): b"asked"}, {}]


@pytest.mark.parametrize("answer", [b"", b"staged", b"text a b\nrecollected\n", b"text\nrecollected\n"])
def test_an_answer_that_is_none_of_ours_is_no_file(answer: bytes) -> None:
    with pytest.raises(Refusal):
        host_files.read_recollected(Completed(0, answer, b""), HOST)


def test_a_folder_that_can_not_be_read_and_so_not_be_synced_is_found_out_too(tmp_path: Path) -> None:
    layout, folder = prepared(tmp_path), tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0o300)
    as_anybody = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    asked = host_files.keep(layout, (RepoPath.parse("folder/data"),), 10)
    with pytest.raises(Unreachable) as caught:
        ask(Command((*as_anybody, *asked.argv), asked.stdin))
    assert caught.value.reason == "root_readonly"
    assert "folder/data" in caught.value.detail
