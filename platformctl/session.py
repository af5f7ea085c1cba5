"""One host under our lock: the store's scripts, run by a transport. These are the hands of `applying`.

Every mutation goes through `perform`, guarded by the lock's token in the same remote command; every step of ours is in
the journal, here and on the host, before it is done.
"""

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from platformctl.applying.hands import Done
from platformctl.errors import Locked, OutcomeUnknown, Refusal, StalePlan, ToolError
from platformctl.model.command import Command, Completed
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest
from platformctl.model.plan import Operation, Place, Remove, Run
from platformctl.store import host_files, host_lock, host_records
from platformctl.store.batch import run_together
from platformctl.store.host import HostLayout, read_answer
from platformctl.store.host_lock import Busy, Fenced, Lost, Ran, TimedOut
from platformctl.store.journal import Journals, Kind, Record, line_after
from platformctl.store.owner import Owner
from platformctl.store.patience import Patience
from platformctl.transports.interface import Held, Transport

HEARTBEAT = 5.0
"""Seconds between two bytes to the lock's holder; four of them fit into its lease."""


@dataclass(frozen=True)
class _Guard:
    """What a person calls an operation, and the command that runs it under our lock; `nonce` tells its marks."""

    name: str
    nonce: str
    command: Command


@dataclass(frozen=True)
class HostLock:
    """A host whose lock we hold, `token` is its number. Made by `locked`; good until its block ends."""

    transport: Transport
    token: int
    heart: threading.Thread

    @property
    def is_fed(self) -> bool:
        """Whether the last byte could be sent to its holder. Whether the lock is still ours, only the host can tell."""
        return self.heart.is_alive()


