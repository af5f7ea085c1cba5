"""One apply for each clone and host: the lock on the operator's machine.

It spares two terminals of one person from meeting on the host; what keeps clones apart is the host's own lock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from platformctl.errors import Locked, ToolError
from platformctl.model import strict_json
from platformctl.model.codec import decode, encode
from platformctl.model.names import HostName
from platformctl.store import files

_FOLDER = Path("state", "locks")


@dataclass(frozen=True)
class Owner:
    """Who holds a lock, since when (UTC, `Z`) and why, for the person who finds it held."""

    who: str
    since: str
    why: str

    def __str__(self) -> str:
        return f"held by {self.who} since {self.since}: {self.why}"


def owner_text(owner: Owner) -> bytes:
    """Return `owner` as it stands beside a lock."""
    return strict_json.dump(encode(owner))


def parse_owner(text: bytes) -> Owner | None:
    """Return who holds a lock, None when what stands beside it can not be read: the lock is held all the same."""
    try:
        data = strict_json.load(text, "the owner of a lock", refusal=ToolError)
        return decode(Owner, data, "the owner of a lock", ignore_unknown=True, refusal=ToolError)
    except ToolError:
        return None


def locked(owner: Owner | None, host: HostName) -> Locked:
    """Return the refusal that names the holder."""
    return Locked(
        "the host is locked",
        detail=f"{host}: {owner or 'held by somebody who left no name'}",
        hint="wait for the other apply to end, or give --lock-wait",
        reason="held",
        host=host,
    )


@contextmanager
def hold_locally(folder: Path, host: HostName, owner: Owner) -> Iterator[None]:
    """Hold this clone's lock for `host` while the block runs; `folder` is the clone's `.platform`.

    Raises `Locked` at once when another process has it. The system frees it when this process ends, however it ends.
    """
    sidecar = folder / _FOLDER / f"{host}.owner.json"
    files.make_folder(sidecar.parent, within=folder)
    lock = FileLock(sidecar.with_name(f"{host}.lock"), mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise locked(parse_owner(files.read(sidecar, within=folder) or b""), host) from None
    except OSError as error:
        raise ToolError("the local lock could not be taken", detail=f"{sidecar.parent}: {error.strerror}") from error
    try:
        files.write_atomically(sidecar, owner_text(owner), within=folder)
        yield
    finally:
        lock.release()
