"""A process on the host that lives as long as its input stays open: the lock's holder."""

from collections.abc import Callable

import paramiko

from platformctl.transports.deadline import Deadline
from platformctl.transports.ssh.connection import speaking_on
from platformctl.transports.ssh.errand import CHUNK, News, in_background, let_go
from platformctl.transports.ssh.refusals import LOST

GRACE = 2.0
"""Seconds given to the process to end after its input ended."""


class SshHeld:
    """A command whose channel is left open. It may be used while other commands run on the same connection."""

    def __init__(self, channel: paramiko.Channel, leave: Callable[[], None]) -> None:
        self._channel = channel
        self._leave = leave
        self._released = False
        channel.settimeout(GRACE)

    def answer(self, timeout: float) -> str:
        """Return the first line that the command printed; what follows that line is not read."""
        news, deadline, said = News(self._channel), Deadline.after(timeout), b""
        while b"\n" not in said and news.came_before(deadline):
            over = self._channel.eof_received or self._channel.closed
            while self._channel.recv_ready():
                said += self._channel.recv(CHUNK)
            if over:
                break
        line, newline, _ = said.partition(b"\n")
        return line.decode("utf-8", "replace") if newline else ""

    def beat(self) -> bool:
        """Feed the command one byte; return False when it ended, was released or its connection is known to be lost.

        True means that the byte is on its way, not that it arrived: the host's own clock decides about the lock.
        """
        try:
            with speaking_on(self._channel):
                return self._channel.send(b"\n") == 1 and self._is_alive()
        except LOST:
            return False

    def release(self) -> None:
        """Close the command's input, wait up to `GRACE` seconds for its end, and close the channel."""
        if self._released:
            return
        self._released = True
        in_background(self._end_input)
        self._channel.status_event.wait(GRACE)
        let_go(self._channel)
        self._leave()

    def _end_input(self) -> None:
        with speaking_on(self._channel):
            self._channel.shutdown_write()

    def _is_alive(self) -> bool:
        return self._channel.get_transport().is_active() and not self._channel.exit_status_ready()