class HostSession:
    """The apply of one plan on a host whose lock we hold; good as long as the lock.

    `now` is asked for the time of each journal line, and `spoken` for the argv of an operation (`Driver.spoken`).
    `untouched` says that certainly no operation has begun.
    """

    def __init__(
        self,
        lock: HostLock,
        plan: Digest,
        journals: Journals,
        now: Callable[[], str],
        spoken: Callable[[Run], tuple[str, ...]] = lambda run: run.argv,
    ) -> None:
        self._transport = lock.transport
        self._layout = HostLayout(lock.transport.entry.root)
        self._host = lock.transport.entry.name
        self.token = lock.token
        self._plan = plan
        self._journals = journals
        self._now = now
        self._spoken = spoken
        self._tail = b""
        self._ahead: tuple[Command, ...] = ()
        self.untouched = True

    def ask(self, command: Command) -> Completed:
        """Run one command, as `say` does."""
        return self.say(command)[0]

    def say(self, *commands: Command) -> tuple[Completed, ...]:
        """Run commands in one exchange, one after the other, and return how each ended, up to the first that failed.

        Lines for the host's journal that `note` left go ahead; raises what `read_answer` raises when these fail, and
        what the transport raises.
        """
        ahead, self._ahead = self._ahead, ()
        ended = self._together((*ahead, *commands))
        for completed in ended[: len(ahead)]:
            read_answer(completed, self._host)
        return ended[len(ahead) :]

    def write(self, command: Command) -> None:
        """Run one of the store's scripts; raises what `read_answer` raises, so when the disk did not confirm it.

        It is sent as a command that `mutates`, so that it does not arrive late. What `consume`, `settle` and
        `note` write may (ADR 0037).
        """
        read_answer(self.ask(replace(command, mutates=True)), self._host)

    def consume(self, then: Iterable[Command], **details: str) -> tuple[Completed, ...]:
        """Write the intent, here and then on the host, and run `then` behind it: from here on the plan is used.

        All in one exchange, and nothing of `then` begins before the host's disk has the intent. Returns how each of
        `then` ended, up to the first that failed. Raises `Locked` when
        the lock is no longer ours, `StalePlan` when the plan was used before, and `ToolError` when a disk did not
        confirm it.
        """
        try:
            still = host_lock.still_held(self._layout, self.token)
            answers = self._together((still, self._line("intent", details), *then))
            for answer in answers[:2]:
                read_answer(answer, self._host)
        except (Locked, StalePlan):
            raise
        except Refusal as refusal:
            raise ToolError(
                "the intent could not be written down",
                detail=f"{refusal.summary}: {refusal.detail}",
                hint="platformctl recover, then plan again",
                host=self._host,
            ) from refusal
        return answers[2:]

    def perform(
        self, event: str, step: str, operations: Sequence[Operation], look: Command | None = None
    ) -> tuple[tuple[Done, ...], Completed | None]:
        """Write the intent of a step to both journals, then run its operations as far as each ends with status 0.

        Returns how each operation ended, up to the first that failed, and the answer to `look`, which is asked behind
        them in the same exchange where all ended with 0. Each operation runs only while the lock is ours.

        Raises `OutcomeUnknown` when the end of an operation was not seen, `Locked` when the lock was lost before the
        first of all began, and what `read_answer` raises when a journal was not written.
        """
        intent = self._line(event, {"step": step, "operations": str(len(operations))})
        guards = [self._guarded(operation) for operation in operations]
        ahead, self._ahead = (*self._ahead, intent), ()
        before, self.untouched = self.untouched, False
        behind = () if look is None else (look,)
        ended = self._together((*ahead, *(guard.command for guard in guards), *behind))
        written, ended, seen = _parted(ended, len(ahead), len(guards))
        self.untouched = before and not _began(guards, ended)
        for completed in written:
            read_answer(completed, self._host)
        done = tuple(self._done(guard, completed) for guard, completed in zip(guards, ended, strict=False))
        return done, seen[0] if seen else None

    def note(self, event: str, **details: str) -> None:
        """Write one line to this clone's journal now, and to the host's together with whatever is said to it next.

        For outcomes alone: where the host is never told, `recover` finds out by looking.
        """
        self._ahead = (*self._ahead, self._line(event, details))

    def continue_after(self, journal: bytes) -> None:
        """Write later lines behind those of `journal`, the host's journal as another process left it."""
        self._tail = journal

    def settle(self, outcome: str, first: Iterable[Command] = (), then: Iterable[Command] = ()) -> None:
        """Write to both journals how it ended and move the host's to the settled ones; the plan stays used.

        All in one exchange: `first` runs before, and `then` after. Raises what `read_answer`
        raises when any of it was not done.
        """
        record = Record(Kind.SETTLED, "", self._now(), {"event": "settled", "outcome": outcome})
        end = (self._host_line(record), host_records.settle_journal(self._layout, self._plan))
        for completed in self.say(*first, *end, *then):
            read_answer(completed, self._host)
        self._journals.append(self._plan, record)

    def put_away(self, outcome: str) -> None:
        """As `settle`, for a journal of the host without a record, which nothing can be written behind."""
        self.write(host_records.settle_journal(self._layout, self._plan))
        record = Record(Kind.SETTLED, "", self._now(), {"event": "settled", "outcome": outcome})
        self._journals.append(self._plan, record)

    def stage(self, contents: Iterable[bytes]) -> None:
        """Bring bytes to the host's store by digest; nothing is touched."""
        self.write(host_files.stage(self._layout, contents))

    def _together(self, commands: Sequence[Command]) -> tuple[Completed, ...]:
        return run_together(self._transport.run, commands, self._host)

    def _line(self, event: str, details: Mapping[str, str]) -> Command:
        """Write a line to this clone's journal, durably, and return the command that writes it to the host's.

        Each journal is a chain of its own: this clone's may have lines of an attempt that the host never heard of, and
        another clone's has none of those that it continues there.
        """
        kind = Kind.INTENT if event in ("intent", "do", "undo") else Kind.OUTCOME
        rest = {name: value for name, value in details.items() if name != "step"}
        record = Record(kind, details.get("step", ""), self._now(), {"event": event, **rest})
        self._journals.append(self._plan, record)
        return self._host_line(record)

    def _host_line(self, record: Record) -> Command:
        line = line_after(self._tail, record, f"{self._host}: journal")
        last = self._tail.removesuffix(b"\n").rpartition(b"\n")[2] or None
        self._tail = line + b"\n"
        return host_records.append_journal(self._layout, self._plan, line, after=last)

    def _guarded(self, operation: Operation) -> _Guard:
        nonce = secrets.token_hex(8)
        name, words, limit = self._words(operation)
        terse = not isinstance(operation, Run)
        command = host_lock.guarded(self._layout, self.token, words, nonce=nonce, limit=limit, terse=terse)
        return _Guard(name, nonce, command)

    def _done(self, guard: _Guard, completed: Completed) -> Done:
        match host_lock.read_guarded(completed, guard.nonce):
            case Ran(completed=ended):
                return Done(ended.status, _last_words(ended))
            case Fenced():
                raise self._not_begun("the lock is no longer ours", "somebody else applies on this host now")
            case Busy():
                raise self._not_begun("another step still runs on the host", "it holds step.lock")
            case TimedOut():
                raise self._unknown("a step was ended because its time was over", guard.name)
            case Lost():
                raise self._unknown("the end of a step was not seen", guard.name)

    def _words(self, operation: Operation) -> tuple[str, tuple[str, ...], int]:
        """What a person calls an operation, its words, and the seconds it may take."""
        match operation:
            case Run(argv=argv, timeout=timeout):
                return " ".join(argv)[:200], self._spoken(operation), timeout
            case Place(path=path, digest=digest, mode=mode):
                return f"place {path}", host_files.place(self._layout, path, digest, mode), 60
            case Remove(path=path):
                return f"remove {path}", host_files.remove(self._layout, path), 60

    def _not_begun(self, summary: str, detail: str) -> Exception:
        if self.untouched:
            return Locked(summary, detail=detail, hint="plan again", reason="held", host=self._host)
        return self._unknown(summary, detail)

    def _unknown(self, summary: str, detail: str) -> OutcomeUnknown:
        return OutcomeUnknown(summary, host=self._host, detail=detail)


