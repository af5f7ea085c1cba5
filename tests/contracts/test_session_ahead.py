"""A session is opened ahead: it spares a far host's round trip, and is in nobody's way (ADR 0037)."""

from contextlib import closing
from dataclasses import dataclass, replace

import paramiko

from platformctl.model.command import Command, Completed
from platformctl.transports.deadline import Deadline
from platformctl.transports.ssh import SshTransport
from platformctl.transports.ssh.ahead import Ahead
from platformctl.transports.ssh.errand import carry_out
from platformctl.transports.ssh.greeting import pinned_host
from platformctl.transports.ssh.login import log_in
from tests.contracts.reach import TRUE
from tests.contracts.sshd import Sshd


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
        channel = ahead.take(first)
        assert channel
        assert carry_out(channel, "echo said", b"", Deadline.after(10)) == Completed(0, b"said\n", b"")
        assert ahead.take(first) is None

        ahead.open(first, 5)
        assert ahead.take(second) is None
        ahead.open(first, 5)
        first.close()
        assert ahead.take(first) is None


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
