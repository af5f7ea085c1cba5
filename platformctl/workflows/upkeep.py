"""Small commands for people: lock and unlock a host, show and verify the audit chains."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from platformctl.errors import ExitCode, Locked, Refusal, ToolError, Unreachable, or_raise
from platformctl.model.desired import HostEntry
from platformctl.model.frozen import dataclass
from platformctl.model.names import HostName, ModuleId
from platformctl.model.observed import Identity
from platformctl.model.reports import AuditReport, NoteReport
from platformctl.observing import refuse_other_time
from platformctl.store import chain, host_lock
from platformctl.store.audit import missing_from
from platformctl.store.files import whole_lines
from platformctl.store.host import HostLayout, prepare_base, read_answer
from platformctl.store.host_records import Recalled, read_audit, read_recall, recall
from platformctl.store.owner import Owner, locked, owner_text, parse_owner
from platformctl.transports.interface import Transport
from platformctl.trust.keys import Keyring
from platformctl.workflows.auditing import NOT_HEARD, Told, tell_both
from platformctl.workflows.every_host import every_host
from platformctl.workflows.hosts import hosts
from platformctl.workflows.parts import Parts, keyring, moment, require_host, trust_roots
from platformctl.workflows.records import remember_each
from platformctl.workflows.vouching import Vouched, said


def lock(parts: Parts, host: str, reason: str) -> NoteReport:
    """Lock a host until somebody unlocks it; such a lock never expires.

    If the host is locked and the record of it could not be written, the refusal says so: nobody else would find out.
    """
    entry = require_host(trust_roots(parts), HostName.parse(host))
    owner = Owner(parts.operator, moment(parts.clock.now()), reason)
    with hosts(parts) as reached:
        transport = reached.reach(entry).transport
        layout = HostLayout(entry.root)
        read_answer(transport.run(prepare_base(layout)), entry.name)
        with _saying(entry, "may be locked by now"):
            answer = transport.run(host_lock.lock_by_hand(layout, owner))
        host_lock.read_lock(answer, entry.name)
        fields = {"host": str(entry.name), "by": parts.operator, "reason": reason}
        ours, told = owner_text(owner), Told(owner.since, "lock", fields)
        with _saying(entry, "is locked, which may stand in no record"):
            there = _tell_locked(parts, transport, told, _recalled(transport), ours)
        if there != ours:
            raise _not_ours(entry, there)
    return NoteReport(message=f"✓ {entry.name} is locked: {reason}", details={"next": f"platformctl unlock {host}"})


def unlock(parts: Parts, host: str, reason: str) -> NoteReport:
    """Take back a lock made by hand; the lock of a running apply is not touched.

    A host's clock that is off is only a warning, as nothing here is judged by it.
    """
    entry = require_host(trust_roots(parts), HostName.parse(host))
    with hosts(parts, at_any_time=True) as reached:
        there = reached.reach(entry)
        transport = there.transport
        fields = {"host": str(entry.name), "by": parts.operator, **({"reason": reason} if reason else {})}
        told, recalled = Told(moment(parts.clock.now()), "unlock", fields), _recalled(transport)
        seen = recalled.manual_lock
        left = None if seen is None else _tell_locked(parts, transport, told, recalled, seen)
        if left not in (None, seen):
            raise _not_ours(entry, left)
        unlocks = host_lock.unlock(HostLayout(entry.root))
        changed = left is not None and host_lock.read_lock(transport.run(unlocks), entry.name)
    message = f"✓ {entry.name} is {'unlocked' if changed else 'not locked by hand'}"
    return NoteReport(message=message, details=_clock(parts, there.identity, entry))


def _clock(parts: Parts, who: Identity, entry: HostEntry) -> Mapping[str, str]:
    """Return a warning, as details of a report, where an apply would be refused because of the host's clock."""
    try:
        refuse_other_time(who, entry, parts.clock.now().timestamp())
    except Unreachable as refusal:
        return {"warning": f"{refusal.summary}: {refusal.detail}", "next": refusal.hint}
    return {}


