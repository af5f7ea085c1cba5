"""Reach hosts of the allow-list and make sure who answered, once per host in a run."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Self

from platformctl import observing
from platformctl.drivers.interface import Driver
from platformctl.errors import OutcomeUnknown, Refusal, Unreachable
from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry
from platformctl.model.events import HostReached
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, HostName
from platformctl.model.observed import Identity
from platformctl.session import HostLock, HostSession, held, locked
from platformctl.store.lock import hold_locally
from platformctl.store.owner import Owner
from platformctl.store.patience import Patience
from platformctl.transports.interface import Held, Transport
from platformctl.workflows.parts import Parts, moment

_AT_ONCE = 8
"""How many hosts are connected to at the same time.

By default sshd takes at most ten connections that have not logged in yet, and so may a jump host on the way.
"""


DRIVER = "docker-compose"
"""The driver to ask a host by where no module names one: who answers there is asked in the same words by each."""


class Answering:
    """A transport that reports `OutcomeUnknown` as `Unreachable`; only for callers that treat both alike.

    They do: of what is said through it only a step of a plan touches anything, and `applying.run`, which runs those,
    takes every refusal of one for an unknown outcome.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.entry = transport.entry
        self.exchanges = 0

    def run(self, command: Command) -> Completed:
        """Do as `Transport.run` does, but raise `Unreachable` in place of `OutcomeUnknown`."""
        self.exchanges += 1
        try:
            return self._transport.run(command)
        except OutcomeUnknown as lost:
            host = self.entry.name
            hint = f"platformctl doctor {host}"
            raise Unreachable(lost.summary, detail=lost.detail, hint=hint, reason="connect", host=host) from lost

    def hold(self, command: Command) -> Held:
        """Do as `Transport.hold` does."""
        return self._transport.hold(command)

    def close(self) -> None:
        """Do as `Transport.close` does."""
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
    """An open connection to the pinned machine, and what that said of itself."""

    transport: Transport
    identity: Identity


class Hosts:
    """The hosts of one run: each is connected to once, asked who it is, and closed at the end.

    One that can not be reached is not for the rest of the run: as many modules as it has would wait for it in turn. Who
    is to lock it tries again, as the plans before may have taken their time.
    A host that is locked stays so until it is let go of: whoever asks for its lock again gets the same.
    """

    def __init__(self, parts: Parts, stack: ExitStack, why: str, *, at_any_time: bool = False) -> None:
        self._parts = parts
        self._stack = stack
        self._why = why
        self._at_any_time = at_any_time
        self._reached: dict[HostName, Reached] = {}
        self._refused: dict[HostName, Refusal] = {}
        self._begun: dict[HostName, Future[Reached]] = {}
        self._pool = ThreadPoolExecutor(_AT_ONCE, "reach")
        self._locks: dict[HostName, tuple[HostLock, ExitStack]] = {}

    def reach(self, entry: HostEntry, driver: Driver | None = None) -> Reached:
        """The host, connected. Raises `WrongHost` before anything but the question who it is was said.

        Without a `driver` it is asked by `DRIVER`: the caller has no module in mind.
        """
        if entry.name in self._refused:
            raise self._refused[entry.name]
        if entry.name not in self._reached:
            begun = self._begun.pop(entry.name, None)
            try:
                self._reached[entry.name] = begun.result() if begun else self._connect(self._parts.reach(entry), driver)
            except Refusal as refusal:
                self._refused[entry.name] = refusal
                raise
        return self._reached[entry.name]

    def begin(self, entry: HostEntry, driver: Driver | None = None) -> None:
        """Reach a host that will be asked while the caller has other things to do; `reach` raises what goes wrong.

        The first call waits until the transport is imported: what the host has to do is to begin before the rest.
        """
        if any(entry.name in known for known in (self._begun, self._reached, self._refused)):
            return
        try:
            transport = self._parts.reach(entry)
        except Refusal as refusal:
            self._refused[entry.name] = refusal
        else:
            self._begun[entry.name] = self._pool.submit(self._connect, transport, driver)

    def _connect(self, given: Transport, driver: Driver | None) -> Reached:
        transport = self._stack.enter_context(Answering(given))
        now = None if self._at_any_time else self._parts.clock.now().timestamp()
        identity = observing.identify(transport, driver or self._parts.driver_for(DRIVER), now=now)
        self._parts.tell(HostReached(transport.entry.name))
        return Reached(transport, identity)

    def lock(self, entry: HostEntry, driver: Driver, why: str, patience: Patience) -> HostLock:
        """Lock the host: first in this clone, before the network, so that two terminals do not meet there.

        `why` is told to whoever finds it locked, unless the run as a whole has a reason. Raises `Locked` when somebody
        else holds either lock for longer than `patience` lasts.
        """
        kept = self._locks.get(entry.name)
        if kept is not None and kept[0].is_fed:
            return kept[0]
        self.let_go(entry.name)
        self._refused.pop(entry.name, None)
        owner = Owner(self._parts.operator, moment(self._parts.clock.now()), self._why or why)
        with ExitStack() as stack:
            stack.enter_context(hold_locally(self._parts.platform, entry.name, owner, patience))
            transport = self.reach(entry, driver).transport
            lock = stack.enter_context(locked(transport, owner, patience))
            self._locks[entry.name] = lock, stack.pop_all()
        return lock

    def let_go(self, *names: HostName) -> None:
        """Unlock these hosts. Failures are ignored: a lock that is not fed ends by itself."""
        for name in names:
            _, stack = self._locks.pop(name, (None, ExitStack()))
            with suppress(Exception):
                stack.close()

    def close(self) -> None:
        """Unlock all hosts, and do not wait for any that is not reached yet."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.let_go(*self.under_lock)

    @property
    def under_lock(self) -> frozenset[HostName]:
        """The hosts whose locks are kept."""
        return frozenset(tuple(self._locks))


def holding(parts: Parts, transport: Transport, subject: Digest, why: str) -> AbstractContextManager[HostSession]:
    """Hold the host under our lock while the block runs; `subject` names the journal, mostly a plan's digest.

    Raises `Locked` when somebody else has it.
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
        patience=Patience(),
    )


@contextmanager
def hosts(parts: Parts, why: str = "", *, at_any_time: bool = False) -> Iterator[Hosts]:
    """Yield the hosts of one run; every connection is closed when the block ends.

    Several threads may reach one host each. `why` is the reason of a lock that serves several plans; `at_any_time` is
    for who judges nothing by a host's clock. Failures to close are ignored: what became of each host was known before.
    """
    stack = ExitStack()
    reached = Hosts(parts, stack, why, at_any_time=at_any_time)
    try:
        yield reached
    finally:
        reached.close()
        with suppress(Exception):
            stack.close()
