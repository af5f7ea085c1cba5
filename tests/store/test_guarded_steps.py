"""A step runs only under the newest lock, alone and in time, and its end is told apart from ours."""

import os
from pathlib import Path

import pytest

from platformctl.model.command import Command, Completed
from platformctl.store import host_lock
from platformctl.store.host import HostLayout
from platformctl.store.host_lock import Busy, Fenced, Lost, Ran, TimedOut
from tests.store.holding import NONCE, held, refused, step
from tests.store.hosts import OWNER, prepared, run, started


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


def test_a_step_goes_to_the_engine_that_all_else_on_the_host_is_asked_of(tmp_path: Path) -> None:
    """Where a login's environment leads docker elsewhere, as for a rootless engine, it leads a step there too."""
    layout, words = prepared(tmp_path), ("sh", "-c", 'printf "%s\\n" "$DOCKER_HOST" "${DOCKER_CONTEXT-unset}"')
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        token = held(holder)
        command = host_lock.guarded(layout, token, words, nonce=NONCE, limit=30)
        for place in ("unix:///run/user/1000/docker.sock", "unix:///a b; $(id)", ""):
            ended = host_lock.read_guarded(run(command, DOCKER_HOST=place), NONCE)
            assert isinstance(ended, Ran)
            assert ended.completed.text == f"{place}\nunset\n"


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


def test_a_guarded_command_has_time_to_be_killed_before_the_transport_gives_up(tmp_path: Path) -> None:
    command: Command = host_lock.guarded(HostLayout("/opt"), 1, ("true",), nonce=NONCE, limit=600)
    assert command.timeout > 600 + host_lock.KILL_AFTER + host_lock.STEP_WAIT
