"""Who holds a lock: what stands beside the lock, and what everybody else is told."""

from platformctl.errors import Locked, ToolError
from platformctl.model import strict_json
from platformctl.model.codec import decode, encode
from platformctl.model.frozen import dataclass
from platformctl.model.names import HostName

_LONGEST = 300
"""Characters of what is said of a lock: whoever can write on a host can write what they like beside it."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock, since when (UTC, `Z`) and why, for the person who finds it held, in one line."""

    who: str
    since: str
    why: str

    def __str__(self) -> str:
        said = " ".join(f"held by {self.who} since {self.since}: {self.why}".split())
        return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"


def owner_text(owner: Owner) -> bytes:
    """Return `owner` as it is written beside a lock."""
    return strict_json.dump(encode(owner))


def parse_owner(text: bytes) -> Owner | None:
    """Return who holds a lock; None when that can not be read, and then the lock is held all the same."""
    try:
        data = strict_json.load(text, "the owner of a lock", refusal=ToolError)
        return decode(Owner, data, "the owner of a lock", ignore_unknown=True, refusal=ToolError)
    except ToolError:
        return None


def locked(owner: Owner | None, host: HostName, *, by_hand: bool = False) -> Locked:
    """Return the refusal that names the holder; a lock that was made by hand does not end by itself."""
    wait = "wait for it to end, as apply and rollback do by themselves with --lock-wait"
    ask = f"ask who locked it; it holds until somebody says: platformctl unlock {host}"
    return Locked(
        "the host is locked",
        detail=f"{host}: {owner or 'held by somebody who left no name'}",
        hint=ask if by_hand else wait,
        reason="held",
        host=host,
    )
