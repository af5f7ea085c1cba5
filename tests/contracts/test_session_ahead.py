"""A session is opened ahead: it spares a far host's round trip, and is in nobody's way (ADR 0037)."""

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import paramiko
import pytest

from platformctl.model.command import Command, Completed
from platformctl.transports.deadline import Deadline
from platformctl.transports.ssh import SshTransport
from platformctl.transports.ssh.ahead import Ahead
from platformctl.transports.ssh.errand import Session, carry_out
from platformctl.transports.ssh.greeting import pinned_host
from platformctl.transports.ssh.login import log_in
from platformctl.transports.words import shell_line
from tests.contracts.reach import TRUE
from tests.contracts.sshd import Sshd
from tests.lab.machine import wait_until


@dataclass
class Refusing:
    """A connection that opens no session; `asked` is how often somebody wanted one."""

    asked: int = 0

    def open_session(self, timeout: float) -> paramiko.Channel:
        self.asked += 1
        raise paramiko.SSHException


def test_a_connection_that_refused_one_is_not_asked_for_one_ahead_again() -> None:
    ahead, first, second = Ahead(), Refusing(), Refusing()
    for connection in (first, first, second):
        ahead.open(connection, 1)  # type: ignore[arg-type]
        assert ahead.take(connection) is None  # type: ignore[arg-type]

    assert (first.asked, second.asked) == (1, 1)


def test_a_session_opened_ahead_is_given_to_one_who_asks_and_not_beyond_its_connection(sshd: Sshd) -> None:
    ahead = Ahead()
    with closing(pinned_host(sshd.entry(), 5)) as first, closing(pinned_host(sshd.entry(), 5)) as second:
        for connection in (first, second):
            log_in(connection, sshd.entry(), sshd.environment, 5)
            assert ahead.take(connection) is None
        ahead.open(first, 5)
        assert ahead.take(first) is None, "nothing was heard of the host lately"
        ahead.heard()
        ahead.open(first, 5)
        session = ahead.take(first)
        assert session
        assert carry_out(session, "echo said", b"", Deadline.after(10)) == Completed(0, b"said\n", b"")
        assert ahead.take(first) is None

        ahead.open(first, 5)
        assert ahead.take(second) is None
        ahead.open(first, 5)
        first.close()
        assert ahead.take(first) is None


@pytest.mark.parametrize(
    ("argv", "stdin"),
    [
        (("printf", "%s|", "a b", "'\"$(id)`\n", "", "\u00e9}\n}"), b""),
        (("cat",), bytes(range(256)) * 300),
        (("sh", "-c", "cat; echo said >&2; exit 7"), b"2\nx\n}"),
        (("sh", "-c", 'printf %s "$1" | wc -c', "x", "y" * 100_000), b""),
        (("sh", "-c", "kill -9 $$"), b""),
        (("no-such-program-anywhere",), b"x"),
    ],
    ids=["words", "input", "status", "a long word", "a signal", "no program"],
)
def test_a_session_that_listens_runs_a_command_as_any_other(sshd: Sshd, argv: tuple[str, ...], stdin: bytes) -> None:
    with SshTransport(sshd.entry(), sshd.environment) as transport:
        line, deadline = shell_line(argv), Deadline.after(20)
        transport.run(TRUE)
        connection = transport._connected()
        plain, listening = Session(connection.open_session()), Session(connection.open_session(), listens=True)
        listening.listen()
        as_ever, ended = carry_out(plain, line, stdin, deadline), carry_out(listening, line, stdin, deadline)
    assert (ended and replace(ended, stderr=b"")) == (as_ever and replace(as_ever, stderr=b""))
    assert ended is None or ended.stdout or ended.status


@pytest.mark.parametrize("cut", range(1, 40, 6))
def test_a_line_that_is_cut_off_on_its_way_is_not_run(sshd: Sshd, tmp_path: Path, cut: int) -> None:
    """What is left of it may be a command as well, and another one."""
    told = b"{ touch " + str(tmp_path / "a").encode() + b" x\n}"
    with SshTransport(sshd.entry(), sshd.environment) as transport:
        transport.run(TRUE)
        session = Session(transport._connected().open_session(), listens=True)
        session.listen()
        session.channel.sendall((b"%d\n%b" % (len(told), told))[:-cut])
        session.channel.shutdown_write()
        assert session.channel.recv_exit_status() != 0
    assert not list(tmp_path.iterdir())


def test_where_more_is_sure_to_follow_the_session_ahead_listens_and_else_not(fresh: Sshd) -> None:
    told = Command(("cat",), b"said")

    def started() -> int:
        return fresh.log.count("Starting session: command")

    with SshTransport(fresh.entry(), fresh.environment) as transport:
        transport.run(TRUE)
        held = transport.hold(Command(("cat",)))
        assert [transport.run(told).stdout for _ in range(3)] == [b"said"] * 3
        wait_until(lambda: started() == 6, "one more listens than was used")
        held.release()
        assert [transport.run(told).stdout for _ in range(3)] == [b"said"] * 3
        assert transport.run(replace(TRUE, followed=True)).status == 0
        assert transport.run(told).stdout == b"said"
    for server in fresh.servers:
        server.wait(60)  # so that all is written down
    assert started() == 10, "each that listens was used, and none does any more"


def test_a_session_opened_ahead_takes_no_slot_from_who_needs_one(fresh: Sshd) -> None:
    fresh.is_also_told("MaxSessions 2")
    with SshTransport(fresh.entry(), fresh.environment) as transport:
        held = transport.hold(Command(("cat",)))
        assert [transport.run(replace(TRUE, mutates=mutates)).status for mutates in (True, False, True)] == [0] * 3
        held.release()


def test_a_host_that_opens_one_session_at_a_time_serves_one_command_after_the_other(fresh: Sshd) -> None:
    fresh.is_also_told("MaxSessions 1")
    with SshTransport(fresh.entry(), fresh.environment) as transport:
        assert [transport.run(TRUE).status for _ in range(4)] == [0] * 4
