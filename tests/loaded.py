"""The program, loaded once in a process of its own and forked for each command.

Most of the processor time of a short command is Python reading the program. A command of a test is spared that: it
runs in a fork of a process that has read everything and done nothing. Arguments, folder, environment, output and exit
status are those of a program that was started. Modules are not imported anew, and the seed of hashes is that of the
first process; so a test of what happens at a start, or of several commands at once, has them started.

    python -m tests.loaded NUMBER     serves the socket of that number until its other end is closed
"""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any

HERE = Path(__file__).resolve().parents[1]
READ_BEFORE = (
    *("platformctl.cli.apply", "platformctl.cli.approve", "platformctl.cli.plan"),
    *("platformctl.render.human", "platformctl.render.json"),
    *("platformctl.drivers.docker_compose", "platformctl.transports.ssh"),
)
"""With all that these import."""
READ_AT_ITS_START = ("LANG", "LC_", "LD_", "PYTHON", "TZ")
"""Variables that Python, or the loader before it, heeds only then."""


class Loaded:
    """The other end of the process that is forked. One command at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = Lock()
        self._started_with = _read_at_its_start(environment)
        with theirs:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "tests.loaded", str(theirs.fileno())),
                cwd=HERE,
                env={**environment},
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def run(
        self, words: tuple[str, ...], folder: Path, environment: Mapping[str, str], patience: float
    ) -> tuple[int, str, str] | None:
        """Exit status, as `subprocess` has it, and both streams. Raises TimeoutError, and the command is killed.

        None for one that has to be started: because of a part of its environment, or as another one is under way.
        """
        if _read_at_its_start(environment) != self._started_with or not self._lock.acquire(blocking=False):
            return None
        asked = json.dumps({"words": words, "folder": str(folder), "environment": dict(environment)}).encode()
        try:
            with TemporaryFile() as output, TemporaryFile() as errors:
                socket.send_fds(self._ours, [asked], [output.fileno(), errors.fileno()])
                status = self._status(int(self._ours.recv(64)), patience)
                return os.waitstatus_to_exitcode(status), _text(output), _text(errors)
        finally:
            self._lock.release()

    def _status(self, pid: int, patience: float) -> int:
        self._ours.settimeout(patience)
        try:
            return int(self._ours.recv(64))
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            self._ours.settimeout(None)
            self._ours.recv(64)
            raise
        finally:
            self._ours.settimeout(None)


def _read_at_its_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_ITS_START)}


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def serve(number: int) -> None:
    """Fork for each command, tell who runs it and how that ended; end when nobody asks any more."""
    for name in READ_BEFORE:
        import_module(name)
    gc.freeze()  # else the first collection in each fork copies all that was read
    with socket.socket(fileno=number) as asked:
        while True:
            message, streams, _, _ = socket.recv_fds(asked, 1 << 20, 2)
            if not message:
                return
            child = os.fork()
            if not child:
                break
            for stream in streams:
                os.close(stream)
            asked.send(b"%d" % child)
            asked.send(b"%d" % os.waitpid(child, 0)[1])
    _become(json.loads(message), streams)


def _become(command: Mapping[str, Any], streams: list[int]) -> None:
    """What a program is given when it is started; what follows is its own `main`."""
    from platformctl.__main__ import main

    os.setsid()
    os.chdir(str(command["folder"]))
    os.environ.clear()
    os.environ.update(command["environment"])
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv = ["platformctl", *command["words"]]
    main()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
