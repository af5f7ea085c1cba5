"""A person locks a host by hand: nobody works there until that is taken away, and none is left by mistake."""

import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from platformctl.errors import Locked, ToolError, Unreachable
from platformctl.store import host_lock
from platformctl.store.host import HostLayout
from platformctl.store.host_lock import Fenced
from platformctl.store.owner import Owner
from tests.lab.machine import wait_until
from tests.store.holding import held, not_ours, refused, step
from tests.store.hosts import OWNER, first_line, prepared, run, started
from tests.store.samples import AT, HOST


def test_a_lock_by_hand_outlives_its_process_until_it_is_taken_away(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    owner = Owner("bob", AT, "moving the disk")
    assert host_lock.read_lock(run(host_lock.lock_by_hand(layout, owner)), HOST)
    assert str(owner) in refused(layout).detail
    with pytest.raises(Locked) as caught:
        host_lock.read_lock(run(host_lock.lock_by_hand(layout, OWNER)), HOST)
    assert str(owner) in caught.value.detail
    assert host_lock.read_lock(run(host_lock.unlock(layout)), HOST)
    assert not host_lock.read_lock(run(host_lock.unlock(layout)), HOST)
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        assert held(holder) == 1


def test_no_step_begins_on_a_host_that_is_locked_by_hand(tmp_path: Path) -> None:
    """Its client lost its holder and does not know; somebody has the kernel's lock for a moment, to look at it."""
    layout = prepared(tmp_path)
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        token = held(holder)
    assert host_lock.read_lock(run(host_lock.lock_by_hand(layout, Owner("bob", AT, "x"))), HOST)
    with Path(layout.base, "lock").open() as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_EX)
        assert step(layout, token, "touch", "x") == Fenced()
        assert not_ours(layout, token)
    assert not (tmp_path / "x").exists()


def test_a_host_is_not_locked_by_hand_while_a_step_still_runs(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    by_hand = host_lock.lock_by_hand(layout, Owner("bob", AT, "x"), step_wait=0)
    with Path(layout.base, "step.lock").open("a") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        with pytest.raises(Locked) as caught:
            host_lock.read_lock(run(by_hand), HOST)
    assert caught.value.summary == "a step of an earlier apply still runs"
    assert host_lock.read_lock(run(by_hand), HOST)


@contextmanager
def waiting_by_hand(layout: HostLayout, owner: Owner) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    """Somebody who locks by hand and waits for a step that still runs, and what ends that step."""
    with Path(layout.base, "step.lock").open("a") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        with started(host_lock.lock_by_hand(layout, owner, step_wait=60)) as waiting:
            wait_until(lambda: Path(layout.base, "lock.manual").exists(), "it waits")
            yield waiting, lambda: fcntl.flock(running, fcntl.LOCK_UN)


def test_a_lock_by_hand_that_is_called_off_while_it_waits_leaves_none(tmp_path: Path) -> None:
    """Meanwhile whoever comes is told who it is."""
    layout, bob = prepared(tmp_path), Owner("bob", AT, "x")
    with waiting_by_hand(layout, bob) as (waiting, _):
        assert str(bob) in refused(layout).detail
        with pytest.raises(Locked) as caught:
            host_lock.read_lock(run(host_lock.lock_by_hand(layout, OWNER)), HOST)
        assert str(bob) in caught.value.detail
        os.killpg(waiting.pid, signal.SIGTERM)
        assert waiting.wait() == 74
    assert not Path(layout.base, "lock.manual").exists()


def test_a_lock_by_hand_that_nobody_is_told_of_is_none(tmp_path: Path) -> None:
    """sshd signals nobody when its client goes: what is said then has no reader."""
    layout = prepared(tmp_path)
    with waiting_by_hand(layout, OWNER) as (waiting, step_ends):
        assert waiting.stdout
        waiting.stdout.close()
        step_ends()
        assert waiting.wait() == 74
    assert not Path(layout.base, "lock.manual").exists()


def test_a_lock_by_hand_that_is_taken_away_while_it_waits_is_none(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    with waiting_by_hand(layout, OWNER) as (waiting, step_ends):
        assert host_lock.read_lock(run(host_lock.unlock(layout)), HOST)
        step_ends()
        assert first_line(waiting) == "lost"


def test_a_host_that_can_not_be_locked_is_not_left_locked_by_hand(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    Path(layout.base, "step.lock").mkdir()
    with pytest.raises((ToolError, Unreachable)):
        host_lock.read_lock(run(host_lock.lock_by_hand(layout, OWNER)), HOST)
    assert not Path(layout.base, "lock.manual").exists()


def test_a_host_at_work_is_not_locked_by_hand(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        held(holder)
        with pytest.raises(Locked) as caught:
            host_lock.read_lock(run(host_lock.lock_by_hand(layout, Owner("bob", AT, "x"))), HOST)
    assert str(OWNER) in caught.value.detail
