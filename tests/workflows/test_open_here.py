"""What this clone's journals have open and no host showed: settled elsewhere, never begun, or known to nobody."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from platformctl.errors import ToolError
from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry
from platformctl.model.names import Digest
from platformctl.store import host_records
from platformctl.store.journal import Journals, Kind, Record, line_after
from platformctl.transports.interface import Transport
from platformctl.workflows.open_here import open_here
from tests.store.hosts import ask, prepared, run
from tests.store.samples import AT, HOST, OTHER_PLAN, PLAN

INTENT = Record(Kind.INTENT, "", AT, {"event": "intent"})
DO = Record(Kind.INTENT, "up", AT, {"event": "do"})


@dataclass(frozen=True)
class Folder:
    """A folder of this machine in the part of a host."""

    entry: HostEntry

    def run(self, command: Command) -> Completed:
        return run(command)


@pytest.fixture
def journals(tmp_path: Path) -> Journals:
    """A clone that was killed behind the first step of a plan."""
    (tmp_path / ".platform").mkdir()
    made = Journals(tmp_path / ".platform")
    for record in (INTENT, DO):
        made.append(PLAN, record)
    return made


def host(folder: Path, name: str, *plans: Digest) -> Transport:
    """A host that has an open journal of each of these plans."""
    (folder / name).mkdir()
    layout = prepared(folder / name)
    for plan in plans:
        ask(host_records.append_journal(layout, plan, line_after(b"", INTENT, "the journal"), after=None))
    return cast("Transport", Folder(HostEntry(HOST, "local", layout.root)))


def test_what_another_clone_settled_is_settled_here(tmp_path: Path, journals: Journals) -> None:
    there = host(tmp_path, "there", PLAN)
    ask(host_records.settle_journal(prepared(tmp_path / "there"), PLAN))

    assert open_here(journals, frozenset(), [host(tmp_path, "other"), there], AT) == ()
    assert journals.unsettled() == ()


def test_what_no_host_knows_of_and_had_begun_is_told(tmp_path: Path, journals: Journals) -> None:
    journals.append(OTHER_PLAN, INTENT)

    (left,) = open_here(journals, frozenset(), [host(tmp_path, "there")], AT)

    assert left.plan == PLAN
    assert len(journals.unsettled()) == 2


@pytest.mark.parametrize("shown", [frozenset({PLAN}), frozenset()])
def test_what_a_host_has_open_stays_so(tmp_path: Path, journals: Journals, shown: frozenset[Digest]) -> None:
    """It was shown, and is settled with its host; or an apply began since."""
    assert open_here(journals, shown, [host(tmp_path, "there", PLAN)], AT) == ()
    assert len(journals.unsettled()) == 1


def test_a_host_without_the_tools_own_folder_knows_of_nothing(tmp_path: Path, journals: Journals) -> None:
    bare = cast("Transport", Folder(HostEntry(HOST, "local", str(tmp_path))))
    assert len(open_here(journals, frozenset(), [bare], AT)) == 1


def test_a_journal_that_can_not_be_read_is_refused(tmp_path: Path, journals: Journals) -> None:
    path = journals.path(PLAN)
    path.write_bytes(path.read_bytes().replace(b'"intent"', b'"outcome"', 1))
    with pytest.raises(ToolError):
        open_here(journals, frozenset(), [host(tmp_path, "there", PLAN)], AT)
