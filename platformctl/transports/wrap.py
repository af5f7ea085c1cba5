"""Transports around a transport: behaviour is added by wrapping, so that no transport grows options."""

from types import TracebackType
from typing import Self

from platformctl.model.command import Command, Completed
from platformctl.model.frozen import dataclass
from platformctl.transports.interface import Held, Transport


@dataclass(frozen=True)
class Recorded:
    """A command that was handed on, by its words alone: what it was fed may be secret and is not kept.

    `ended` is None while it runs, when it is held, and when its outcome is unknown or it was refused.
    """

    argv: tuple[str, ...]
    ended: Completed | None = None


class RecordingTransport:
    """Hands everything on to another transport and remembers what was asked, in order."""

    def __init__(self, inner: Transport) -> None:
        self.entry = inner.entry
        self.exchanges = inner.exchanges
        self.log: list[Recorded] = []
        self._inner = inner

    def run(self, command: Command) -> Completed:
        """As the inner transport; recorded before the command is handed on, and again when it ended."""
        position = self._record(command)
        try:
            ended = self._inner.run(command)
        finally:
            self.exchanges = self._inner.exchanges
        self.log[position] = Recorded(command.argv, ended)
        return ended

    def hold(self, command: Command) -> Held:
        """As the inner transport."""
        self._record(command)
        try:
            return self._inner.hold(command)
        finally:
            self.exchanges = self._inner.exchanges

    def close(self) -> None:
        """As the inner transport; the log stays."""
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _record(self, command: Command) -> int:
        self.log.append(Recorded(command.argv))
        return len(self.log) - 1
