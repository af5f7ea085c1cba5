"""A transport whose host is only asked: nothing is held there, and nothing is open."""

from typing import Self

from platformctl.model.command import Command
from platformctl.transports.interface import Held


class Asked:
    """What such a transport has beside `run`, which a test gives it."""

    def hold(self, command: Command) -> Held:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""
