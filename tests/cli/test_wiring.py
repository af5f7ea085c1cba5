"""What the process gives to the workflows."""

import subprocess
import sys

ASKED = """
import os, signal, sys, threading
from platformctl.cli import wiring

def stop(waiting=threading.get_ident()):
    while "left" not in sys._current_frames()[waiting].f_locals:
        pass
    os.kill(os.getpid(), signal.SIGTERM)

clock = wiring.SystemClock()
wiring.be_patient()
threading.Thread(target=stop).start()
begun = clock.monotonic()
clock.wait(60)
print(clock.monotonic() - begun < 50)
"""


def said_by(program: str) -> str:
    return subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True).stdout


def test_who_is_asked_to_stop_waits_no_longer() -> None:
    assert said_by(ASKED) == "True\n"


def test_who_was_asked_before_still_waits_between_two_looks() -> None:
    again = "begun = clock.monotonic(); clock.wait(0.2); print(clock.monotonic() - begun >= 0.2)"
    assert said_by(ASKED + again) == "True\nTrue\n"
