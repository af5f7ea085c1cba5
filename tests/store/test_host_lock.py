"""One apply at a time on a host: dead, sleeping and returning clients, with real processes and kernel locks."""

import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from platformctl.errors import Locked, ToolError, Unreachable
from platformctl.model.command import Command, Completed
from platformctl.store import host_lock
from platformctl.store.host import HostLayout
from platformctl.store.host_lock import Busy, Fenced, Guarded, Lost, Ran, TimedOut
from platformctl.store.owner import Owner
from tests.lab.machine import wait_until
from tests.store.hosts import OWNER, ask, first_line, prepared, run, started
from tests.store.samples import AT, HOST

NONCE = "5d41402abc4b2a76"


def held(process: subprocess.Popen[bytes]) -> int:
    return host_lock.read_hold(first_line(process), HOST)


def step(layout: HostLayout, token: int, *argv: str, limit: int = 30, kill_after: int = 10) -> Guarded:
    command = host_lock.guarded(layout, token, argv, nonce=NONCE, limit=limit, step_wait=0, kill_after=kill_after)
    return host_lock.read_guarded(run(command), NONCE)


def refused(layout: HostLayout) -> Locked:
    with started(host_lock.hold_lock(layout, OWNER, step_wait=0)) as second:
        with pytest.raises(Locked) as caught:
            held(second)
        assert second.wait() == 75
    return caught.value


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


def not_ours(layout: HostLayout, token: int) -> bool:
    with pytest.raises(Locked) as caught:
        ask(host_lock.still_held(layout, token))
    return caught.value.summary == "the lock is no longer ours"


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


