"""Which labs there are on this machine, and whose they are: `/run/platformctl-lab/<number>/`.

A lab belongs to the process that holds the lock on its `owner` file; the kernel frees that lock when the process
dies, however it dies. A lab without a living owner is removed by the next one to come, unless it was kept.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tests.lab.machine import HOME, LabError, kill_processes_in, remove_cgroups, unmount_below
from tests.lab.network import Network

NUMBERS = range(1, 255)
"""A lab's number is the third byte of its addresses."""


@dataclass(frozen=True)
class Claim:
    """A lab's number, held until `release`."""

    number: int
    owner: TextIO

    @property
    def folder(self) -> Path:
        return HOME / str(self.number)

    def keep(self) -> None:
        """The lab now outlives this process, until it is taken down by its directory."""
        (self.folder / "kept").touch()
        self.owner.close()

    def release(self) -> None:
        """The lab is removed and its number free."""
        with _exclusive():
            remove(self.number)
            self.owner.close()


def claim(directory: Path) -> Claim:
    """A free number for the lab whose client files are in `directory`. Raises LabError when that has one."""
    with _exclusive():
        _remove_abandoned()
        if number_of(directory) is not None:
            raise LabError(f"{directory} has a lab already; take it down first")
        number = _next()
        folder = HOME / str(number)
        folder.mkdir()
        owner = _try_to_own(folder)
        assert owner is not None, "a new file is locked by nobody"
        (folder / "directory").write_text(str(directory))
        return Claim(number, owner)


def _next() -> int:
    """Numbers are given in turn: who looks whether a lab is gone must not find the one that came after it."""
    last = HOME / "last"
    at = int(last.read_text()) if last.exists() else 0
    number: int | None = next(
        (each for each in (*NUMBERS[at:], *NUMBERS[:at]) if not (HOME / str(each)).exists()), None
    )
    if number is None:
        raise LabError(f"all {len(NUMBERS)} labs of this machine are in use")
    last.write_text(str(number))
    return number


def reclaim(directory: Path) -> Claim | None:
    """The kept or abandoned lab of `directory`, if any. Raises LabError when a running process owns it."""
    with _exclusive():
        number = number_of(directory)
        if number is None:
            return None
        owner = _try_to_own(HOME / str(number))
        if owner is None:
            raise LabError(f"the lab of {directory} is in use by a running process; end that first")
        return Claim(number, owner)


def number_of(directory: Path) -> int | None:
    return next((number for number, known in labs() if known == directory), None)


def labs() -> Iterator[tuple[int, Path]]:
    """Number and directory of every lab of this machine."""
    for file in HOME.glob("*/directory"):
        with suppress(FileNotFoundError):  # it went in this moment
            yield int(file.parent.name), Path(file.read_text())


def remove(number: int) -> None:
    """Everything of a lab but its client files, in whatever state it is."""
    network = Network(number)
    kill_processes_in([path for path in network.namespaces() if path.name != network.switch])
    unmount_below(HOME / str(number))
    remove_cgroups(network.namespace("*"))
    network.remove()
    shutil.rmtree(HOME / str(number), ignore_errors=True)


def _remove_abandoned() -> None:
    for folder in [path for path in HOME.iterdir() if path.is_dir() and not (path / "kept").exists()]:
        if owner := _try_to_own(folder):
            remove(int(folder.name))
            owner.close()


def _try_to_own(folder: Path) -> TextIO | None:
    owner = (folder / "owner").open("w")
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner.close()
        return None
    return owner


@contextmanager
def _exclusive() -> Iterator[None]:
    HOME.mkdir(mode=0o700, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
