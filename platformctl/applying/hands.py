"""What applying needs of a host that is held under our lock; `platformctl.session` is the one that is real."""

from dataclasses import dataclass
from typing import Protocol

from platformctl.model.command import Command, Completed
from platformctl.model.plan import Operation


@dataclass(frozen=True)
class Done:
    """An operation that ended: its exit status, and its last words, not yet redacted."""

    status: int
    words: str


class Hands(Protocol):
    """A host under our lock. Mutations run only while the lock's token is still ours."""

    def ask(self, command: Command) -> Completed:
        """Run a command that changes nothing."""

    def perform(self, operation: Operation) -> Done:
        """Run one operation and return how it ended. Raises `OutcomeUnknown` when its end was not seen."""

    def note(self, event: str, **details: str) -> None:
        """Write a line to the journal, here and on the host, before going on."""
