"""One apply at a time on a host: dead, sleeping and returning clients, with real processes and kernel locks."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from platformctl.errors import ToolError, Unreachable
from platformctl.store import host_lock
from platformctl.store.host import HostLayout
from platformctl.store.host_lock import Fenced, Ran
from platformctl.store.owner import Owner
from tests.store.holding import held, not_ours, refused, step
from tests.store.hosts import OWNER, ask, first_line, prepared, run, started
from tests.store.samples import AT, HOST


def test_a_second_holder_is_told_who_since_when_and_why(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    owner = Owner('eve\'s "laptop" $(id)', AT, "apply `web`; rm -rf /")
    with started(host_lock.hold_lock(layout, owner)) as first:
        assert held(first) == 1
        refusal = refused(layout)
    assert str(owner) in refusal.detail
    assert refusal.reason == "held"


def test_the_lock_is_free_when_its_holder_is_let_go(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    for token in (1, 2):
        with started(host_lock.hold_lock(layout, OWNER)) as holder:
            assert held(holder) == token
            assert holder.stdin
            holder.stdin.close()
            assert holder.wait() == 0


def test_the_lock_is_free_at_once_when_its_holder_is_killed(tmp_path: Path) -> None:
    """What the holder's shell had started still waits for a byte, and must not keep the lock."""
    layout = prepared(tmp_path)
    with started(host_lock.hold_lock(layout, OWNER)) as first:
        assert held(first) == 1
        first.kill()
        first.wait()
        with started(host_lock.hold_lock(layout, OWNER)) as second:
            assert held(second) == 2


def test_a_holder_that_is_fed_lives_longer_than_its_lease(tmp_path: Path) -> None:
    """It reads a byte a turn: that it took the last of many shows that it came through as many turns."""
    layout = prepared(tmp_path)
    with started(host_lock.hold_lock(layout, OWNER, lease=60)) as holder:
        held(holder)
        assert holder.stdin
        for _ in range(20):
            holder.stdin.write(b"\n")
            holder.stdin.flush()
        assert isinstance(step(layout, 1, "true"), Ran)
        holder.stdin.close()
        assert holder.wait() == 0


def test_a_client_that_falls_silent_loses_the_lock_and_is_fenced_when_it_returns(tmp_path: Path) -> None:
    """The client is this test, which holds the pipe open and says nothing until the lease is over."""
    layout = prepared(tmp_path)
    with started(host_lock.hold_lock(layout, OWNER, lease=0.2)) as first:
        stale = held(first)
        assert first.wait() == 0
        assert step(layout, stale, "touch", "x") == Fenced()
        with started(host_lock.hold_lock(layout, OWNER)) as second:
            assert held(second) == stale + 1
            assert step(layout, stale, "touch", "x") == Fenced()
            assert isinstance(step(layout, stale + 1, "touch", "y"), Ran)
    assert not (tmp_path / "x").exists()
    assert (tmp_path / "y").exists()


def test_who_has_the_lock_is_told_so_and_who_lost_it_too(tmp_path: Path) -> None:
    """Lost to a successor, or to nobody: then too somebody may have had it meanwhile."""
    layout = prepared(tmp_path)
    with started(host_lock.hold_lock(layout, OWNER)) as first:
        token = held(first)
        assert ask(host_lock.still_held(layout, token)).word == "ours"
        first.kill()
        first.wait()
        assert not_ours(layout, token)
        with started(host_lock.hold_lock(layout, OWNER)) as second:
            assert ask(host_lock.still_held(layout, held(second))).word == "ours"
            assert not_ours(layout, token)


def test_a_stopped_holder_keeps_the_lock_and_gives_it_up_when_it_goes_on(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    with started(host_lock.hold_lock(layout, OWNER, lease=3)) as first:
        held(first)
        os.killpg(first.pid, signal.SIGSTOP)
        refused(layout)
        os.killpg(first.pid, signal.SIGCONT)
        assert first.wait() == 0
        with started(host_lock.hold_lock(layout, OWNER)) as second:
            assert held(second) == 2
            assert step(layout, 1, "touch", "x") == Fenced()


@pytest.mark.parametrize("line", ["", "held", "held x", "held ²", "hello", "unsafe .platformctl"])
def test_an_answer_that_does_not_say_held_is_no_lock(line: str) -> None:
    with pytest.raises((Unreachable, ToolError)):
        host_lock.read_hold(line, HOST)


@pytest.mark.parametrize("content", [b"", b"x", b"-1", b"1 1"])
def test_a_token_that_can_not_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    layout = prepared(tmp_path)
    Path(layout.base, "lock.token").write_bytes(content)
    with started(host_lock.hold_lock(layout, OWNER)) as holder, pytest.raises(ToolError):
        held(holder)


def test_of_many_holders_one_wins(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    command = host_lock.hold_lock(layout, OWNER)
    holders = [
        subprocess.Popen(command.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        for _ in range(50)
    ]
    words = [first_line(holder).split(" ")[0] for holder in holders]
    for holder in holders:
        holder.communicate()
    assert sorted(words) == ["busy"] * 49 + ["held"]


def test_who_looks_at_the_lock_is_told_who_has_it_and_takes_it_from_nobody(tmp_path: Path) -> None:
    def seen() -> str | None:
        return host_lock.read_lock_look(run(host_lock.look_at_lock(layout)), HOST)

    layout = HostLayout(str(tmp_path))
    assert seen() is None
    prepared(tmp_path)
    assert seen() is None
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        assert held(holder) == 1
        assert seen() == str(OWNER)
        assert isinstance(step(layout, 1, "true"), Ran)
    by_hand = Owner("bob", AT, "moving the disks")
    assert host_lock.read_lock(run(host_lock.lock_by_hand(layout, by_hand)), HOST)
    assert seen() == str(by_hand)
