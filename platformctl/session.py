"""One host under our lock: the store's scripts, run by a transport. These are the hands of `applying`.

Every mutation goes through `perform`, guarded by the lock's token in the same remote command; every step of ours is in
the journal, here and on the host, before it is done.
"""

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from platformctl.applying.hands import Done
from platformctl.errors import Locked, OutcomeUnknown
from platformctl.model.command import Command, Completed
from platformctl.model.names import Digest, RepoPath
from platformctl.model.plan import Operation, Place, PlannedFile, Remove, Run
from platformctl.store import host_files, host_lock, host_records
from platformctl.store.host import HostLayout, prepare_base, read_answer
from platformctl.store.host_lock import Busy, Fenced, Lost, Ran, TimedOut
from platformctl.store.journal import Journals, Kind, Record, line_after
from platformctl.store.owner import Owner
from platformctl.transports.interface import Held, Transport

HEARTBEAT = 5.0
"""Seconds between two bytes to the lock's holder; four of them fit into its lease."""


class HostSession:
    """A host whose lock we hold. Made by `held`; good until its block ends."""

    def __init__(
        self, transport: Transport, token: int, plan: Digest, journals: Journals, now: Callable[[], str]
    ) -> None:
        self._transport = transport
        self._layout = HostLayout(transport.entry.root)
        self._host = transport.entry.name
        self.token = token
        self._plan = plan
        self._journals = journals
        self._now = now
        self._tail = b""

    def ask(self, command: Command) -> Completed:
        """Run a command that changes nothing."""
        return self._transport.run(command)

    def perform(self, operation: Operation) -> Done:
        """Run one operation while the lock is ours. Raises `OutcomeUnknown` when its end was not seen."""
        nonce = secrets.token_hex(8)
        words, limit = self._words(operation)
        completed = self._transport.run(host_lock.guarded(self._layout, self.token, words, nonce=nonce, limit=limit))
        match host_lock.read_guarded(completed, nonce):
            case Ran(completed=ended):
                return Done(ended.status, _last_words(ended))
            case Fenced():
                raise self._unknown("the lock is no longer ours", "somebody else applies on this host now")
            case Busy():
                raise self._unknown("another step still runs on the host", "it holds step.lock")
            case TimedOut():
                raise self._unknown("a step was ended because its time was over", " ".join(words)[:200])
            case Lost():
                raise self._unknown("the end of a step was not seen", " ".join(words)[:200])

    def note(self, event: str, **details: str) -> None:
        """Write one line to both journals and wait until both disks have it.

        Each journal is a chain of its own: this clone's may have lines of an attempt that the host never heard of, and
        another clone's has none of those that it continues there.
        """
        kind = {"intent": Kind.INTENT, "do": Kind.INTENT, "undo": Kind.INTENT, "settled": Kind.SETTLED}.get(
            event, Kind.OUTCOME
        )
        record = Record(kind, details.pop("step", ""), self._now(), {"event": event, **details})
        self._journals.append(self._plan, record)
        line = line_after(self._tail, record, f"{self._host}: journal")
        last = self._tail.removesuffix(b"\n").rpartition(b"\n")[2] or None
        self.write(host_records.append_journal(self._layout, self._plan, line, after=last))
        self._tail = line + b"\n"

    def continue_after(self, journal: bytes) -> None:
        """Go on writing behind the last line of the host's journal, which another process began."""
        self._tail = journal

    def settle(self, outcome: str) -> None:
        """Say in both journals how it ended, and put the host's away: the plan is used and nothing is open."""
        self.note("settled", outcome=outcome)
        self.write(host_records.settle_journal(self._layout, self._plan))

    def stage(self, contents: Iterable[bytes], replaced: Iterable[RepoPath]) -> Mapping[RepoPath, PlannedFile | None]:
        """Bring bytes to the host's store by digest and keep what the release will replace; nothing is touched."""
        wanted = tuple(contents)
        if wanted:
            self.write(host_files.stage(self._layout, wanted))
        paths = tuple(replaced)
        if not paths:
            return {}
        return host_files.read_kept(self._transport.run(host_files.keep(self._layout, paths)), self._host)

    def write(self, command: Command) -> bool:
        """Run one of the store's scripts; True when the disk confirmed it. Raises what `read_answer` raises."""
        return read_answer(self._transport.run(command), self._host).durable

    def _words(self, operation: Operation) -> tuple[tuple[str, ...], int]:
        match operation:
            case Run(argv=argv, timeout=timeout):
                return argv, timeout
            case Place(path=path, digest=digest, mode=mode):
                return host_files.place(self._layout, path, digest, mode), 60
            case Remove(path=path):
                return host_files.remove(self._layout, path), 60

    def _unknown(self, summary: str, detail: str) -> OutcomeUnknown:
        return OutcomeUnknown(summary, host=self._host, detail=detail)


@contextmanager
def held(
    transport: Transport,
    plan: Digest,
    *,
    owner: Owner,
    journals: Journals,
    now: Callable[[], str],
    wait: float,
    pause: Callable[[float], None],
) -> Iterator[HostSession]:
    """Hold the host's lock while the block runs, fed by a heartbeat; raises `Locked` when not free in `wait` s."""
    layout = HostLayout(transport.entry.root)
    read_answer(transport.run(prepare_base(layout)), transport.entry.name)
    holder, token = _take(transport, layout, owner, wait, pause)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(holder, stop), name="heartbeat", daemon=True)
    heart.start()
    try:
        yield HostSession(transport, token, plan, journals, now)
    finally:
        stop.set()
        holder.release()
        heart.join(HEARTBEAT)


def _take(
    transport: Transport, layout: HostLayout, owner: Owner, wait: float, pause: Callable[[float], None]
) -> tuple[Held, int]:
    """Ask again each second until `wait` is over; a lock that a person took is waited for no longer than any other."""
    waited = 0.0
    while True:
        holder = transport.hold(host_lock.hold_lock(layout, owner))
        try:
            return holder, host_lock.read_hold(holder.answer(timeout=30.0), transport.entry.name)
        except Locked:
            holder.release()
            if waited >= wait:
                raise
        except BaseException:
            holder.release()
            raise
        pause(1.0)
        waited += 1.0


def _beat(holder: Held, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT):
        if not holder.beat():
            return


def _last_words(completed: Completed) -> str:
    """What a command said at the end, complaints first; bounded, not yet redacted."""
    return (completed.complaint or completed.text.strip())[-2000:]