def _parted(
    ended: tuple[Completed, ...], ahead: int, operations: int
) -> tuple[tuple[Completed, ...], tuple[Completed, ...], tuple[Completed, ...]]:
    """What came of the journal's lines, of the operations, and of what was asked behind them."""
    return ended[:ahead], ended[ahead : ahead + operations], ended[ahead + operations :]


def _began(guards: Sequence[_Guard], ended: Sequence[Completed]) -> bool:
    """Whether the first operation may have begun; where the row ended before its turn, or by its guard, it did not."""
    return bool(ended) and not isinstance(host_lock.read_guarded(ended[0], guards[0].nonce), Fenced | Busy)


@contextmanager
def held(
    transport: Transport,
    plan: Digest,
    *,
    owner: Owner,
    journals: Journals,
    now: Callable[[], str],
    patience: Patience,
) -> Iterator[HostSession]:
    """The host under our lock for one plan while the block runs; raises what `locked` raises."""
    with locked(transport, owner, patience) as lock:
        yield HostSession(lock, plan, journals, now)


@contextmanager
def locked(
    transport: Transport, owner: Owner, patience: Patience, *, heartbeat: float = HEARTBEAT
) -> Iterator[HostLock]:
    """Hold the host's lock while the block runs, fed by a heartbeat; raises `Locked` when `patience` ended before."""
    holder, token = _take(transport, HostLayout(transport.entry.root), owner, patience)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(holder, stop, heartbeat), name="heartbeat", daemon=True)
    heart.start()
    try:
        yield HostLock(transport, token, heart)
    finally:
        stop.set()
        heart.join(HEARTBEAT)  # first: a beat that is under way must not write where the input was, and is no more
        holder.release()


def _take(transport: Transport, layout: HostLayout, owner: Owner, patience: Patience) -> tuple[Held, int]:
    """Ask again and again; a lock that a person took is waited for no longer than any other."""
    while True:
        holder = transport.hold(host_lock.hold_lock(layout, owner))
        try:
            return holder, host_lock.read_hold(holder.answer(timeout=30.0), transport.entry.name)
        except Locked:
            holder.release()
            if not patience.lasts():
                raise
        except BaseException:
            holder.release()
            raise


def _beat(holder: Held, stop: threading.Event, pause: float) -> None:
    while not stop.wait(pause):
        if not holder.beat():
            return


def _last_words(completed: Completed) -> str:
    """What a command said at the end, complaints first; bounded, not yet redacted."""
    return (completed.complaint or completed.text.strip())[-2000:]
