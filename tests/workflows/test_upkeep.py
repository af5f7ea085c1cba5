"""Locking by hand: who is left with a locked host is told so, whatever went wrong behind that."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from platformctl.cli.wiring import SystemClock
from platformctl.errors import Locked, OutcomeUnknown, Refusal, ToolError, Unreachable
from platformctl.model.command import Command, Completed
from platformctl.store.host import HostLayout
from platformctl.store.host_records import read_recall, recall
from platformctl.transports.interface import Transport
from platformctl.workflows.auditing import Told, behind
from platformctl.workflows.hosts import Answering
from platformctl.workflows.upkeep import lock, unlock
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo
from tests.workflows.inside import parts_of


class Losing(Answering):
    """A way to a host that is lost with the first command that mutates, or behind it."""

    def __init__(self, inner: Transport, *, with_its_answer: bool) -> None:
        super().__init__(inner)
        self._with_its_answer = with_its_answer
        self._is_lost = False

    def run(self, command: Command) -> Completed:
        ended = None if self._is_lost else super().run(command)
        self._is_lost = self._is_lost or command.mutates
        if ended is None or (self._is_lost and self._with_its_answer):
            raise OutcomeUnknown("the connection was lost", host=self.entry.name, detail="reset")
        return ended


class Behind(Answering):
    """A way to a host where `others` do something right behind the first command that `is_it`."""

    def __init__(self, inner: Transport, is_it: Callable[[Command], bool], others: Callable[[], object]) -> None:
        super().__init__(inner)
        self._is_it, self._others = is_it, [others]

    def run(self, command: Command) -> Completed:
        ended = super().run(command)
        if self._others and self._is_it(command):
            self._others.pop()()
        return ended


def locks(command: Command) -> bool:
    return command.mutates


def recalls(command: Command) -> bool:
    return command == recall(HostLayout("/opt/platform"))


@dataclass(frozen=True)
class In(SystemClock):
    """The time in a while."""

    ahead: timedelta

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    return PlatformRepo.create(tmp_path, {"rs2000": host})


def is_locked_and_said(repo: PlatformRepo, refusal: Refusal, words: str) -> None:
    """And by what is said it can be unlocked, and locked again with a record."""
    assert refusal.detail.endswith(f"; rs2000 {words}")
    assert refusal.hint == "platformctl unlock rs2000, then lock it again"
    (row,) = (check for check in repo.run("doctor", "--json").json["checks"] if check["name"] == "lock")
    assert "moving the disks" in row["found"]
    assert "is unlocked" in repo.run("unlock", "rs2000", expect=0).stdout
    repo.run("lock", "rs2000", "--reason", "again", expect=0)
    repo.run("audit", "verify", expect=0)


@pytest.mark.lab
@pytest.mark.parametrize(
    ("with_its_answer", "words"), [(True, "may be locked by now"), (False, "is locked, which may stand in no record")]
)
def test_who_loses_the_way_to_a_host_that_was_locked_is_told_how_to_unlock_it(
    repo: PlatformRepo, words: str, *, with_its_answer: bool
) -> None:
    parts = parts_of(repo, lambda inner: Losing(inner, with_its_answer=with_its_answer))
    with pytest.raises(Unreachable) as caught:
        lock(parts, "rs2000", "moving the disks")

    is_locked_and_said(repo, caught.value, words)


@pytest.mark.lab
def test_a_lock_that_can_not_be_recorded_here_is_said_to_be_there(repo: PlatformRepo) -> None:
    (audit := repo.root / ".platform/audit").write_text("no folder")
    with pytest.raises(ToolError) as caught:
        lock(parts_of(repo, lambda inner: inner), "rs2000", "moving the disks")
    audit.unlink()

    is_locked_and_said(repo, caught.value, "is locked, which may stand in no record")


@pytest.mark.lab
def test_a_host_whose_clock_is_off_is_unlocked_and_its_clock_is_told(repo: PlatformRepo) -> None:
    """Whoever locks one by hand is still told of the clock first."""
    parts = parts_of(repo, lambda inner: inner)
    later = replace(parts, clock=In(timedelta(hours=1)))
    lock(parts, "rs2000", "moving the disks")

    report = unlock(later, "rs2000", "")

    assert report.message == "✓ rs2000 is unlocked"
    assert report.details["warning"].startswith("the host's clock is off: rs2000 is -3")
    assert unlock(parts, "rs2000", "").details == {}
    with pytest.raises(Unreachable) as caught:
        lock(later, "rs2000", "moving the disks")
    assert caught.value.reason == "clock_skew"


@pytest.mark.lab
@pytest.mark.parametrize("moment", [locks, recalls])
@pytest.mark.parametrize("again", [False, True])
def test_who_is_unlocked_right_behind_locking_is_told_of_whoever_has_the_host_then(
    repo: PlatformRepo, moment: Callable[[Command], bool], *, again: bool
) -> None:
    """By no word of ours anybody's lock is taken away but that one."""

    def others() -> None:
        repo.run("unlock", "rs2000", expect=0)
        if again:
            repo.run("lock", "rs2000", "--reason", "counting", expect=0)

    with pytest.raises(Locked) as caught:
        lock(parts_of(repo, lambda inner: Behind(inner, moment, others)), "rs2000", "moving the disks")

    assert ("counting" in caught.value.detail) == again
    assert "lock it again" in caught.value.hint or again
    (row,) = (check for check in repo.run("doctor", "--json").json["checks"] if check["name"] == "lock")
    assert ("counting" in row["found"]) == again
    repo.run("audit", "verify", expect=0)


