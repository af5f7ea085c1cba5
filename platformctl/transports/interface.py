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
        """Return the first line it printed, without the newline; "" when it printed none within `timeout` seconds."""

    def beat(self) -> bool:
        """Write one byte to its standard input; False when the process or the connection is gone."""

    def release(self) -> None:
        """Close its standard input, so that it ends, and wait for that a few seconds at most. Safe to call twice."""


class Transport(Protocol):
    """One way to run commands on one host. It connects at first use, and several threads may use it at once.

    `exchanges` is the number of commands that were run or held, for benchmarks.
    """

    entry: HostEntry
    exchanges: int

    def run(self, command: Command) -> Completed:
        """Run `command` and return how it ended, whatever its status.

        Raises `Unreachable` or `WrongHost` when nothing was sent, `OutcomeUnknown` when the command was sent and its
        end was not seen within `command.timeout`.
        """

    def hold(self, command: Command) -> Held:
        """Start `command` and return it while it runs; its input stays open behind `command.stdin`.

        Other commands may run meanwhile. Raises as `run` does; `command.timeout` is for the start alone.
        """

    def close(self) -> None:
        """Give up the connection. Safe to call twice."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class ShowsHostKeys(Protocol):
    """A transport whose host proves itself by a key, which can be asked for before it is pinned."""

    def scan_host_keys(self) -> tuple[tuple[str, str], ...]:
        """Return kind and fingerprint of every key that the host offers, for a person to compare; without logging in.

        It checks none of them. Raises `Unreachable` when nobody answers.
        """
