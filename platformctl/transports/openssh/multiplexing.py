"""One session asked of an ssh master over its control socket, as OpenSSH's PROTOCOL.mux describes it.

The ssh program as a client of its own master would end with 255 for a command that did, for a session that was refused
and for a connection that was lost. Here each has a message of its own: refused means that nothing was sent, an exit
status is the command's, and if the socket ends without one, nobody saw the command's end.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Self

from platformctl.transports.deadline import Deadline
from platformctl.transports.pipes import GRACE, Pipes, readable
from platformctl.transports.sessions import Refused

HELLO, VERSION = 0x00000001, 4
NEW_SESSION = 0x10000002
DENIED, FAILURE, EXIT, OPENED = 0x80000002, 0x80000003, 0x80000004, 0x80000006
NO_ESCAPE = 0xFFFFFFFF
LARGEST = 256 * 1024
"""How many bytes the greatest message that is believed has; a longer one is no message of a master's."""


class Gone(Exception):
    """Raised when there is no master any more, or none that speaks as it should; nothing was asked of it."""


class Unanswered(Exception):
    """Raised when the host opened no session in time; the master was ended before it could send anything."""


class Ended(Exception):
    """Raised when the master ended after it was asked and before it answered.

    Whether it sent the command is not known.
    """


class _Late(Exception):
    """Raised when nothing came before the deadline."""


class Session:
    """A command that a master was asked to run; its streams are `pipes`."""

    def __init__(self, control: socket.socket, pipes: Pipes) -> None:
        self._control = control
        self._heard = b""
        self.pipes = pipes

    @classmethod
    def open(cls, master: Path, line: str, deadline: Deadline, give_up: Callable[[], None]) -> Self:
        """Have `line` run by the user's login shell.

        Raises `Refused` when the host opens no session, and `Gone`, `Unanswered` or `Ended`. `give_up` must end the
        master: it may still be waiting for the host, and would send the command if that answers late.
        """
        control, theirs = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), list[int]()
        session = cls(control, _pipes(theirs))
        try:
            session._greet(master, deadline)
            session._ask(line, theirs, deadline, give_up)
        except BaseException:
            session.close()
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return session

    def status(self, deadline: Deadline) -> int | None:
        """Return the command's exit status; None when the connection was lost or `deadline` came first."""
        with contextlib.suppress(_Late, EOFError, OSError):
            while True:
                kind, rest = self._message(deadline)
                if kind == EXIT:
                    return _number(rest, 4)
        return None

    @property
    def is_over(self) -> bool:
        """Whether the master has something to say: the command's end, or its own."""
        return readable(self._control.fileno(), Deadline.after(0))

    def close(self) -> None:
        """Let go of the command; the host is told that nobody listens. Safe to call twice."""
        self._control.close()
        self.pipes.close()

    def _greet(self, master: Path, deadline: Deadline) -> None:
        try:
            self._control.settimeout(deadline.left)
            self._control.connect(str(master))
            self._say(struct.pack(">II", HELLO, VERSION))
            if self._message(deadline) != (HELLO, struct.pack(">I", VERSION)):
                raise Gone
        except (_Late, EOFError, OSError) as error:
            raise Gone from error

    def _ask(self, line: str, streams: list[int], deadline: Deadline, give_up: Callable[[], None]) -> None:
        # request, reserved, tty, X11, agent, subsystem, escape, terminal, command
        request = struct.pack(">IIIIIIIII", NEW_SESSION, 0, 0, 0, 0, 0, 0, NO_ESCAPE, 0) + _counted(line.encode())
        try:
            self._say(request)
            for stream in streams:
                socket.send_fds(self._control, [b"\0"], [stream])
            kind = self._answer(deadline, give_up)
        except (EOFError, OSError) as error:
            raise Ended from error
        if kind in (DENIED, FAILURE):
            raise Refused
        if kind != OPENED:
            raise Ended

    def _answer(self, deadline: Deadline, give_up: Callable[[], None]) -> int:
        with contextlib.suppress(_Late):
            return self._message(deadline)[0]
        give_up()
        try:
            return self._message(Deadline.after(GRACE))[0]
        except (_Late, EOFError, OSError) as error:
            raise Unanswered from error

    def _say(self, message: bytes) -> None:
        self._control.sendall(_counted(message))

    def _message(self, deadline: Deadline) -> tuple[int, bytes]:
        length = _number(self._bytes(4, deadline), 0)
        if not 4 <= length <= LARGEST:
            raise EOFError
        message = self._bytes(length, deadline)
        return _number(message, 0), message[4:]

    def _bytes(self, count: int, deadline: Deadline) -> bytes:
        while len(self._heard) < count:
            if not readable(self._control.fileno(), deadline):
                raise _Late
            chunk = self._control.recv(4096)
            if not chunk:
                raise EOFError
            self._heard += chunk
        taken, self._heard = self._heard[:count], self._heard[count:]
        return taken


def _pipes(theirs: list[int]) -> Pipes:
    """Return our ends of three pipes; the ends that a master is given are put into `theirs`."""
    (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = os.pipe(), os.pipe(), os.pipe()
    theirs += [stdin, stdout, stderr]
    return Pipes(
        os.fdopen(to_stdin, "wb", buffering=0),
        os.fdopen(from_stdout, "rb", buffering=0),
        os.fdopen(from_stderr, "rb", buffering=0),
    )


def _counted(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _number(message: bytes, offset: int) -> int:
    if len(message) < offset + 4:
        raise EOFError
    (number,) = struct.unpack_from(">I", message, offset)
    return int(number)
