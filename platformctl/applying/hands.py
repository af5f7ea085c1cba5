"""What applying needs of a host that is held under our lock; `platformctl.session` is the real implementation."""

from collections.abc import Sequence
from typing import Protocol

from platformctl.model.command import Command, Completed
from platformctl.model.frozen import dataclass
from platformctl.model.plan import Operation


@dataclass(frozen=True)
class Done:
    """An operation that ended: its exit status, and its last words, not yet redacted."""

    status: int
    words: str


class Hands(Protocol):
    """A host under our lock. Mutations run only while the lock's token is still ours."""

    @property
    def untouched(self) -> bool:
        """Whether it is certain that no operation began since the lock was taken."""

    def ask(self, command: Command) -> Completed:
        """Run a command that changes nothing."""

    def perform(
        self, event: str, step: str, operations: Sequence[Operation], look: Command | None = None
    ) -> tuple[Sequence[Done], Completed | None]:
        """Journal the intent of a step, here and on the host, then run its operations as far as each ends with 0.

        `look` is asked in the same exchange, if all of them ended with 0. Raises `OutcomeUnknown` when the end of one
        was not seen, and a `Refusal` when none of these began.
        """

    def note(self, event: str, **details: str) -> None:
        """Journal what came of a step: here at once, on the host ahead of what is said to it next."""
