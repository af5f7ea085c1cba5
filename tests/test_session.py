"""A host under our lock: what runs there, and what is certain of it when the lock was lost."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import cast

import pytest

from platformctl.errors import Locked, OutcomeUnknown, StalePlan, Unreachable
from platformctl.model.command import Command
from platformctl.model.desired import HostEntry
from platformctl.model.names import Digest
from platformctl.model.plan import Run
from platformctl.session import HostSession, locked
from platformctl.store import host_records
from platformctl.store.journal import Journals
from platformctl.store.patience import Patience
from platformctl.transports.interface import Transport
from platformctl.transports.local import LocalTransport
from tests.store.hosts import OWNER, ask, prepared
from tests.store.samples import AT, HOST

PLAN = Digest.of(b"plan")


@contextmanager
def session(tmp_path: Path, spoken: Callable[[Run], tuple[str, ...]] = lambda run: run.argv) -> Iterator[HostSession]:
    """A folder of this machine as a host, locked; the plan's intent is written."""
    (tmp_path / "clone").mkdir()
    (tmp_path / "host").mkdir()
    prepared(tmp_path / "host")
    entry = HostEntry(HOST, "local", str(tmp_path / "host"), allow_root=True)
    with (
        LocalTransport(entry, os.environ) as transport,
        locked(transport, OWNER, Patience()) as lock,
    ):
        there = HostSession(lock, PLAN, Journals(tmp_path / "clone"), lambda: AT, spoken)
        there.consume(())
        yield there


def perform(there: HostSession, *words: tuple[str, ...]) -> list[int]:
    return [done.status for done in there.perform("do", "s1", [Run(each, 30) for each in words])[0]]


def succeeded(tmp_path: Path) -> None:
    """Somebody else has the lock now."""
    (tmp_path / "host/.platformctl/lock.token").write_text("99")


def test_operations_run_as_far_as_each_ends_well(tmp_path: Path) -> None:
    with session(tmp_path) as there:
        before = there.untouched
        done = perform(there, ("touch", "a"), ("false",), ("touch", "b"))
        assert (before, done, there.untouched) == (True, [0, 1], False)

    assert (tmp_path / "host/a").exists()
    assert not (tmp_path / "host/b").exists()


def test_an_operation_is_said_in_the_words_of_who_speaks_to_the_host(tmp_path: Path) -> None:
    with session(tmp_path, lambda run: ("touch", f"{run.argv[0]} is said")) as there:
        assert perform(there, ("up",)) == [0]

    assert (tmp_path / "host/up is said").exists()


def test_an_operation_whose_end_was_not_seen_is_called_by_its_own_words(tmp_path: Path) -> None:
    with (
        session(tmp_path, lambda _run: ("env", "sh", "-c", "kill -9 $PPID")) as there,
        pytest.raises(OutcomeUnknown) as lost,
    ):
        perform(there, ("docker", "compose", "up"))

    assert lost.value.detail == "docker compose up"


def test_what_came_of_a_step_is_looked_at_behind_it_where_it_ended_well(tmp_path: Path) -> None:
    look = Command(("cat", str(tmp_path / "host/a")))
    with session(tmp_path) as there:
        _, seen = there.perform("do", "s1", [Run(("sh", "-c", "echo made >a"), 30)], look)
        assert seen is not None
        assert (seen.status, seen.text) == (0, "made\n")

        done, seen = there.perform("do", "s2", [Run(("false",), 30)], look)
        assert ([each.status for each in done], seen) == ([1], None)


def test_a_look_that_is_not_answered_is_no_end_of_the_step_either(tmp_path: Path) -> None:
    with session(tmp_path) as there:
        with pytest.raises((Unreachable, OutcomeUnknown)):
            there.perform("do", "s1", [Run(("true",), 30)], Command(("env", "sh", "-c", "kill -9 $PPID; sleep 1")))
        assert not there.untouched


def test_who_lost_the_lock_before_the_first_operation_has_touched_nothing(tmp_path: Path) -> None:
    with session(tmp_path) as there:
        succeeded(tmp_path)
        with pytest.raises(Locked) as caught:
            perform(there, ("touch", "a"), ("touch", "b"))
        assert there.untouched

    assert caught.value.reason == "held"
    assert not (tmp_path / "host/a").exists()


def test_who_lost_the_lock_after_an_operation_does_not_know(tmp_path: Path) -> None:
    with session(tmp_path) as there:
        assert perform(there, ("touch", "a")) == [0]
        succeeded(tmp_path)
        with pytest.raises(OutcomeUnknown):
            perform(there, ("touch", "b"))
        assert not there.untouched


def test_who_lost_the_lock_between_two_operations_of_a_step_does_not_know(tmp_path: Path) -> None:
    with session(tmp_path) as there:
        with pytest.raises(OutcomeUnknown):
            perform(there, ("sh", "-c", "printf 99 >.platformctl/lock.token"), ("touch", "b"))
        assert not there.untouched

    assert not (tmp_path / "host/b").exists()


def test_where_the_journal_was_settled_by_somebody_else_no_operation_begins(tmp_path: Path) -> None:
    with session(tmp_path) as there:
        ask(host_records.settle_journal(prepared(tmp_path / "host"), PLAN))
        with pytest.raises(StalePlan):
            perform(there, ("touch", "a"))
        assert there.untouched

    assert not (tmp_path / "host/a").exists()


def test_an_operation_whose_end_was_not_seen_may_have_begun(tmp_path: Path) -> None:
    with session(tmp_path) as there:
        with pytest.raises(OutcomeUnknown):
            perform(there, ("env", "sh", "-c", "kill -9 $PPID; sleep 1"))
        assert not there.untouched


class Holder:
    """A lock's holder whose input is written to for a moment, in which nobody may close it."""

    def __init__(self) -> None:
        self.is_written_to, self.released = Event(), Event()
        self.closed_amid = False

    def answer(self, timeout: float) -> str:
        return f"held {timeout:.0f}"

    def beat(self) -> bool:
        self.is_written_to.set()
        self.closed_amid = self.released.wait(0.2) or self.closed_amid
        return True

    def release(self) -> None:
        self.released.set()


def test_the_input_of_a_holder_is_closed_once_nobody_writes_to_it_any_more(tmp_path: Path) -> None:
    """Else a byte could go where its input was, which may be another command's by then."""
    holder = Holder()
    entry = HostEntry(HOST, "local", str(tmp_path), allow_root=True)
    way = cast("Transport", SimpleNamespace(entry=entry, hold=lambda _command: holder))

    with locked(way, OWNER, Patience(), heartbeat=0.01) as lock:
        assert holder.is_written_to.wait(10)
    assert holder.released.is_set()
    assert not lock.is_fed
    assert not holder.closed_amid
