"""Socket 2: the hands. A transport says words to one host and returns what came back; it decides nothing.

Every transport passes tests/contracts/test_transports.py.
"""

from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry


class Held(Protocol):
    """A process on the host that lives only while it is fed: the lock's holder."""

    def answer(self, timeout: float) -> str:
        """Return the first line it printed, without the newline; "" when it ended or said nothing within `timeout`."""

    def beat(self) -> bool:
        """Feed it one byte; False when it or the way to it is gone."""

    def release(self) -> None:
        """Close its input, so that it ends, and wait for its end a moment. Safe to call twice."""


class Transport(Protocol):
    """One way to run commands on one host. Connects at first use; not for use by several threads unless it says so.

    `exchanges` counts requests that waited for the host, for benchmarks.
    """

    entry: HostEntry
    exchanges: int

    def run(self, command: Command) -> Completed:
        """Run `command` and return how it ended, whatever its status.

        Raises `Unreachable` or `WrongHost` when nothing was sent, `OutcomeUnknown` when the command was sent and its
        end was not seen within `command.timeout`.
        """

    def hold(self, command: Command) -> Held:
        """Start `command` and leave it running until it is released. Other commands may run meanwhile."""

    def close(self) -> None:
        """Give up the connection. Safe to call twice."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class ShowsHostKeys(Protocol):
    """What a transport can do besides whose host has keys to pin."""

    def scan_host_keys(self) -> tuple[tuple[str, str], ...]:
        """Return kind and fingerprint of every key the host shows, for a person to compare; nobody logs in.

        It checks none of them. Raises `Unreachable` when nobody answers.
        """
