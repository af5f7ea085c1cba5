"""Files that are old or new, at whatever moment the machine dies, and logs whose lines are whole.

The order temp, fsync, rename, fsync of the folder left old or new at every kill point tried; one `os.write` on O_APPEND
tore no line with 50 writers. Folders are opened part by part without following a link, and files are then named by the
open folder's descriptor, so that nothing can be swapped between the check and the use.
"""

import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from platformctl.errors import ToolError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 1 << 20
_TAIL = 1 << 16
_HINTS = {
    errno.ENOSPC: "free some space on this disk, then run it again",
    errno.EDQUOT: "free some of this user's quota, then run it again",
    errno.EROFS: "the file system is read-only; mount it for writing or work in another clone",
    errno.EACCES: "give this user the right to use the file",
    errno.ELOOP: "put a real file or folder where the symbolic link is",
    errno.ENOTDIR: "put a real folder where the file or symbolic link is",
    errno.EIO: "the disk does not answer as it should; look at the system's log before running it again",
}


def write_atomically(path: Path, content: bytes, mode: int = 0o600, *, within: Path | None = None) -> None:
    """Make `path` hold `content`; at any moment, a crash included, it holds the old bytes or all of the new.

    Folders below `within` are made when missing and may not be links; without `within` the folder must be there and is
    reached as the caller named it. Raises `ToolError` when it could not be written; then the old file is untouched.
    """
    with _converted(path, "a file could not be written"), _folder(path.parent, within, make=True) as folder:
        temporary = f".{path.name}.{secrets.token_hex(8)}.tmp"
        try:
            _write_new(temporary, content, mode, folder)
            os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        with suppress(OSError):  # old or new is there by now; some file systems sync no folder
            os.fsync(folder)


def append_after(path: Path, compose: Callable[[bytes], bytes], *, within: Path | None = None) -> bytes:
    """Add the line that `compose` makes from the file's last lines, and return it.

    It is added in one write, and the disk has it then. `compose` is given whole lines from the end of the file, at
    least the last one. A torn last line, left by a crash or a full disk, is closed with a newline and stays where it
    is.
    """
    with _converted(path, "a record could not be written"), _folder(path.parent, within, make=True) as folder:
        descriptor = os.open(path.name, os.O_RDWR | os.O_APPEND | os.O_CREAT | _FILE, 0o600, dir_fd=folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            tail = _tail(descriptor)
            line = compose(tail)
            _append(descriptor, (b"" if tail.endswith(b"\n") or not tail else b"\n") + line + b"\n")
            if not tail:
                os.fsync(folder)
            return line
        finally:
            os.close(descriptor)


def read(path: Path, *, within: Path | None = None) -> bytes | None:
    """Return the bytes of `path`, None if there is no file. Raises `ToolError` for a link and what can not be read."""
    with (
        _converted(path, "a file could not be read"),
        suppress(FileNotFoundError),
        _folder(path.parent, within, make=False) as folder,
    ):
        return _read_at(path.name, folder)
    return None


def read_folder(path: Path, suffix: str, *, within: Path) -> Mapping[str, bytes]:
    """Return name and bytes of each file in `path` whose name ends in `suffix`, sorted by name.

    Hidden files, such as temporary ones, are left out, and a folder that is not there is empty. Raises `ToolError` when
    any of the files can not be read.
    """
    with _converted(path, "a folder could not be read"):
        try:
            folder = _open_folder(path, within, make=False)
        except FileNotFoundError:
            return {}
        try:
            return {name: _read_at(name, folder) for name in _names(folder) if name.endswith(suffix)}
        finally:
            os.close(folder)


def make_folder(path: Path, *, within: Path) -> None:
    """Make sure that `path` is a folder reached from `within` without a link; raises `ToolError` otherwise."""
    with _converted(path, "a folder could not be made"), _folder(path, within, make=True):
        pass


def whole_lines(content: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """Return the lines of a log without their newlines, and the torn last line, which is empty in a sound log."""
    *lines, torn = content.split(b"\n")
    return tuple(lines), torn


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if not entry.name.startswith("."))


def _read_at(name: str, folder: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _FILE, dir_fd=folder)
    try:
        return b"".join(iter(lambda: os.read(descriptor, _BLOCK), b""))
    finally:
        os.close(descriptor)


@contextmanager
def _converted(path: Path, summary: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        what = f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"
        raise ToolError(summary, detail=f"{path}: {what}", hint=_HINTS.get(number, ""), file=str(path)) from error


@contextmanager
def _folder(path: Path, within: Path | None, *, make: bool) -> Iterator[int]:
    descriptor = _open_folder(path, within, make=make)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_folder(path: Path, within: Path | None, *, make: bool) -> int:
    """Open a folder; every part from `within` on, itself included, must be a real folder."""
    descriptor = os.open(within or path, _FOLDER | (os.O_NOFOLLOW if within else 0))
    for part in path.relative_to(within).parts if within else ():
        outer = descriptor
        try:
            descriptor = _enter(outer, part, make=make)
        finally:
            os.close(outer)
    return descriptor


def _enter(folder: int, part: str, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(part, 0o700, dir_fd=folder)
            os.fsync(folder)
    return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def _write_new(name: str, content: bytes, mode: int, folder: int) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, mode, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _append(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    if written != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)


def _tail(descriptor: int) -> bytes:
    """Return the end of an open file: at least its last line and the one before, or all of it."""
    size = os.fstat(descriptor).st_size
    length = _TAIL
    while True:
        tail = os.pread(descriptor, length, max(size - length, 0))
        if length >= size:
            return tail
        if tail.count(b"\n") > 2:
            return tail.partition(b"\n")[2]
        length *= 4
