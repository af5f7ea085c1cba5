"""The sessions of one connection: no more at once than its host allows, and tried again when the host has none left."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from platformctl.model.desired import HostEntry
from platformctl.transports.deadline import Deadline
from platformctl.transports.entry import unreachable

S = TypeVar("S")

CHANNELS = 8
"""How many sessions there are at once at most: sshd's MaxSessions is 10 by default, and people log in too."""

PAUSES = (0.05, 0.2, 0.8, 1.6)
"""Seconds before asking again for a session that was refused: sshd counts one that ended until it has tidied up."""

FIRST_PAUSE, TRIES = 0.1, 7
"""Seconds before greeting a host again that hung up at once, doubled each time; number of greetings in all.

sshd hangs up when there are more logins than its MaxStartups.
"""


class Refused(Exception):
    """Raised when the host opened no session; nothing was sent."""


class Sessions:
    """The slots for sessions on one host; several threads may ask for one."""

    def __init__(self, entry: HostEntry) -> None:
        self._entry = entry
        self._slots = threading.BoundedSemaphore(CHANNELS)
        self.given_up = 0

    def open(self, ask: Callable[[], S], wait: float) -> S:
        """Return what `ask` opens; it is called again while it raises `Refused`.

        The caller must call `leave` when the session is over. Raises `Unreachable` when no slot is free within `wait`
        seconds, when the host goes on refusing, and when `give_up` was called meanwhile.
        """
        before = self.given_up
        if not self._slots.acquire(timeout=wait):
            raise unreachable(self._entry, f"all {CHANNELS} channels are in use")
        try:
            return self._asked(ask, before)
        except BaseException:
            self._slots.release()
            raise

    def leave(self) -> None:
        """Free the slot of a session that is over."""
        self._slots.release()

    def give_up(self) -> None:
        """Make whoever waits for a session, or connects for one, give up: the connection is closed."""
        self.given_up += 1

    def require_wanted(self, before: int) -> None:
        """Raise `Unreachable` when `give_up` was called since `given_up` was `before`."""
        if self.given_up != before:
            raise unreachable(self._entry, "the connection was given up")

    def _asked(self, ask: Callable[[], S], before: int) -> S:
        for pause in (*PAUSES, None):
            self.require_wanted(before)
            try:
                return ask()
            except Refused as refused:
                if pause is None:
                    what = "it opened no session: refused; an apply needs two at once (MaxSessions of sshd)"
                    raise unreachable(self._entry, what) from refused
                time.sleep(pause)
        raise AssertionError("the last pause is None")


def pauses(deadline: Deadline) -> Iterator[float]:
    """Yield the seconds to wait before each further greeting: `TRIES` greetings in all, none after `deadline`.

    Each is twice the one before and up to half as long again, by chance, so that clients that were dropped together do
    not return together.
    """
    for number in range(TRIES - 1):
        pause = FIRST_PAUSE * 2**number * (1 + random.random() / 2)  # noqa: S311 - no secret
        if pause >= deadline.left:
            return
        yield pause
