"""The time as applying sees it; the real clock is made in `cli`."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from and how one waits, so that a test need not wait."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC: for records, never for measuring."""

    def monotonic(self) -> float:
        """Return seconds since some moment, on a clock that nobody sets: for deadlines."""

    def wait(self, seconds: float) -> None:
        """Return when `seconds` have passed, or earlier where somebody asks to stop meanwhile."""