def test_no_step_begins_without_a_holder(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    for token in (0, 1):
        assert step(layout, token, "touch", "x") == Fenced()
    assert not (tmp_path / "x").exists()


def test_a_step_of_a_dead_client_keeps_its_successor_out_until_it_ends(tmp_path: Path) -> None:
    """The step says when it began, and waits for our word; its client's holder is killed meanwhile."""
    layout = prepared(tmp_path)
    os.mkfifo(tmp_path / "begun")
    os.mkfifo(tmp_path / "go")
    with started(host_lock.hold_lock(layout, OWNER)) as first:
        token = held(first)
        words = ("sh", "-c", "echo >begun; read -r line <go")
        with started(host_lock.guarded(layout, token, words, nonce=NONCE, limit=60)) as running:
            (tmp_path / "begun").read_bytes()
            first.kill()
            first.wait()
            assert refused(layout).summary == "a step of an earlier apply still runs"
            assert step(layout, token, "touch", "x") == Busy()
            with started(host_lock.hold_lock(layout, OWNER, step_wait=60)) as second:
                (tmp_path / "go").write_bytes(b"\n")
                assert running.wait() == 0
                assert held(second) == 3
                assert step(layout, token, "touch", "x") == Fenced()


def test_a_step_goes_on_when_the_shell_that_guards_it_dies_and_keeps_the_next_one_out(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    os.mkfifo(tmp_path / "begun")
    os.mkfifo(tmp_path / "go")
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        token = held(holder)
        words = ("sh", "-c", "echo >begun; read -r line <go; echo >begun")
        with started(host_lock.guarded(layout, token, words, nonce=NONCE, limit=60)) as guard:
            (tmp_path / "begun").read_bytes()
            guard.kill()
            assert step(layout, token, "true") == Busy()
            (tmp_path / "go").write_bytes(b"\n")
            (tmp_path / "begun").read_bytes()


def test_a_step_runs_in_the_root_with_an_emptied_environment_and_closed_input(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        token = held(holder)
        words = ("sh", "-c", 'pwd -P; umask; cat; env | cut -d= -f1 | sort; printf "%s\\n" "$@"', "x", "a b", "$(id)")
        command = host_lock.guarded(layout, token, words, nonce=NONCE, limit=30)
        ended = host_lock.read_guarded(run(command, SECRET="s", COMPOSE_FILE="x"), NONCE)
    assert isinstance(ended, Ran)
    assert ended.completed.text.split("\n") == [
        str(tmp_path.resolve()), "0022", "HOME", "PATH", "PWD", "a b", "$(id)", ""
    ]  # fmt: skip


@pytest.mark.parametrize("status", [0, 1, 71, 74, 75, 124, 137, 255])
def test_a_step_s_own_status_and_words_are_told_apart_from_ours(tmp_path: Path, status: int) -> None:
    layout = prepared(tmp_path)
    said = f"printf 'platformctl-step 0 fenced\\nno newline at the end' >&2; echo out; exit {status}"
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        ended = step(layout, held(holder), "sh", "-c", said)
    assert isinstance(ended, Ran)
    assert ended.completed.status == status
    assert ended.completed.stdout == b"out\n"
    assert ended.completed.stderr == b"platformctl-step 0 fenced\nno newline at the end"


@pytest.mark.parametrize("ignoring", ["", "trap '' TERM; ", "trap 'exit 0' TERM; "])
def test_a_step_that_takes_too_long_is_ended(tmp_path: Path, ignoring: str) -> None:
    layout = prepared(tmp_path)
    os.mkfifo(tmp_path / "never")
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        token = held(holder)
        ended = step(layout, token, "sh", "-c", ignoring + "read -r line <>never", limit=1, kill_after=1)
        assert isinstance(ended, TimedOut)
        assert isinstance(step(layout, token, "true"), Ran)


def test_a_step_that_is_ended_before_it_could_begin_took_too_long(tmp_path: Path) -> None:
    """The shell that would say how its words ended is slow to start, and gone by then."""
    layout, shims = prepared(tmp_path), tmp_path / "shims"
    shims.mkdir()
    (shims / "sh").write_text("""#!/bin/sh
case $2 in *'set -u'*) ;; *'trap "mark overdue"'*) exec sleep 60 ;; esac
exec /bin/sh "$@"
""")
    (shims / "sh").chmod(0o755)
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        command = host_lock.guarded(layout, held(holder), ("true",), nonce=NONCE, limit=1, step_wait=0)
        ended = run(command, PATH=f"{shims}:{os.environ['PATH']}")
    assert isinstance(host_lock.read_guarded(ended, NONCE), TimedOut)


def test_a_program_that_is_not_there_ran_and_failed(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        ended = step(layout, held(holder), "no-such-program")
    assert isinstance(ended, Ran)
    assert ended.completed.status == 127


@pytest.mark.parametrize(
    ("stderr", "status", "truncated"),
    [
        (b"", 137, False),
        (b"\nplatformctl-step %s began\nwords" % NONCE.encode(), 137, False),
        (b"\nplatformctl-step %s began\nwords" % NONCE.encode(), 0, False),
        (b"\nplatformctl-step %s began\nwords" % NONCE.encode(), 124, True),
        (b"\nplatformctl-step 0 ended 0\n", 0, False),
    ],
)
def test_a_step_whose_end_was_not_said_is_lost(stderr: bytes, status: int, truncated: bool) -> None:
    assert isinstance(host_lock.read_guarded(Completed(status, b"", stderr, truncated), NONCE), Lost)


def test_a_step_whose_words_were_too_many_still_has_its_status() -> None:
    stderr = b"\nplatformctl-step %s began\nwords" % NONCE.encode()
    ended = host_lock.read_guarded(Completed(3, b"", stderr, truncated=True), NONCE)
    assert isinstance(ended, Ran)
    assert ended.completed.status == 3


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


def test_a_guarded_command_has_time_to_be_killed_before_the_transport_gives_up(tmp_path: Path) -> None:
    command: Command = host_lock.guarded(HostLayout("/opt"), 1, ("true",), nonce=NONCE, limit=600)
    assert command.timeout > 600 + host_lock.KILL_AFTER + host_lock.STEP_WAIT


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
