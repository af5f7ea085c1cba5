"""The audit chains: the same record here and on the host it is about."""

from collections.abc import Callable, Mapping

from platformctl.model.command import Command
from platformctl.model.desired import HostEntry
from platformctl.model.frozen import dataclass
from platformctl.store import chain
from platformctl.store.host import HostLayout
from platformctl.store.host_records import append_audit
from platformctl.workflows.parts import Parts

NOT_HEARD = {"heard": "not known"}
"""What a record of this clone says beside, where the host could not be told the same or did not say that it was: as
after an apply that its host died under. It can not be asked for there.
"""


@dataclass(frozen=True)
class Told:
    """What happened on a host, and when."""

    at: str
    event: str
    fields: Mapping[str, str]


def tell_both(parts: Parts, entry: HostEntry, tail: bytes, told: Told, write: Callable[[Command], object]) -> None:
    """Add a record, by `write`, to the chain of a host where nobody else may now, which ends in `tail`, and to this
    clone's. Raises what either raises that can not be written: this one never has what the host was not told.
    """
    write(behind(entry, tail, told))
    parts.audit.append(told.at, told.event, told.fields)


def behind(entry: HostEntry, tail: bytes, told: Told) -> Command:
    """Add a record to the chain of a host that ends in `tail`."""
    line = chain.next_line(tail, told.at, told.event, told.fields, what=f"{entry.name}: audit chain")
    last = tail.removesuffix(b"\n").rpartition(b"\n")[2] or None
    return append_audit(HostLayout(entry.root), line, after=last)
