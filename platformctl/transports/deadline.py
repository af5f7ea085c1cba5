"""A moment after which nothing is waited for, on the monotonic clock, which nobody sets."""

import time
from typing import Self

from platformctl.model.frozen import dataclass


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock."""

    moment: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Return the moment `seconds` from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds until then; 0 when it has passed."""
        return max(0.0, self.moment - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether the moment has passed, so that nothing may be waited for any more."""
        return self.left == 0.0
