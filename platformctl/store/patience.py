"""How long somebody waits for locks: one allowance for all locks that are waited for."""

from collections.abc import Callable
from dataclasses import dataclass

STEP = 1.0
"""Seconds between two tries."""


@dataclass
class Patience:
    """The `seconds` of waiting that are left. `pause` lets some of them pass, and may raise to end the waiting."""

    seconds: float = 0.0
    pause: Callable[[float], None] = lambda _: None

    def lasts(self) -> bool:
        """Let a moment pass and return True; False when no time is left."""
        step = min(STEP, self.seconds)
        if step <= 0:
            return False
        self.seconds -= step
        self.pause(step)
        return True