@contextmanager
def _saying(entry: HostEntry, what: str) -> Iterator[None]:
    """Add to a refusal in the block what has become of the host by then, and how to take that back."""
    try:
        yield
    except Refusal as refusal:
        refusal.detail = "; ".join(filter(None, (refusal.detail, f"{entry.name} {what}")))
        refusal.hint = f"platformctl unlock {entry.name}, then lock it again"
        raise


def _recalled(transport: Transport) -> Recalled:
    return read_recall(transport.run(recall(HostLayout(transport.entry.root))), transport.entry.name)


def _tell_locked(parts: Parts, transport: Transport, told: Told, recalled: Recalled, lock: bytes) -> bytes | None:
    """Add a record to both chains while `lock` is the host's lock by hand, and return which one is there then.

    Where it is another, or none, somebody unlocked the host meanwhile, and nothing is added. Who does that writes to
    the host's chain too; then both are read again.
    """
    entry = transport.entry
    for last in (False, False, True):
        if recalled.manual_lock != lock:
            break
        try:
            tell_both(
                parts, entry, recalled.audit_tail, told, lambda line: read_answer(transport.run(line), entry.name)
            )
            break
        except ToolError as error:
            if last or error.reason != "conflict":
                raise
            recalled = _recalled(transport)
    return recalled.manual_lock


def _not_ours(entry: HostEntry, there: bytes | None) -> Locked:
    """The refusal where somebody took back our lock by hand, or the one that we saw, meanwhile."""
    if there is not None:
        return locked(parse_owner(there), entry.name, by_hand=True)
    return Locked(
        "somebody unlocked the host meanwhile",
        detail=f"{entry.name} is not locked by hand any more",
        hint="ask who did, then lock it again",
        reason="held",
        host=entry.name,
    )


def audit_show(parts: Parts) -> AuditReport:
    """Return the records of this clone's chain, and what is wrong with the chain by itself.

    What only shows in comparison with receipts and hosts is for `audit verify`. The exit code is `TOOL_ERROR` if a
    record was changed, removed or added; a write that was cut off is reported without it.
    """
    lines, torn = parts.audit.read()
    shown = _Chain("here", lines, chain.verify(lines, torn))
    return AuditReport(
        exit_code=ExitCode.TOOL_ERROR if shown.broken else ExitCode.NO_CHANGES,
        status="broken" if shown.broken else "ok",
        records=tuple({"seq": r.seq, "at": r.at, "event": r.event, **_plain(r.fields)} for r in shown.records),
        problems=(*shown.broken, *shown.torn),
    )


def audit_verify(parts: Parts) -> AuditReport:
    """Check that this clone's chain and those of the hosts are as they were written, and say the same.

    Signed receipts vouch for them: those in the records, and those that hosts keep beside their chains. Ends as
    `TOOL_ERROR`, naming the entry, when one was changed, removed or added.
    """
    roots = trust_roots(parts)
    ring = keyring(parts, roots)
    lines, torn = parts.audit.read()
    found = _Chain("here", lines, chain.verify(lines, torn))
    problems, notes = list(found.broken or _not_vouched_here(parts, found, ring)), list(found.torn)
    heads, silent = dict(found.head), list[str]()
    with hosts(parts) as reached:
        for entry in every_host(parts, roots):
            try:
                transport = reached.reach(entry).transport
                kept = _kept(parts, transport, ring)
                there, cut = whole_lines(read_audit(HostLayout(entry.root), transport.run, entry.name))
            except Refusal as refusal:
                (problems if isinstance(refusal, ToolError) else silent).append(
                    f"{entry.name}: not compared: {refusal.summary}"
                )
                continue
            theirs = _Chain(entry.name, there, chain.verify(there, cut))
            problems.extend(theirs.broken or _told_otherwise(found, theirs, entry))
            problems.extend([] if theirs.broken else _not_vouched(theirs, entry, ring, kept))
            if not theirs.broken and _dropped(theirs, ring, kept):
                problems.extend(_dropped(theirs, ring, _kept(parts, transport, ring)))  # of an apply that just ended
            notes.extend(theirs.torn)
            heads.update(theirs.head)
    code = ExitCode.TOOL_ERROR if problems else ExitCode.UNREACHABLE if silent else ExitCode.NO_CHANGES
    status = "broken" if problems else "incomplete" if silent else "ok"
    return AuditReport(exit_code=code, status=status, problems=(*problems, *silent, *notes), heads=heads)


