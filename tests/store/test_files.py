"""Old or new at every moment, whole lines only, and no link followed."""

import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from platformctl.errors import ToolError
from platformctl.store import files

OLD, NEW = b"old" * 10_000, b"new" * 20_000

# Runs in a process of its own, which ends itself by SIGKILL when the interpreter enters or leaves the n-th built-in
# function: before and after each system call of the writer.
DIES_AT_CALL = """
import os, signal, sys
from pathlib import Path
from platformctl.store import files
left = int(sys.argv[2])
def die(frame, event, argument):
    global left
    if event in ("c_call", "c_return"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.setprofile(die)
{deed}
sys.setprofile(None)
"""


def die_at(call: int, deed: str, path: Path) -> bool:
    """Run `deed` and kill it at its `call`-th call; False when it came to its end before."""
    ended = subprocess.run([sys.executable, "-c", DIES_AT_CALL.format(deed=deed), str(path), str(call)], check=False)
    assert ended.returncode in (0, -9)
    return ended.returncode == -9


def test_a_write_is_there_with_its_mode_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "modules" / "web.json"
    files.write_atomically(path, OLD, within=tmp_path)
    files.write_atomically(path, NEW, 0o640, within=tmp_path)
    assert path.read_bytes() == NEW
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in path.parent.iterdir()] == ["web.json"]
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_writer_killed_at_any_call_leaves_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "state"
    seen = set()
    deed = "files.write_atomically(Path(sys.argv[1]), b'new' * 20_000)"
    call = 1
    path.write_bytes(OLD)
    while die_at(call, deed, path):
        seen.add(path.read_bytes())
        path.write_bytes(OLD)
        call += 1
    assert call > 20
    assert seen == {OLD, NEW}


def test_an_appender_killed_at_any_call_leaves_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "log"
    deed = "files.append_after(Path(sys.argv[1]), lambda _: b'x' * 5000)"
    call = 1
    seen = set()
    while die_at(call, deed, path):
        seen.add(path.read_bytes() if path.exists() else b"")
        path.unlink(missing_ok=True)
        call += 1
    assert seen == {b"", b"x" * 5000 + b"\n"}


def test_fifty_appenders_tear_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = [str(n).encode() * 50 for n in range(1000)]
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda line: files.append_after(path, lambda _: line), lines))
    assert sorted(files.whole_lines(path.read_bytes())[0]) == sorted(lines)


def test_a_torn_line_is_seen_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"whole\ntor")
    assert files.whole_lines(path.read_bytes()) == ((b"whole",), b"tor")
    files.append_after(path, lambda _: b"next")
    assert files.whole_lines(path.read_bytes()) == ((b"whole", b"tor", b"next"), b"")


def test_the_composer_of_a_line_is_given_the_last_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = [str(n).encode() * 30_000 for n in range(10)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    given: list[bytes] = []

    def compose(tail: bytes) -> bytes:
        given.append(tail)
        return b"next"

    assert files.append_after(path, compose) == b"next"
    assert given[0].split(b"\n")[:-1] == lines[-len(given[0].split(b"\n")[:-1]) :]


def test_a_file_that_is_not_there_is_none_and_a_folder_empty(tmp_path: Path) -> None:
    assert files.read(tmp_path / "none" / "x", within=tmp_path) is None
    assert files.read(tmp_path / "none") is None
    assert files.read_folder(tmp_path / "none", ".json", within=tmp_path) == {}


def test_a_link_in_the_place_of_a_file_or_folder_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "folder").symlink_to(outside)
    (inside / "file").symlink_to(outside / "x")
    for refused in (
        lambda: files.write_atomically(inside / "folder" / "x", b"", within=inside),
        lambda: files.append_after(inside / "folder" / "x", lambda _: b"", within=inside),
        lambda: files.append_after(inside / "file", lambda _: b"", within=inside),
        lambda: files.read(inside / "folder" / "x", within=inside),
        lambda: files.read(inside / "file", within=inside),
        lambda: files.read_folder(inside / "folder", "x", within=inside),
        lambda: files.read(inside / "folder" / "x", within=inside / "folder"),
    ):
        with pytest.raises(ToolError) as caught:
            refused()
        assert "symbolic link" in caught.value.hint
    assert (outside / "x").read_bytes() == b"secret"


def test_writing_over_a_link_puts_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"secret")
    (tmp_path / "link").symlink_to("target")
    files.write_atomically(tmp_path / "link", b"new", within=tmp_path)
    assert (tmp_path / "target").read_bytes() == b"secret"
    assert not (tmp_path / "link").is_symlink()


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path: Path) -> None:
    """/dev/full is where a write always finds the disk full."""
    with pytest.raises(ToolError) as caught:
        files.append_after(Path("/dev/full"), lambda _: b"x")
    assert caught.value.detail == "/dev/full: No space left on device (ENOSPC)"
    assert "free some space" in caught.value.hint


def test_a_write_that_fails_half_way_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    deed = f"""
import resource, signal
from pathlib import Path
from platformctl.errors import ToolError
from platformctl.store import files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, {resource.RLIM_INFINITY}))
try:
    files.write_atomically(Path({str(path)!r}), b"n" * 5000)
except ToolError as refusal:
    print(refusal.detail)
"""
    ended = subprocess.run([sys.executable, "-c", deed], check=True, capture_output=True, text=True)
    assert ended.stdout == f"{path}: File too large (EFBIG)\n"
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["state"]
