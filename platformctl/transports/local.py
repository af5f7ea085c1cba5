"""The operator's own machine as a host: commands run as children of this process, without a shell."""

import contextlib
import errno
import os
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
from platformctl.transports.pipes import GRACE, HeldByPipes, Pipes, fits_a_pipe
from platformctl.transports.words import accepted

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""The statuses if there is no such program, or it can not be run: those of a shell, and so of other transports."""

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
        """Run `command` as the leader of a process group, all of which is killed at the deadline.

        Raises `WrongHost` for uid 0 without `allow_root`, `ToolError` when this machine can start nothing, and
        `OutcomeUnknown` at the deadline.
        """
        try:
            process = self._start(command.argv, errors=subprocess.PIPE)
        except OSError as error:
            return _not_started(command, error)
        pipes = _pipes(process)
        try:
            return self._finish(process, pipes, command)
        finally:
            pipes.close()

    def hold(self, command: Command) -> HeldByPipes:
        """Start `command` in a session of its own: only the end of its input tells it that this process is gone.

        Raises as `run` does before it starts, and `ToolError` when there is no such program.
        """
        stdin = fits_a_pipe(command.stdin)
        try:
            process = self._start(command.argv, errors=subprocess.DEVNULL)
        except OSError as error:
            raise _can_not_start(command) from error
        return _held(process, stdin)

    def close(self) -> None:
        """Do nothing: no connection is kept open."""

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

    def _finish(self, process: subprocess.Popen[bytes], pipes: Pipes, command: Command) -> Completed:
        deadline = Deadline.after(command.timeout)
        stdout, stderr = Kept(), Kept()
        whole = pipes.exchange(command.stdin, stdout, stderr, deadline)
        status = _status(process, deadline)
        if status is None:
            raise OutcomeUnknown(
                "the end of a command was not seen",
                host=self.entry.name,
                detail=f"{command.argv[0]}: its {command.timeout:g} s passed, and its processes were killed",
            )
        truncated = stdout.truncated or stderr.truncated or not whole
        return Completed(status, stdout.content, stderr.content, truncated)


def _held(process: subprocess.Popen[bytes], stdin: bytes) -> HeldByPipes:
    """Return a child that lives until its input ends; if it lives `GRACE` seconds longer, its group is killed."""

    def finish() -> None:
        _status(process, Deadline.after(GRACE))

    return HeldByPipes((_pipe(process.stdin), _pipe(process.stdout)), stdin, lambda: process.poll() is not None, finish)


def _status(process: subprocess.Popen[bytes], deadline: Deadline) -> int | None:
    """Return the exit status as a shell says it: 128 and the signal's number if one ended it. None if we ended it.

    The group is killed before its leader is reaped, so that its number can not belong to somebody else yet.
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


def _pipes(process: subprocess.Popen[bytes]) -> Pipes:
    return Pipes(_pipe(process.stdin), _pipe(process.stdout), _pipe(process.stderr))


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "every stream of a child of ours is a pipe"  # noqa: S101
    return pipe


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
