"""Reach a host of the allow-list and know who answered, once for each host of a run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from platformctl import observing
from platformctl.drivers.interface import Driver
from platformctl.model.desired import HostEntry
from platformctl.model.events import HostReached
from platformctl.model.names import HostName
from platformctl.model.observed import Identity
from platformctl.transports.interface import Transport
from platformctl.workflows.parts import Parts


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
            transport = self._stack.enter_context(self._parts.reach(entry))
            now = self._parts.clock.now().timestamp()
            self._reached[entry.name] = Reached(transport, observing.identify(transport, driver, now=now))
            self._parts.tell(HostReached(entry.name))
        return self._reached[entry.name]


@contextmanager
def hosts(parts: Parts) -> Iterator[Hosts]:
    """The hosts of one run; every connection is closed when the block ends."""
    with ExitStack() as stack:
        yield Hosts(parts, stack)
