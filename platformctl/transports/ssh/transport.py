"""Commands on a host over one SSH connection, made at first use and again after it was lost."""

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import paramiko

from platformctl.errors import OutcomeUnknown
from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry
from platformctl.transports.deadline import Deadline
from platformctl.transports.ssh.errand import carry_out, in_background, let_go
from platformctl.transports.ssh.greeting import pinned_host
from platformctl.transports.ssh.held import SshHeld
from platformctl.transports.ssh.login import log_in
from platformctl.transports.ssh.refusals import LOST, unreachable
from platformctl.transports.words import shell_line

CHANNELS = 8
"""At most so many at once: sshd's MaxSessions is 10 by default, and people log in too."""

PAUSES = (0.05, 0.2, 0.8)
"""Seconds before asking again for a session that was refused: sshd counts one that ended until it tidied up."""

KEEPALIVE = 15
"""Seconds between signs of life, for the sake of firewalls that forget silent connections."""


class SshTransport:
    """Runs commands as the entry's user, whose login shell must be a POSIX one. Several threads may use it at once.

    That the user is not uid 0 under another name, and that machine and engine ids are the pinned ones, is for the
    caller to ask.
    """

    def __init__(self, entry: HostEntry, environment: Mapping[str, str], *, timeout: float = 10.0) -> None:
        """`timeout`: seconds for connecting, for the handshake, for logging in and for opening a channel, each."""
        self.entry = entry
        self.exchanges = 0
        self._environment = environment
        self._timeout = timeout
        self._connection: paramiko.Transport | None = None
        self._connecting = threading.Lock()
        self._slots = threading.BoundedSemaphore(CHANNELS)

    def run(self, command: Command) -> Completed:
        """Run `command`; its timeout begins when it is sent.

        Raises `WrongHost` and `Unreachable` when nothing was sent. Raises `OutcomeUnknown` at the deadline, when the
        connection is lost, and when a signal ended the command: the host may still be at work on what it asked for.
        """
        line = shell_line(command.argv)
        channel = self._open(command)
        try:
            ended = carry_out(channel, line, command.stdin, Deadline.after(command.timeout))
        finally:
            let_go(channel)
            self._slots.release()
        if ended is None:
            raise self._unknown(command)
        return ended

    def hold(self, command: Command) -> SshHeld:
        """Start `command` and keep its input open after `command.stdin`.

        Raises as `run` does; its timeout is for the start alone.
        """
        line = shell_line(command.argv)
        channel = self._open(command)
        held = SshHeld(channel, self._slots.release)
        start = in_background(_start(channel, line, command.stdin))
        start.join(command.timeout)
        if start.is_alive():
            held.release()
            raise self._unknown(command)
        return held

    def close(self) -> None:
        """Give up the connection; what runs over it is not waited for."""
        if self._connection is not None:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, command: Command) -> paramiko.Channel:
        if not self._slots.acquire(timeout=command.timeout):
            raise unreachable(self.entry, f"all {CHANNELS} channels are in use")
        try:
            channel = self._session()
        except LOST as error:
            self._slots.release()
            what = (
                "refused"
                if isinstance(error, paramiko.ChannelException)
                else f"lost, or no answer in {self._timeout:g} s"
            )
            raise unreachable(self.entry, f"it opened no session: {what}") from error
        except BaseException:
            self._slots.release()
            raise
        with self._connecting:
            self.exchanges += 1
        return channel

    def _session(self) -> paramiko.Channel:
        for pause in PAUSES:
            try:
                return self._connected().open_session(timeout=self._timeout)
            except paramiko.ChannelException:
                time.sleep(pause)
        return self._connected().open_session(timeout=self._timeout)

    def _connected(self) -> paramiko.Transport:
        with self._connecting:
            if self._connection is None or not self._connection.is_active():
                self._connection = self._connect()
            return self._connection

    def _connect(self) -> paramiko.Transport:
        connection = pinned_host(self.entry, self._timeout)
        try:
            log_in(connection, self.entry, self._environment, self._timeout)
        except BaseException:
            connection.close()
            raise
        connection.set_keepalive(KEEPALIVE)
        return connection

    def _unknown(self, command: Command) -> OutcomeUnknown:
        return OutcomeUnknown(
            "the end of a command was not seen",
            host=self.entry.name,
            detail=f"{command.argv[0]}: its {command.timeout:g} s passed, the connection was lost or a signal ended it",
        )


def _start(channel: paramiko.Channel, line: str, stdin: bytes) -> Callable[[], None]:
    def start() -> None:
        channel.exec_command(line)
        channel.sendall(stdin)

    return start
