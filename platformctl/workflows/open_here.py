"""Find applies that are open in this clone's journals, but in those of no host that was asked."""

from collections.abc import Iterable, Set

from platformctl.model.names import Digest
from platformctl.store.host import HostLayout
from platformctl.store.host_records import find_journals, read_found
from platformctl.store.journal import Journal, Journals, Kind, Record
from platformctl.transports.interface import Transport


def open_here(journals: Journals, shown: Set[Digest], hosts: Iterable[Transport], at: str) -> tuple[Journal, ...]:
    """Return the open journals of this clone in which a step had begun and that none of `hosts` has.

    Journals of the plans in `shown` are left out. One that a host has put away is settled here too: another clone did
    that, or its end did not come to this one. Where no step had begun and no host has the intent, nothing was done.
    Raises `ToolError` for a journal that can not be read, and what `read_answer` raises.
    """
    mine = [journal for journal in journals.unsettled() if journal.plan not in shown]
    found: dict[Digest, bool] = {}
    for transport in hosts if mine else ():
        question = find_journals(HostLayout(transport.entry.root), (journal.plan for journal in mine))
        found.update(read_found(transport.run(question), transport.entry.name))
    for plan in (plan for plan, is_settled in found.items() if is_settled):
        journals.append(plan, Record(Kind.SETTLED, "", at, {"event": "settled", "outcome": "as the host has it"}))
    return tuple(journal for journal in mine if journal.begun and journal.plan not in found)
