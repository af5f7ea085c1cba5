"""Commands on a host through an ssh master, started at first use and again after it was lost."""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry
from platformctl.transports.deadline import Deadline
from platformctl.transports.entry import unreachable, unseen
from platformctl.transports.openssh.greeting import pinned_master, scan
from platformctl.transports.openssh.master import Master
from platformctl.transports.openssh.multiplexing import Ended, Gone, Session, Unanswered
from platformctl.transports.output import Kept
from platformctl.transports.pipes import GRACE, HeldByPipes, fits_a_pipe
from platformctl.transports.sessions import Refused, Sessions
from platformctl.transports.words import shell_line

ARRIVING, OPENING = 30.0, 10.0
"""Seconds until the host takes sessions, and at most for opening one, in which no person has a part."""


class OpensshTransport:
    """Runs commands as the entry's user, whose login shell must be a POSIX one.

    Several threads may use it at once. It checks no more of the host than `SshTransport` does.
    """

    def __init__(self, entry: HostEntry, environment: Mapping[str, str], *, timeout: float | None = None) -> None:
        """`timeout` is in seconds, until the host takes sessions; None for the entry's, or else 30.

        It is for the way there and all logins, a touched key included.
        """
        self.entry = entry
        self.exchanges = 0
        self._environment = environment
        self._timeout: float = timeout or entry.timeouts.connect or ARRIVING
        self._opening = min(self._timeout, OPENING)
        self._master: Master | None = None
        self._connecting = threading.Lock()
        self._sessions = Sessions(entry)

    def run(self, command: Command) -> Completed:
        """Do as `SshTransport.run` does.

        A command that a signal ended has the status that its login shell gives it, if any.
        """
        session = self._open(shell_line(command.argv), command)
        try:
            ended = _carried_out(session, command)
        finally:
            session.close()
            self._sessions.leave()
        if ended is None:
            raise unseen(self.entry, command)
        return ended

    def hold(self, command: Command) -> HeldByPipes:
        """Start `command` and keep its input open after `command.stdin`. Raises as `run` does."""
        line, stdin = shell_line(command.argv), fits_a_pipe(command.stdin)
        # Nobody reads the complaints of a held command, and it must not stop for that.
        session = self._open(f"{{ {line}; }} 2>/dev/null", command)

        def finish() -> None:
            session.status(Deadline.after(GRACE))
            session.close()
            self._sessions.leave()

        return HeldByPipes((session.pipes.input, session.pipes.output), stdin, lambda: session.is_over, finish)

    def scan_host_keys(self) -> tuple[tuple[str, str], ...]:
        """Return kind and fingerprint of every key the host shows, for a person to compare; nobody logs in.

        It checks none of them. Raises `Unreachable` when nobody answers.
        """
        return scan(self.entry, self._environment, self._timeout)

    def close(self) -> None:
        """Give up the connection; what runs over it is not waited for. Safe to call twice."""
        self._sessions.give_up()
        with self._connecting:
            if self._master is not None:
                self._master.close()
                self._master = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, line: str, command: Command) -> Session:
        try:
            session = self._sessions.open(lambda: self._session(line), command.timeout)
        except Ended as error:
            raise unseen(self.entry, command) from error
        with self._connecting:
            self.exchanges += 1
        return session

    def _session(self, line: str) -> Session:
        master = self._connected()
        try:
            return Session.open(master.socket, line, Deadline.after(self._opening), master.close)
        except Gone as error:
            master.close()
            raise Refused from error  # the next one asks another master
        except Unanswered as error:
            raise unreachable(self.entry, f"it opened no session in {self._opening:g} s") from error

    def _connected(self) -> Master:
        with self._connecting:
            if self._master is None or not self._master.is_alive:
                if self._master is not None:
                    self._master.close()
                self._master = pinned_master(self.entry, self._environment, self._timeout)
            return self._master


def _carried_out(session: Session, command: Command) -> Completed | None:
    """Run a command's streams and return how it ended; None when its end was not seen.

    If a status came but a process that it left behind keeps the output open, the output counts as truncated.
    """
    deadline = Deadline.after(command.timeout)
    stdout, stderr = Kept(), Kept()
    whole = session.pipes.exchange(command.stdin, stdout, stderr, deadline)
    status = session.status(deadline)
    if status is None:
        return None
    truncated = stdout.truncated or stderr.truncated or not whole
    return Completed(status, stdout.content, stderr.content, truncated)
