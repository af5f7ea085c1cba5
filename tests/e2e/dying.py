"""The program, which at one chosen call is killed or is refused by its disk.

`python -m tests.e2e.dying WHAT NUMBER FILE WORDS…`: WHAT is `kill` or the name of an error, as ENOSPC. What counts are
the calls by which the store writes below `.platform`, and for `kill` those too that bring something to the network; the
interpreter tells of each before it is made. How many there were is written to FILE at the end; none is struck at 0.
"""

import _socket
import errno
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

WRITING = {"open", "write", "flush", "fsync", "rename", "mkdir", "unlink"}
SENDING = {"connect", "send", "sendall"}
STORE = "platformctl/store/files.py"


class Fate:
    """Counts the calls that matter and strikes at one of them."""

    def __init__(self, what: str, number: int) -> None:
        self.count = 0
        self._what = what
        self._number = number
        self._lock = threading.Lock()

    def __call__(self, frame: FrameType, event: str, called: Any) -> None:
        """What the interpreter tells: a built-in function is about to be called."""
        if event != "c_call" or not self._matters(frame, called):
            return
        with self._lock:
            self.count += 1
            struck = self.count == self._number
        if struck and self._what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif struck:
            number = getattr(errno, self._what)
            raise OSError(number, os.strerror(number))

    def _matters(self, frame: FrameType, called: Any) -> bool:
        name = getattr(called, "__name__", "")
        if frame.f_code.co_filename.endswith(STORE):
            return name in WRITING
        return self._what == "kill" and name in SENDING and isinstance(called.__self__, _socket.socket)


def main() -> None:
    """Run the program under its fate."""
    what, number, file, *words = sys.argv[1:]
    fate = Fate(what, int(number))
    sys.argv = ["platformctl", *words]
    from platformctl.__main__ import run as program

    threading.setprofile(fate)
    sys.setprofile(fate)
    try:
        sys.exit(program())
    finally:
        sys.setprofile(None)
        Path(file).write_text(str(fate.count))


if __name__ == "__main__":
    main()