@pytest.mark.lab
def test_who_unlocks_while_somebody_else_records_something_on_the_host_unlocks_it(repo: PlatformRepo) -> None:
    def way(inner: Transport) -> Transport:
        def others() -> None:
            tail = read_recall(inner.run(recall(HostLayout(inner.entry.root))), inner.entry.name).audit_tail
            inner.run(behind(inner.entry, tail, Told("2026-01-01T00:00:00Z", "lock", {"host": "rs2000"})))

        return Behind(inner, recalls, others)

    repo.run("lock", "rs2000", "--reason", "moving the disks", expect=0)

    assert unlock(parts_of(repo, way), "rs2000", "").message == "✓ rs2000 is unlocked"
    repo.run("audit", "verify", expect=0)


@pytest.mark.lab
@pytest.mark.parametrize("there", [True, False])
def test_a_lock_that_was_not_there_when_the_host_was_looked_at_is_not_taken_away(
    repo: PlatformRepo, *, there: bool
) -> None:
    repo.run("lock", "rs2000", "--reason", "moving the disks", expect=0)
    if not there:
        repo.run("unlock", "rs2000", expect=0)

    def others() -> None:
        repo.run("unlock", "rs2000", expect=0)
        repo.run("lock", "rs2000", "--reason", "counting", expect=0)

    parts = parts_of(repo, lambda inner: Behind(inner, recalls, others))
    if there:
        with pytest.raises(Locked) as caught:
            unlock(parts, "rs2000", "")
        assert "counting" in caught.value.detail
    else:
        assert unlock(parts, "rs2000", "").message == "✓ rs2000 is not locked by hand"
    assert "counting" in repo.run("doctor", "--json").stdout
    repo.run("audit", "verify", expect=0)


@pytest.mark.lab
def test_the_audit_is_shown_with_who_did_what_where_and_why(repo: PlatformRepo) -> None:
    repo.run("lock", "rs2000", "--reason", "moving the disks", expect=0)
    repo.run("unlock", "rs2000", expect=0)
    repo.add_module("web", WEB)
    repo.deploy("web")

    locked, unlocked, applied = (
        line.split(maxsplit=2)[2] for line in repo.run("audit", "show").stdout.splitlines()[:3]
    )

    assert locked == "lock on rs2000 by ann@example.org: moving the disks"
    assert unlocked == "unlock on rs2000 by ann@example.org"
    assert applied == "apply of web on rs2000: APPLIED"


@pytest.mark.parametrize("verb", [("lock", "rs2000"), ("unquarantine", "web")])
@pytest.mark.parametrize("reason", ["", " ", "\n"])
def test_a_reason_that_says_nothing_is_none(tmp_path: Path, verb: tuple[str, ...], reason: str) -> None:
    refused = PlatformRepo.create(tmp_path).run(*verb, "--reason", reason, "--json", expect=2)
    assert "--reason" in refused.json["error"]["detail"]
