"""Locking by hand: who is left with a locked host is told so, whatever went wrong behind that."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from platformctl.cli.wiring import SystemClock
from platformctl.errors import OutcomeUnknown, Refusal, ToolError, Unreachable
from platformctl.model.command import Command, Completed
from platformctl.transports.interface import Transport
from platformctl.workflows.hosts import Answering
from platformctl.workflows.upkeep import lock, unlock
from tests.lab import Host
from tests.platform_repo import PlatformRepo
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
