"""The operator's own machine as a host: commands run as children of this process, without a shell."""

import contextlib
import errno
import os
import select
import selectors
import signal
import subprocess
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self

from platformctl.errors import OutcomeUnknown, ToolError, WrongHost
from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry
from platformctl.transports.deadline import Deadline
from platformctl.transports.output import Kept
from platformctl.transports.words import accepted

CHUNK = 65536
PIPE = 16384
"""Bytes that a fresh pipe takes at once on every system."""

GRACE = 2.0
"""Seconds given to a process that was told to end."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""What a shell, and so every other transport, answers where there is no program to run."""

REFUSED_BY_THE_KERNEL = {errno.EACCES, errno.ENOEXEC, errno.E2BIG, errno.EISDIR, errno.ENOTDIR}


class LocalTransport:
    """Runs commands in `/`, in an environment of PATH, HOME and LANG alone. Several threads may use it at once."""

    def __init__(self, entry: HostEntry, environment: Mapping[str, str]) -> None:
        self.entry = entry
        self.exchanges = 0
        self._environment = {
            "PATH": environment.get("PATH", os.defpath),
            "HOME": environment.get("HOME", "/"),
            "LANG": "C.UTF-8",
        }

    def run(self, command: Command) -> Completed:
        """Run `command` as the leader of a process group, which is killed whole when the deadline comes.

        Raises `WrongHost` for uid 0 without `allow_root`, `ToolError` when this machine can start nothing, and
        `OutcomeUnknown` at the deadline.
        """
        try:
            process = self._start(command.argv, errors=subprocess.PIPE)
        except OSError as error:
            return _not_started(command, error)
        try:
            return self._finish(process, command)
        finally:
            _close(process)

    def hold(self, command: Command) -> "LocalHeld":
        """Start `command` in a session of its own: only the end of its input tells it that this process is gone.

        Raises as `run` does before it starts, and `ToolError` when there is no such program.
        """
        if len(command.stdin) > PIPE:
            raise ValueError("a held command is given more input than a pipe holds")
        try:
            process = self._start(command.argv, errors=subprocess.DEVNULL)
        except OSError as error:
            raise _can_not_start(command) from error
        return LocalHeld(process, command.stdin)

    def close(self) -> None:
        """Nothing is kept open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, argv: tuple[str, ...], errors: int) -> subprocess.Popen[bytes]:
        words = accepted(argv)
        self._refuse_root()
        self.exchanges += 1
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=self._environment,
            cwd="/",
            bufsize=0,
            start_new_session=True,
        )

    def _refuse_root(self) -> None:
        if os.geteuid() == 0 and not self.entry.allow_root:
            raise WrongHost(
                "uid 0 is refused",
                detail=f"host {self.entry.name} is this machine, and platformctl runs as root",
                hint="run as a user in the docker group, or set allow_root: true for this host in .platform/hosts.yaml",
                host=self.entry.name,
            )

    def _finish(self, process: subprocess.Popen[bytes], command: Command) -> Completed:
        deadline = Deadline.after(command.timeout)
        stdout, stderr = Kept(), Kept()
        whole = _exchange(process, command.stdin, stdout, stderr, deadline)
        status = _status(process, deadline)
        if status is None:
            raise OutcomeUnknown(
                "the end of a command was not seen",
                host=self.entry.name,
                detail=f"{command.argv[0]}: its {command.timeout:g} s passed, and its processes were killed",
            )
        truncated = stdout.truncated or stderr.truncated or not whole
        return Completed(status, stdout.content, stderr.content, truncated)


class LocalHeld:
    """A child that lives until its input ends."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes) -> None:
        self._process = process
        self._input, self._output = _pipe(process.stdin), _pipe(process.stdout)
        os.set_blocking(self._input.fileno(), False)
        self._write(stdin)

    def answer(self, timeout: float) -> str:
        """Return the first line it printed; what follows that line is not read."""
        deadline, said = Deadline.after(timeout), b""
        while b"\n" not in said and _readable(self._output, deadline):
            chunk = os.read(self._output.fileno(), CHUNK)
            if not chunk:
                return ""
            said += chunk
        line, newline, _ = said.partition(b"\n")
        return line.decode("utf-8", "replace") if newline else ""

    def beat(self) -> bool:
        """Feed it one byte; False when it ended, was released or has not read for as long as fills a pipe."""
        return not self._input.closed and self._process.poll() is None and self._write(b"\n")

    def release(self) -> None:
        """Close its input and wait `GRACE` seconds for its end; then its process group is killed."""
        self._input.close()
        _status(self._process, Deadline.after(GRACE))
        self._output.close()

    def _write(self, data: bytes) -> bool:
        try:
            return os.write(self._input.fileno(), data) == len(data)
        except (BlockingIOError, BrokenPipeError):
            return False


def _exchange(process: subprocess.Popen[bytes], stdin: bytes, stdout: Kept, stderr: Kept, deadline: Deadline) -> bool:
    """Feed and drain until both outputs end; False when the deadline came first."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(_pipe(process.stdout), selectors.EVENT_READ, stdout)
        waiting.register(_pipe(process.stderr), selectors.EVENT_READ, stderr)
        unsent = _Unsent(_pipe(process.stdin), stdin)
        if unsent.remaining:
            waiting.register(unsent.pipe, selectors.EVENT_WRITE, unsent)
        while any(isinstance(key.data, Kept) for key in waiting.get_map().values()):
            if deadline.passed:
                return False
            for key, _ in waiting.select(deadline.left):
                if not (key.data.send() if isinstance(key.data, _Unsent) else _receive(key.fd, key.data)):
                    waiting.unregister(key.fileobj)
    return True


class _Unsent:
    """The part of a command's input that its pipe has not taken yet; the pipe is closed after the last byte."""

    def __init__(self, pipe: IO[bytes], content: bytes) -> None:
        self.pipe = pipe
        self.remaining = memoryview(content)
        os.set_blocking(pipe.fileno(), False)
        if not content:
            pipe.close()

    def send(self) -> bool:
        """Write what the pipe takes; False when nothing is left to write or nobody reads."""
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


def _status(process: subprocess.Popen[bytes], deadline: Deadline) -> int | None:
    """Return the exit status, as a shell would: 128 and the number of the signal that ended it. None: we ended it.

    The group is killed before its leader is reaped, so that its number can not yet belong to somebody else.
    """
    if not deadline.passed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return _as_a_shell_says(process.wait(deadline.left))
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        ended = process.wait(GRACE)
    except subprocess.TimeoutExpired:
        return None
    return None if ended == -signal.SIGKILL else _as_a_shell_says(ended)


def _as_a_shell_says(returncode: int) -> int:
    return returncode if returncode >= 0 else 128 - returncode


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        _pipe(pipe).close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "every stream of a child of ours is a pipe"  # noqa: S101
    return pipe


def _readable(pipe: IO[bytes], deadline: Deadline) -> bool:
    return bool(select.select([pipe], [], [], deadline.left)[0])


def _not_started(command: Command, error: OSError) -> Completed:
    if isinstance(error, FileNotFoundError):
        return Completed(NOT_FOUND, b"", f"{command.argv[0]}: not found\n".encode())
    if error.errno in REFUSED_BY_THE_KERNEL:
        return Completed(NOT_EXECUTABLE, b"", f"{command.argv[0]}: can not be run\n".encode())
    raise _can_not_start(command) from error


def _can_not_start(command: Command) -> ToolError:
    return ToolError(
        "this machine can not start a program",
        detail=command.argv[0],
        hint="see whether it is installed and executable, and whether processes and memory are left",
    )