@dataclass(frozen=True)
class _Chain:
    """One end's audit chain, and what is wrong with it.

    A write that was cut off stays visible in it and is nobody's fault: its receipt beside the chain, or the other end,
    says what it was about.
    """

    where: str
    lines: Sequence[bytes]
    found: Sequence[chain.Problem]

    @property
    def broken(self) -> list[str]:
        """What was changed, removed or added."""
        return [f"{self.where}: {each}" for each in self.found if each.damage is not chain.Damage.TORN]

    @property
    def torn(self) -> list[str]:
        """Lines that were cut off and are no records."""
        return [f"{self.where}: {each}" for each in self.found if each.damage is chain.Damage.TORN]

    @property
    def head(self) -> Mapping[str, str]:
        """Where it ends, if it is sound."""
        return {} if self.found else {self.where: str(chain.head(self.lines) or "none")}

    @property
    def records(self) -> tuple[chain.Entry, ...]:
        """The records that can be read."""
        return chain.records(self.lines)


def _told_otherwise(here: _Chain, there: _Chain, entry: HostEntry) -> list[str]:
    """Return what this clone told a host and the host's chain, sound in itself, lacks or says otherwise."""
    if here.broken:
        return []
    ours, theirs = here.records, there.records
    plans = {record.fields["plan"] for record in theirs if "plan" in record.fields}
    heard = (record for record in ours if not NOT_HEARD.items() <= record.fields.items())
    mine = [record for record in heard if record.fields.get("host") == entry.name]
    return [
        f"{entry.name}: record {record.seq} here ({said(record)}) "
        + ("says something else on the host" if record.fields.get("plan") in plans else "is not on the host")
        for record in missing_from(theirs, mine)
    ]


def _not_vouched_here(parts: Parts, here: _Chain, ring: Keyring) -> Iterator[str]:
    vouched = Vouched("here", here.records, ring)
    yield from vouched.problems()
    yield from vouched.forgotten(parts.states.all())


@dataclass(frozen=True)
class _Kept:
    """What a host keeps beside its chain: receipts by module, believed or not, and the plans that are not settled."""

    receipts: Mapping[ModuleId, Sequence[str]]
    unsettled: frozenset[str]


def _kept(parts: Parts, transport: Transport, ring: Keyring) -> _Kept:
    recalled = _recalled(transport)
    names, layout = recalled.modules, HostLayout(transport.entry.root)
    memories = remember_each(transport, layout, names, ring, parts.clock.now()) if names else ()
    receipts = {name: or_raise(memory).envelopes for name, memory in zip(names, memories, strict=True)}
    return _Kept(receipts, frozenset(map(str, recalled.journals)))


def _not_vouched(there: _Chain, entry: HostEntry, ring: Keyring, kept: _Kept) -> Iterator[str]:
    vouched = Vouched(entry.name, there.records, ring)
    yield from vouched.of_another_host(entry.name)
    yield from vouched.problems()
    yield from vouched.missing((text for texts in kept.receipts.values() for text in texts), entry.name)


def _dropped(there: _Chain, ring: Keyring, kept: _Kept) -> list[str]:
    return list(Vouched(there.where, there.records, ring).dropped(kept.receipts, kept.unsettled))


def _plain(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if name not in ("receipt", "lift")}
