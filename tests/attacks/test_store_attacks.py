"""Somebody who may write below a host's root, or send it bytes, wants the store to write where it must not."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.errors import ToolError, Unreachable
from platformctl.model.command import Command
from platformctl.model.names import Digest, ModuleId, RepoPath
from platformctl.model.plan import PlannedFile
from platformctl.store import host_files, host_records
from platformctl.store.host import HostLayout, prepare_base, read_answer
from tests.store.hosts import ask, contents, prepared, run
from tests.store.samples import HOST

CONTENT = b"payload"
DIGEST = Digest("sha256:" + hashlib.sha256(CONTENT).hexdigest())
WEB = ModuleId.parse("web")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder the store must never touch."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "x").write_bytes(b"theirs")
    return folder


@pytest.fixture
def layout(tmp_path: Path) -> HostLayout:
    """A prepared host with one staged file."""
    root = tmp_path / "root"
    root.mkdir()
    layout = prepared(root)
    ask(host_files.stage(layout, (CONTENT,)))
    return layout


def test_writing_through_a_linked_folder(layout: HostLayout, outside: Path) -> None:
    for link, target in (("linked", outside), ("a/linked", outside), ("dangling", outside / "new")):
        Path(layout.root, link).parent.mkdir(exist_ok=True)
        Path(layout.root, link).symlink_to(target)
        path = RepoPath.parse(f"{link}/x")
        for command in (
            Command(host_files.place(layout, path, DIGEST, 0o644)),
            Command(host_files.place(layout, RepoPath.parse(f"{link}/new/x"), DIGEST, 0o644)),
            Command(host_files.remove(layout, path)),
            host_files.keep(layout, [path], 0),
        ):
            with pytest.raises(ToolError) as caught:
                ask(command)
            assert caught.value.reason == "unsafe"
    assert contents(outside) == {"x": b"theirs"}


def test_writing_through_a_link_in_the_place_of_the_file(layout: HostLayout, outside: Path) -> None:
    Path(layout.root, "link").symlink_to(outside / "x")
    path = RepoPath.parse("link")
    for command in (
        Command(host_files.place(layout, path, DIGEST, 0o644)),
        Command(host_files.remove(layout, path)),
        host_files.keep(layout, [path], 0),
    ):
        with pytest.raises(ToolError):
            ask(command)
    assert contents(outside) == {"x": b"theirs"}


SWAP = """
import os, sys
here, real, link = sys.argv[1:]
print("swapping", flush=True)
while True:
    os.rename(here, real); os.rename(link, here); os.rename(here, link); os.rename(real, here)
