"""Commands on a host over one SSH connection, made at first use and again after it was lost."""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self

import paramiko

from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry
from platformctl.transports.deadline import Deadline
from platformctl.transports.entry import unreachable, unseen
from platformctl.transports.sessions import Refused, Sessions
from platformctl.transports.ssh.ahead import Ahead
from platformctl.transports.ssh.errand import Session, carry_out, in_background, let_go
from platformctl.transports.ssh.greeting import pinned_host, scan_host_keys
from platformctl.transports.ssh.held import SshHeld
from platformctl.transports.ssh.login import lets_in_without_key, log_in
from platformctl.transports.ssh.refusals import LOST
from platformctl.transports.words import shell_line

CONNECTING = 10.0
"""Seconds for each part of connecting, unless the entry or the caller says otherwise."""
KEEPALIVE = 15
"""Seconds between signs of life, because firewalls forget silent connections."""


class Where(NamedTuple):
    """An entry whose address is known, and whether its host may let us in without a key."""

    entry: HostEntry
    may_need_no_key: bool = False


class SshTransport:
    """Runs commands as the entry's user, whose login shell must be a POSIX one.

    Several threads may use it at once. It does not check that the user is not uid 0 under another name, or that machine
    and engine ids are the pinned ones: the caller asks for these.
    """

    def __init__(self, entry: HostEntry, environment: Mapping[str, str], *, timeout: float | None = None) -> None:
        """`timeout` is in seconds, each for connecting, the handshake, logging in and opening a channel.

        None stands for the entry's, or else 10.
        """
        self.entry = entry
        self.exchanges = 0
        self._environment = environment
        self._timeout: float = timeout or entry.timeouts.connect or CONNECTING
        self._connection: paramiko.Transport | None = None
        self._connecting = threading.Lock()
        self._sessions = Sessions(entry)
        self._ahead = Ahead()
        self._holders = 0

    def run(self, command: Command) -> Completed:
        """Run `command`; its timeout begins when it is sent.

        Raises `WrongHost` and `Unreachable` when nothing was sent. Raises `OutcomeUnknown` at the deadline, when the
        connection is lost, and when a signal ended the command: the host may still be at work on what it was asked for.
        """
        line = shell_line(command.argv)
        session = self._open(command, more=command.followed or self._holders > 0)
        try:
            ended = carry_out(session, line, command.stdin, Deadline.after(command.timeout))
        finally:
            let_go(session.channel)
            self._sessions.leave()
        if ended is None:
            self._ahead.forget()
            raise unseen(self.entry, command)
        self._ahead.heard()
        return ended

    def hold(self, command: Command) -> SshHeld:
        """Start `command` and keep its input open after `command.stdin`.

        Raises as `run` does; the command's timeout is for the start alone.
        """
        line = shell_line(command.argv)
        session = self._open(command, more=True)
        self._holders += 1
        held = SshHeld(session.channel, self._released)
        start = in_background(lambda: session.begin(line, command.stdin))
        start.join(command.timeout)
        if start.is_alive():
            self._ahead.forget()
            held.release()
            raise unseen(self.entry, command)
        return held

    def scan_host_keys(self) -> tuple[tuple[str, str], ...]:
        """Return kind and fingerprint of every key the host proves to have, for a person to compare; nobody logs in.

        It checks none of them. Raises `Unreachable` when nobody answers.
        """
        return scan_host_keys(self._where().entry, self._timeout)

    def close(self) -> None:
        """Give up the connection; commands that run over it are not waited for."""
        self._sessions.give_up()
        if self._connection is not None:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _released(self) -> None:
        self._holders -= 1
        self._sessions.leave()

    def _open(self, command: Command, *, more: bool) -> Session:
        """A session for `command`, and another one is opened ahead, which listens where `more` are sure to follow."""
        session = self._sessions.open(lambda: self._session(ahead=not command.mutates), command.timeout)
        with self._connecting:
            self.exchanges += 1
        self._ahead.open(session.channel.get_transport(), self._timeout, listens=more)
        return session

    def _session(self, *, ahead: bool) -> Session:
        connection, deadline = self._connected(), Deadline.after(self._timeout)
        try:
            opened = self._ahead.take(connection) if ahead else None
            return opened or Session(connection.open_session(timeout=self._timeout))
        except LOST as error:
            # Nothing was sent. Of two refusals at once, paramiko can tell one caller only; the other gets an error that
            # names nothing. And it calls a connection active for a moment after its channels know that it is lost.
            if not deadline.passed:
                self._ahead.forget()  # that session may be the one too many
                raise Refused from error
            what = f"it opened no session in {self._timeout:g} s"
            raise unreachable(self.entry, what) from error

    def _connected(self) -> paramiko.Transport:
        with self._connecting:
            if self._connection is None or not self._connection.is_active():
                before = self._sessions.given_up
                self._connection = self._connect()
                if before != self._sessions.given_up:
                    self._connection.close()
                self._sessions.require_wanted(before)
            return self._connection

    def _where(self) -> Where:
        """Return where the host is, before each connection: as the entry says, or as another transport finds out."""
        return Where(self.entry)

    def _connect(self) -> paramiko.Transport:
        entry, may_need_no_key = self._where()
        if may_need_no_key and (connection := self._connection_without_key(entry)):
            return connection
        connection = pinned_host(entry, self._timeout)
        try:
            log_in(connection, entry, self._environment, self._timeout)
        except BaseException:
            connection.close()
            raise
        connection.set_keepalive(KEEPALIVE)
        return connection

    def _connection_without_key(self, entry: HostEntry) -> paramiko.Transport | None:
        connection = pinned_host(entry, self._timeout)
        if lets_in_without_key(connection, entry, self._timeout):
            connection.set_keepalive(KEEPALIVE)
            return connection
        connection.close()
        return None
