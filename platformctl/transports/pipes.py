"""Pipes to a process: fed and drained in one loop under one deadline, whatever process has the other ends."""

import os
import selectors
from collections.abc import Callable
from typing import IO, NamedTuple

from platformctl.transports.deadline import Deadline
from platformctl.transports.output import Kept

CHUNK = 65536
PIPE = 16384
"""How many bytes a fresh pipe takes at once on every system."""

GRACE = 2.0
"""Seconds given to a process that was told to end."""


class Pipes(NamedTuple):
    """Our ends of a process's three streams."""

    input: IO[bytes]
    output: IO[bytes]
    errors: IO[bytes]

    def exchange(self, stdin: bytes, stdout: Kept, stderr: Kept, deadline: Deadline) -> bool:
        """Feed the input and drain both outputs until they end; return False when the deadline came first."""
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.output, selectors.EVENT_READ, stdout)
            waiting.register(self.errors, selectors.EVENT_READ, stderr)
            unsent = _Unsent(self.input, stdin)
            if unsent.remaining:
                waiting.register(unsent.pipe, selectors.EVENT_WRITE, unsent)
            while any(isinstance(key.data, Kept) for key in waiting.get_map().values()):
                if deadline.passed:
                    return False
                for key, _ in waiting.select(deadline.left):
                    if not (key.data.send() if isinstance(key.data, _Unsent) else _receive(key.fd, key.data)):
                        waiting.unregister(key.fileobj)
        return True

    def close(self) -> None:
        """Close all three. Safe to call twice."""
        for pipe in self:
            pipe.close()


class HeldByPipes:
    """A process that lives until its input ends. `is_over` says whether it is gone, `finish` makes sure it ends."""

    def __init__(
        self,
        pipes: tuple[IO[bytes], IO[bytes]],
        stdin: bytes,
        is_over: Callable[[], bool],
        finish: Callable[[], None],
    ) -> None:
        self._input, self._output = pipes
        self._is_over, self._finish = is_over, finish
        os.set_blocking(self._input.fileno(), False)
        self._write(stdin)

    def answer(self, timeout: float) -> str:
        """Return the first line that the process printed; what follows that line is not read."""
        return first_line(self._output, Deadline.after(timeout))

    def beat(self) -> bool:
        """Feed the process one byte.

        Returns False when it ended, was released, or has not read for so long that its pipe is full.
        """
        return not self._input.closed and not self._is_over() and self._write(b"\n")

    def release(self) -> None:
        """Close the process's input, so that it ends, and make sure that it does. Safe to call twice."""
        if self._input.closed:
            return
        self._input.close()
        self._finish()
        self._output.close()

    def _write(self, data: bytes) -> bool:
        try:
            return os.write(self._input.fileno(), data) == len(data)
        except (BlockingIOError, BrokenPipeError):
            return False


def fits_a_pipe(stdin: bytes) -> bytes:
    """Return the input of a command to hold; raise `ValueError` if a pipe does not take it at once."""
    if len(stdin) > PIPE:
        raise ValueError("a held command is given more input than a pipe holds")
    return stdin


def first_line(output: IO[bytes], deadline: Deadline) -> str:
    """Return the first line that comes, without its newline; "" when the stream or the deadline ends first."""
    said = b""
    while b"\n" not in said and readable(output.fileno(), deadline):
        chunk = os.read(output.fileno(), CHUNK)
        if not chunk:
            return ""
        said += chunk
    line, newline, _ = said.partition(b"\n")
    return line.decode("utf-8", "replace") if newline else ""


def readable(descriptor: int, deadline: Deadline) -> bool:
    """Whether there is something to read, or the end, before `deadline`."""
    with selectors.DefaultSelector() as waiting:  # `select` itself refuses numbers from 1024 on
        waiting.register(descriptor, selectors.EVENT_READ)
        return bool(waiting.select(deadline.left))


class _Unsent:
    """The part of a command's input that its pipe has not taken yet; the pipe is closed after the last byte."""

    def __init__(self, pipe: IO[bytes], content: bytes) -> None:
        self.pipe = pipe
        self.remaining = memoryview(content)
        os.set_blocking(pipe.fileno(), False)
        if not content:
            pipe.close()

    def send(self) -> bool:
        """Write what the pipe takes; return False when nothing is left to write or nobody reads."""
        try:
            self.remaining = self.remaining[os.write(self.pipe.fileno(), self.remaining[:CHUNK]) :]
        except BrokenPipeError:
            return False
        if not self.remaining:
            self.pipe.close()
        return bool(self.remaining)


def _receive(descriptor: int, kept: Kept) -> bool:
    chunk = os.read(descriptor, CHUNK)
    kept.add(chunk)
    return bool(chunk)
