"""One apply at a time for each clone and host: the lock on the operator's machine.

It keeps two terminals of one person from meeting on the host. The host's own lock keeps different clones apart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from platformctl.errors import ToolError
from platformctl.model.names import HostName
from platformctl.store import files
from platformctl.store.owner import Owner, locked, owner_text, parse_owner
from platformctl.store.patience import Patience

if TYPE_CHECKING:
    from filelock import FileLock

_FOLDER = Path("state", "locks")


def load() -> None:
    """Import the locking library; commands that lock nothing do without."""
    import filelock  # noqa: F401


@contextmanager
def hold_locally(folder: Path, host: HostName, owner: Owner, patience: Patience) -> Iterator[None]:
    """Hold this clone's lock for `host` while the block runs; `folder` is the clone's `.platform`.

    Raises `Locked` when another process has it for longer than `patience` lasts. The system frees it when this
    process ends, however it ends.
    """
    sidecar = folder / _FOLDER / f"{host}.owner.json"
    files.make_folder(sidecar.parent, within=folder)
    from filelock import FileLock

    lock = FileLock(sidecar.with_name(f"{host}.lock"), mode=0o600, thread_local=False)
    while not _acquired(lock, sidecar.parent):
        if not patience.lasts():
            raise locked(parse_owner(files.read(sidecar, within=folder) or b""), host)
    try:
        files.write_atomically(sidecar, owner_text(owner), within=folder)
        yield
    finally:
        lock.release()


def _acquired(lock: "FileLock", folder: Path) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except OSError as error:
        raise ToolError("the local lock could not be taken", detail=f"{folder}: {error.strerror}") from error
    return True
