"""One command on one channel, fed and drained under one deadline that nothing in paramiko can outlast.

paramiko waits without a limit for the answer to an exec, for room to write and for an exit status. So whatever may wait
runs in a thread of its own, and the caller only looks at what it can leave at any moment.
"""

import contextlib
import threading
from collections.abc import Callable
from typing import NamedTuple

import paramiko

from platformctl.model.command import Completed
from platformctl.transports.deadline import Deadline
from platformctl.transports.output import Kept
from platformctl.transports.ssh.connection import speaking_on

CHUNK = 65536
GRACE = 1.0
"""Seconds given to closing a channel, which a dead connection may never answer."""


_LISTEN = 'IFS= read -r size && line=$(head -c "$size") && eval "$line"'
"""Makes a login shell read its line from its input; what follows that line there is the command's own."""


class Session(NamedTuple):
    """A channel for one command. Where it `listens`, a shell was started there ahead and waits to be told its line.

    OpenSSH takes no input before a command was asked for, which costs a round trip; one that listens takes the command
    and its input at once.
    """

    channel: paramiko.Channel
    listens: bool = False

    def listen(self) -> None:
        """Have a shell wait there for the line."""
        with speaking_on(self.channel) as connection:
            connection.begin(self.channel, _LISTEN)

    def begin(self, line: str, stdin: bytes) -> None:
        """Send a command and its input; more input may follow.

        A line that is cut off lacks its brace: no shell runs any of it.
        """
        with speaking_on(self.channel) as connection:
            if self.listens:
                told = f"{{ {line}\n}}".encode()
                self.channel.sendall(b"%d\n%b%b" % (len(told), told, stdin))
            else:
                connection.begin(self.channel, line)
                self.channel.sendall(stdin)


class News(threading.Event):
    """An event that paramiko sets whenever either output of a channel has bytes or ends.

    `Channel.fileno` is for the same purpose, but can lose a wake-up: there, reading one output until it is empty clears
    the sign that the other has just set.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        super().__init__()
        channel.in_buffer.set_event(self)
        channel.in_stderr_buffer.set_event(self)

    def clear(self) -> None:
        """Do nothing when paramiko calls this, as it knows of one output only."""

    def came_before(self, deadline: Deadline) -> bool:
        """Wait for something new until `deadline`, and return whether it came.

        The next call waits for what comes after this one's return.
        """
        came = self.wait(deadline.left)
        super().clear()
        return came


def carry_out(session: Session, line: str, stdin: bytes, deadline: Deadline) -> Completed | None:
    """Run `line` and return how it ended; None when its end was not seen.

    The end is an exit status. A command ended by a signal has none (RFC 4254, 6.10), nor has one whose connection was
    lost. If a status came but a process that it left behind keeps the output open, the output counts as truncated.
    """
    channel = session.channel
    in_background(lambda: _feed(session, line, stdin))
    stdout, stderr = Kept(), Kept()
    whole = _drain(channel, stdout, stderr, deadline)
    channel.status_event.wait(deadline.left)
    if channel.exit_status < 0:
        return None
    truncated = stdout.truncated or stderr.truncated or not whole
    return Completed(channel.exit_status, stdout.content, stderr.content, truncated)


def in_background(work: Callable[[], None]) -> threading.Thread:
    """Start `work` in a thread that may wait for ever.

    Its exceptions are dropped: how it failed shows in the state of its channel.
    """

    def quietly() -> None:
        with contextlib.suppress(Exception):
            work()

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    return thread


def let_go(channel: paramiko.Channel) -> None:
    """Close `channel`. If its end was not seen and it can not be closed within `GRACE`, give up its connection.

    Closing that is slow after an end that was seen says only that this machine is busy: others may go on using the
    connection.
    """
    goodbye = in_background(channel.close)
    goodbye.join(GRACE)
    if goodbye.is_alive() and not channel.exit_status_ready():
        channel.get_transport().close()


def _feed(session: Session, line: str, stdin: bytes) -> None:
    session.begin(line, stdin)
    with speaking_on(session.channel):
        session.channel.shutdown_write()


def _drain(channel: paramiko.Channel, stdout: Kept, stderr: Kept, deadline: Deadline) -> bool:
    """Keep the head of both outputs until they end; return False when the deadline came first."""
    news = News(channel)
    while news.came_before(deadline):
        over = channel.eof_received or channel.closed  # asked first, so that all that came before the end is read
        while channel.recv_ready() and not deadline.passed:
            stdout.add(channel.recv(CHUNK))
        while channel.recv_stderr_ready() and not deadline.passed:
            stderr.add(channel.recv_stderr(CHUNK))
        if over:
            return not deadline.passed
    return False
