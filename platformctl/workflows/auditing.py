"""Write the same audit record here and on the host that it is about."""

from collections.abc import Callable, Mapping

from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry
from platformctl.model.frozen import dataclass
from platformctl.store import chain
from platformctl.store.files import whole_lines
from platformctl.store.host import HostLayout
from platformctl.store.host_records import append_audit, read_audit
from platformctl.workflows.parts import Parts

NOT_HEARD = {"heard": "not known"}
"""Added to a record of this clone if the host could not be told the same, or did not confirm it.

The host may have died during an apply, for example. `audit verify` does not expect such a record on the host.
"""


@dataclass(frozen=True)
class Told:
    """What happened on a host, and when."""

    at: str
    event: str
    fields: Mapping[str, str]


def tell_both(parts: Parts, entry: HostEntry, tail: bytes, told: Told, write: Callable[[Command], object]) -> None:
    """Append a record to the host's chain, and then to this clone's.

    `tail` is the end of the host's chain, to which nobody else may write now; `write` runs a command on the host.
    Raises what either write raises. The host comes first, so that this clone never has a record that the host was not
    told.
    """
    write(behind(entry, tail, told))
    parts.audit.append(told.at, told.event, told.fields)


def has_record_of(entry: HostEntry, ask: Callable[[Command], Completed], receipt: str) -> bool:
    """Whether the host's chain has a record with that receipt; `ask` runs a command on the host.

    One that was kept beside the chain may be in no record: whoever wrote it lost the way to the host behind that.
    """
    lines, _ = whole_lines(read_audit(HostLayout(entry.root), ask, entry.name))
    return any(record.fields.get("receipt") == receipt for record in chain.records(lines))


def behind(entry: HostEntry, tail: bytes, told: Told) -> Command:
    """Return the command that appends a record to a host's chain ending in `tail`."""
    line = chain.next_line(tail, told.at, told.event, told.fields, what=f"{entry.name}: audit chain")
    last = tail.removesuffix(b"\n").rpartition(b"\n")[2] or None
    return append_audit(HostLayout(entry.root), line, after=last)
