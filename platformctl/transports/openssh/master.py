"""The ssh program that has the connection: start it, wait until it takes sessions, end it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

from platformctl.transports.deadline import Deadline
from platformctl.transports.pipes import GRACE, readable

_WATCH = """\
folder=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
ssh=$!
{ read -r _; kill "$ssh"; } <&3 >/dev/null 2>&1 &
watch=$!
wait "$ssh"
kill "$watch"
exec >&-
read -r _ <&3
rm -rf -- "$folder"
"""
"""Ends ssh when our end of its input closes, also because this process was killed.

Its output ends with ssh, which closes its own once it is logged in. The folder stays until nobody can ask for what is
in it.
"""

_PLAIN = re.compile(r"[A-Za-z0-9/._-]{1,48}\Z")
"""A folder that needs no quotes in a configuration and leaves room in a socket's path, which ends at 104 bytes."""

_ASKING = ("SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY", "WAYLAND_DISPLAY")
"""Variables left out of ssh's environment, so that nobody is asked for a password, here or on the way."""


class Key(NamedTuple):
    """A host key as ssh names it."""

    kind: str
    fingerprint: str


class Master:
    """One run of ssh. `folder` is private to it and is removed with it."""

    def __init__(self) -> None:
        base = tempfile.gettempdir()
        self.folder = Path(tempfile.mkdtemp(prefix="pctl-", dir=base if _PLAIN.match(base) else "/tmp"))  # noqa: S108
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The path of the control socket on which it takes sessions."""
        return self.folder / "master"

    def start(self, configuration: Path, name: str, environment: Mapping[str, str], deadline: Deadline) -> bool:
        """Connect and log in; return whether the master takes sessions before `deadline`."""
        words = ("ssh", "-F", str(configuration), "-N", "-n", "--", name)
        with (self.folder / "said").open("wb") as said:
            process = subprocess.Popen(
                ("/bin/sh", "-c", _WATCH, "platformctl", str(self.folder), *words),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env={key: value for key, value in environment.items() if key not in _ASKING},
                start_new_session=True,
            )
        assert process.stdout is not None, "it is a pipe"  # noqa: S101
        self._process, self._output = process, process.stdout
        return readable(self._output.fileno(), deadline) and self._output.read(1) == b"\n"

    @property
    def is_alive(self) -> bool:
        """Whether ssh still runs. Asked by one thread, while another may close it."""
        with contextlib.suppress(ValueError, OSError):  # no output any more
            return self._output is not None and not readable(self._output.fileno(), Deadline.after(0))
        return False

    def shown(self) -> Key | None:
        """Return the key that the host showed; None if it did not get that far."""
        with contextlib.suppress(OSError):
            kind, _, fingerprint = (self.folder / "shown").read_text().splitlines()[-1].partition(" ")
            return Key(kind, fingerprint)
        return None

    def last_words(self) -> str:
        """Return the last line that ssh, or the one that it ran towards a jump host, printed, in printable ASCII."""
        with contextlib.suppress(OSError):
            lines = (self.folder / "said").read_bytes()[-4096:].split(b"\n")
            words = [line.decode("ascii", "replace").strip() for line in lines if line.strip()]
            return "".join(sign for sign in words[-1] if " " <= sign <= "~")[:200] if words else ""
        return ""

    def close(self) -> None:
        """End ssh, its connection and what it runs on the way; nothing is sent after this. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)
        shutil.rmtree(self.folder, ignore_errors=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    with process:
        assert process.stdin is not None, "it is a pipe"  # noqa: S101
        process.stdin.close()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
