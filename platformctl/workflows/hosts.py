"""Reach a host of the allow-list and know who answered, once for each host of a run."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from platformctl import observing
from platformctl.drivers.interface import Driver
from platformctl.errors import OutcomeUnknown, Unreachable
from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry
from platformctl.model.events import HostReached
from platformctl.model.names import Digest, HostName
from platformctl.model.observed import Identity
from platformctl.session import HostSession, held
from platformctl.store.owner import Owner
from platformctl.store.patience import Patience
from platformctl.transports.interface import Held, Transport
from platformctl.workflows.parts import Parts, moment


class Answering:
    """A transport whose unseen ends are a host that can not be asked.

    Of what is said through it only a step of a plan can change anything, and who runs those takes every refusal for an
    outcome that nobody knows (`applying.run`); everywhere else nothing was touched.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.entry = transport.entry
        self.exchanges = 0

    def run(self, command: Command) -> Completed:
        """As `Transport.run`; raises `Unreachable` where that raises `OutcomeUnknown`."""
        self.exchanges += 1
        try:
            return self._transport.run(command)
        except OutcomeUnknown as lost:
            host = self.entry.name
            hint = f"platformctl doctor {host}"
            raise Unreachable(lost.summary, detail=lost.detail, hint=hint, reason="connect", host=host) from lost

    def hold(self, command: Command) -> Held:
        """As `Transport.hold`."""
        return self._transport.hold(command)

    def close(self) -> None:
        """As `Transport.close`."""
        self._transport.close()

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.__exit__(kind, error, trace)


@dataclass(frozen=True)
class Reached:
    """An open way to the pinned machine, and what it said of itself."""

    transport: Transport
    identity: Identity


class Hosts:
    """The hosts of one run: each is connected to once, asked who it is, and closed at the end."""

    def __init__(self, parts: Parts, stack: ExitStack) -> None:
        self._parts = parts
        self._stack = stack
        self._reached: dict[HostName, Reached] = {}

    def reach(self, entry: HostEntry, driver: Driver) -> Reached:
        """The host, connected. Raises `WrongHost` before anything but the question who it is was said."""
        if entry.name not in self._reached:
            transport = self._stack.enter_context(Answering(self._parts.reach(entry)))
            now = self._parts.clock.now().timestamp()
            self._reached[entry.name] = Reached(transport, observing.identify(transport, driver, now=now))
            self._parts.tell(HostReached(entry.name))
        return self._reached[entry.name]


def holding(
    parts: Parts, transport: Transport, subject: Digest, why: str, patience: Patience | None = None
) -> AbstractContextManager[HostSession]:
    """The host under our lock while the block runs; `subject` is what the journal goes by, a plan's digest mostly.

    Raises `Locked` when somebody else has it for longer than `patience` lasts.
    """

    def now() -> str:
        return moment(parts.clock.now())

    owner = Owner(parts.operator, now(), why)
    return held(
        transport,
        subject,
        owner=owner,
        journals=parts.journals,
        now=now,
        patience=patience or Patience(),
    )


@contextmanager
def hosts(parts: Parts) -> Iterator[Hosts]:
    """The hosts of one run; every connection is closed when the block ends, several threads may reach one host each.

    What goes wrong with closing is nobody's outcome: whatever became of a host was known before.
    """
    stack = ExitStack()
    try:
        yield Hosts(parts, stack)
    finally:
        with suppress(Exception):
            stack.close()