"""


def test_swapping_a_folder_for_a_link_while_a_file_is_placed(layout: HostLayout, outside: Path) -> None:
    folder = Path(layout.root, "data")
    folder.mkdir()
    link = Path(layout.root, "link")
    link.symlink_to(outside)
    placing = Command(host_files.place(layout, RepoPath.parse("data/x"), DIGEST, 0o644))
    words = [sys.executable, "-c", SWAP, str(folder), str(folder.with_name("real")), str(link)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as swapper:
        try:
            assert swapper.stdout
            swapper.stdout.readline()
            ended = [run(placing) for _ in range(100)]
        finally:
            swapper.kill()
    assert contents(outside) == {"x": b"theirs"}
    assert {completed.status for completed in ended} <= {0, 71}


# Comes before a script: the folder is swapped after it was looked at and before it is entered, every time.
MEANWHILE = """
cd() { [ "$*" != '-P -- ./data' ] || { mv data real && ln -s "$OUTSIDE" data; }; command cd "$@"; }
"""


@pytest.mark.parametrize("what", ["place", "remove", "keep"])
def test_swapping_a_folder_for_a_link_just_when_it_is_entered(layout: HostLayout, outside: Path, what: str) -> None:
    Path(layout.root, "data").mkdir()
    path = RepoPath.parse("data/x")
    command = {
        "place": Command(host_files.place(layout, path, DIGEST, 0o644)),
        "remove": Command(host_files.remove(layout, path)),
        "keep": host_files.keep(layout, [path], 0),
    }[what]
    sh, option, script, *operands = command.argv
    swapped = replace(command, argv=(sh, option, MEANWHILE + script, *operands))
    assert run(swapped, OUTSIDE=str(outside)).text == "unsafe data/x\n"
    assert contents(outside) == {"x": b"theirs"}


def test_a_link_in_the_place_of_the_own_folder(tmp_path: Path, outside: Path) -> None:
    layout = HostLayout(str(tmp_path))
    Path(layout.base).symlink_to(outside)
    for command in (
        prepare_base(layout),
        host_records.recall(layout, WEB),
        host_records.write_record(layout, WEB, b"x", replacing=None),
    ):
        with pytest.raises(ToolError) as caught:
            ask(command)
        assert caught.value.reason == "unsafe"
    assert contents(outside) == {"x": b"theirs"}


@pytest.mark.parametrize("name", ["modules", "journal", "blobs", "tmp", "key"])
def test_a_link_in_the_place_of_a_part_of_the_own_folder(layout: HostLayout, outside: Path, name: str) -> None:
    part = Path(layout.base, name)
    part.rename(part.with_name("moved"))
    part.symlink_to(outside / "x" if name == "key" else outside)
    with pytest.raises(ToolError):
        ask(prepare_base(layout))
    assert contents(outside) == {"x": b"theirs"}


def test_a_link_in_the_place_of_a_record(layout: HostLayout, outside: Path) -> None:
    Path(layout.base, "modules/web.json").symlink_to(outside / "x")
    Path(layout.base, "audit.jsonl").symlink_to(outside / "x")
    for command in (
        host_records.write_record(layout, WEB, b"new", replacing=b"theirs"),
        host_records.append_audit(layout, b"{}", after=b"theirs"),
        host_records.recall(layout, WEB),
    ):
        with pytest.raises(ToolError):
            ask(command)
    assert contents(outside) == {"x": b"theirs"}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to give a folder away")
def test_an_own_folder_that_belongs_to_somebody_else(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    os.chown(layout.base, 12345, 12345)
    with pytest.raises(ToolError) as caught:
        ask(prepare_base(layout))
    assert caught.value.reason == "unsafe"


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", content: bytes = CONTENT) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    made.size = len(content) if kind == tarfile.REGTYPE else 0
    return made


@pytest.mark.parametrize(
    "members",
    [
        lambda out: [member("../x")],
        lambda out: [member("../../blobs/" + "0" * 64)],
        lambda out: [member(f"{out}/x")],
        lambda out: [member("x")],
        lambda out: [member(DIGEST.hexadecimal + "\n../x")],
        lambda out: [member("0" * 64, tarfile.SYMTYPE, f"{out}/x")],
        lambda out: [member("0" * 64, tarfile.LNKTYPE, f"{out}/x")],
        lambda out: [member("0" * 64, tarfile.DIRTYPE)],
        lambda out: [member("0" * 64, tarfile.FIFOTYPE)],
        lambda out: [member("0" * 64, tarfile.CHRTYPE)],
        lambda out: [member("0" * 64)],
        lambda out: [member(DIGEST.hexadecimal), member(DIGEST.hexadecimal)],
        lambda out: [member("0" * 64, tarfile.SYMTYPE, str(out)), member("0" * 64 + "/x")],
        lambda out: [],
    ],
)
def test_an_archive_that_writes_elsewhere(
    layout: HostLayout, outside: Path, members: Callable[[Path], list[tarfile.TarInfo]]
) -> None:
    made = io.BytesIO()
    parts = members(outside)
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for part in parts:
            archive.addfile(part, io.BytesIO(CONTENT))
    upload = made.getvalue()
    script, root = host_files.stage(layout, (CONTENT,)).argv[2], layout.root
    before = contents(Path(layout.root))
    words = ("sh", "-c", script, "platformctl", root, str(max(len(parts), 1)), str(len(upload)))
    with pytest.raises((ToolError, Unreachable)) as caught:
        ask(Command(words, upload))
    assert caught.value.reason in ("unsafe", "damaged") or "did not arrive whole" in caught.value.summary
    assert contents(Path(layout.root)) == before
    assert contents(outside) == {"x": b"theirs"}


def test_a_link_that_waits_where_a_script_puts_things_aside(layout: HostLayout, outside: Path, tmp_path: Path) -> None:
    """A script that died may have left one, by the number of a process that comes again."""
    plant = 'ln -s "$1" "$2/tmp/$$" && shift 2 && exec "$@"'
    commands = {
        "written": host_records.write_record(layout, WEB, b"new", replacing=None),
        "staged": host_files.stage(layout, (CONTENT,)),
        "kept": host_files.keep(layout, (RepoPath.parse("f"),), 10),
    }
    for word, command in commands.items():
        words = ("sh", "-c", plant, "sh", str(outside / "new"), layout.base, *command.argv)
        assert ask(Command(words, command.stdin)).word == word
        assert contents(outside) == {"x": b"theirs"}
    assert not Path(layout.base, "modules", f"{WEB}.json").is_symlink()
    assert list(Path(layout.base, "tmp").iterdir()) == []


def test_words_of_a_path_that_a_shell_would_run(layout: HostLayout) -> None:
    for name in ("$(touch hacked)", "`touch hacked`", "; touch hacked", "-rf", "a'b\"c", "*", "--help"):
        path = RepoPath.parse(f"{name}/{name}")
        assert ask(Command(host_files.place(layout, path, DIGEST, 0o644))).word == "placed"
        assert Path(layout.root, path).read_bytes() == CONTENT
        kept = host_files.read_kept(run(host_files.keep(layout, [path], 0)), HOST)
        assert kept[path] is not None
        assert ask(Command(host_files.remove(layout, path))).word == "removed"
        assert not Path(layout.root, path).exists()
    assert not list(Path(layout.root).rglob("hacked"))


def test_reading_through_a_link_what_is_shown_as_an_earlier_file(layout: HostLayout, outside: Path) -> None:
    Path(layout.root, "linked").symlink_to(outside)
    Path(layout.root, "file").symlink_to(outside / "x")
    theirs = Digest("sha256:" + hashlib.sha256(b"theirs").hexdigest())
    Path(layout.blob(theirs)).symlink_to(outside / "x")
    files = [PlannedFile(RepoPath.parse(path), theirs, 0o644) for path in ("linked/x", "file")]

    assert host_files.read_recollected(run(host_files.recollect(layout, files, limit=1000)), HOST) == {}


def test_a_state_in_a_pull_request_that_names_a_secret_as_an_earlier_file(layout: HostLayout) -> None:
    """What is asked for may come from a state that nobody signed: content leaves the host to who knows it already."""
    Path(layout.root, "secret.env").write_bytes(b"PASSWORD=hunter2\n")
    files = [PlannedFile(RepoPath.parse("secret.env"), Digest.of(b"PASSWORD=\n"), 0o644)]
    told = run(host_files.recollect(layout, files, limit=1000))

    assert read_answer(told, HOST).lines == ()
