"""Settle an apply whose end nobody saw, by looking at the host. No container is touched and nothing is retried."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from platformctl.applying.proof import prove
from platformctl.errors import ExitCode, Refusal, worst
from platformctl.model.desired import NOTHING, HostEntry, Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, ModuleId
from platformctl.model.observed import Observation, ProjectSeen
from platformctl.model.plan import Plan
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import RecoverReport
from platformctl.session import HostSession
from platformctl.store.host import HostLayout
from platformctl.store.host_records import Recalled, read_recall, recall, write_record
from platformctl.store.journal import Journal, Kind, Record, parse
from platformctl.transports.interface import Transport
from platformctl.workflows.adopt import Adoption, require_agreed, write_receipt
from platformctl.workflows.auditing import Told, has_record_of, tell_both
from platformctl.workflows.case import stale
from platformctl.workflows.desire import planned_release
from platformctl.workflows.every_host import every_host
from platformctl.workflows.hosts import Hosts, holding, hosts
from platformctl.workflows.looking import look
from platformctl.workflows.open_here import open_here
from platformctl.workflows.parts import Parts, keyring, moment, trust_roots
from platformctl.workflows.readiness import wish_of
from platformctl.workflows.records import Memory, next_record, record_bytes, remember
from platformctl.workflows.unsettled import applied_plan, what_became

Row = Mapping[str, str]
"""What became of one apply: on which host (empty where none knows), of which plan, the outcome and why."""
_UNKNOWN = "a step of it had begun here, and no host of the allow-list knows of it; look at the host that it was for"


@dataclass(frozen=True)
class _Round:
    """One visit to the hosts of the allow-list; `key` is asked for only when there is a receipt to sign."""

    parts: Parts
    roots: TrustRoots
    reached: Hosts
    key: Callable[[], Path]

    def transport(self, entry: HostEntry) -> Transport:
        """The way to a host, whatever modules it has; raises what `Hosts.reach` raises."""
        return self.reached.reach(entry).transport

    def recalled(self, entry: HostEntry) -> Recalled:
        """Return what the host remembers apart from its modules."""
        return read_recall(self.transport(entry).run(recall(HostLayout(entry.root))), entry.name)

    def memory(self, entry: HostEntry, module: ModuleId) -> Memory:
        """Return what the host remembers of a module."""
        ring, now = keyring(self.parts, self.roots), self.parts.clock.now()
        return remember(self.transport(entry), HostLayout(entry.root), module, ring, now)


def recover(parts: Parts, key: Callable[[], Path]) -> RecoverReport:
    """Settle every open journal of every host of the allow-list: as applied, not applied, or needing a person.

    What was applied gets its receipt, signed with `key`, if it is what its commit says and works. A journal that needs
    a person ends this as `REMOTE_FAILED`: what became of that host is not known, and a script must not go on. A host or
    a journal that is refused stays as it is, becomes a warning, and hides no other.
    """
    roots = trust_roots(parts)
    entries = every_host(parts, roots)
    with hosts(parts) as reached:
        for entry in entries:
            reached.begin(entry)
        visit = _Round(parts, roots, reached, key)
        found = [(entry, _found(visit, entry)) for entry in entries]  # ask every host before anything is put away
        told = [(str(entry.name), row) for entry, journals in found for row in _told(visit, entry, journals)]
        told.extend(("here", row) for row in _told_here(visit, found))
    return _report(told)


def _found(visit: _Round, entry: HostEntry) -> tuple[Digest, ...] | Refusal:
    try:
        return tuple(visit.recalled(entry).journals)
    except Refusal as refusal:
        return refusal


def _told(visit: _Round, entry: HostEntry, journals: tuple[Digest, ...] | Refusal) -> Iterator[Row | Refusal]:
    if isinstance(journals, Refusal):
        yield journals
        return
    for digest in journals:
        try:
            yield from _settle(visit, entry, digest)
        except Refusal as refusal:
            yield refusal


def _told_here(
    visit: _Round, found: Sequence[tuple[HostEntry, tuple[Digest, ...] | Refusal]]
) -> Iterator[Row | Refusal]:
    """Yield what became of journals that are open in this clone only.

    Nothing is said of them if a host was not asked: it may have them.
    """
    journals, at = visit.parts.journals, moment(visit.parts.clock.now())
    answers = [(visit.transport(entry), those) for entry, those in found if not isinstance(those, Refusal)]
    shown = frozenset(digest for _, those in answers for digest in those)
    try:
        unknown = open_here(journals, shown, (transport for transport, _ in answers), at)
        for journal in unknown if len(answers) == len(found) else ():
            told = {"host": "", "plan": str(journal.plan), "outcome": "needs_person"}
            visit.parts.audit.append(at, "recover", told)
            journals.append(journal.plan, Record(Kind.SETTLED, "", at, {"event": "settled", "outcome": "needs_person"}))
            yield {**told, "why": _UNKNOWN}
    except Refusal as refusal:
        yield refusal


def _report(told: Sequence[tuple[str, Row | Refusal]]) -> RecoverReport:
    """Return what was settled and what could not be. A single refusal with nothing settled is raised instead."""
    settled = tuple(row for _, row in told if not isinstance(row, Refusal))
    refused = [(where, each) for where, each in told if isinstance(each, Refusal)]
    if len(refused) == 1 and not settled:
        raise refused[0][1]
    needs = any(row["outcome"] == "needs_person" for row in settled)
    code = ExitCode.REMOTE_FAILED if needs else worst(refusal.exit_code for _, refusal in refused)
    return RecoverReport(
        exit_code=code,
        status="needs_person" if needs else "incomplete" if refused else "settled",
        settled=settled,
        warnings=tuple(_warning(where, refusal) for where, refusal in refused),
    )


def _warning(where: str, refusal: Refusal) -> str:
    return f"{where}: {refusal.summary} ({refusal.detail})" + (f"; {refusal.hint}" if refusal.hint else "")


def _settle(visit: _Round, entry: HostEntry, digest: Digest) -> Iterator[Row]:
    """Settle one journal under the host's lock, so that an apply that is still at work is not declared over.

    Nobody is told again of a journal that was put away. So the audit chain has it before, and the row is yielded before
    too, in case the end of putting it away is not seen.
    """
    parts, told = visit.parts, {"host": str(entry.name), "plan": str(digest)}
    with holding(parts, visit.transport(entry), digest, f"recover {digest[:19]}") as session:
        content = visit.recalled(entry).journals.get(digest)
        if content is None:
            yield {**told, "outcome": "settled", "why": "somebody else settled it meanwhile"}
            return
        journal = parse(digest, content, f"{entry.name}: .platformctl/journal/{digest.hexadecimal}")
        plan = applied_plan(parts, session, entry, digest)
        outcome, why = what_became(parts, visit.roots, session, entry, plan, journal)
        fields = {**told, "outcome": outcome}
        if outcome == "applied" and plan is not None:
            receipt, what = _receipt(visit, session, plan, digest)
            why = f"{why}; {what}"
            fields.update({"module": str(plan.module), "receipt": receipt} if receipt else {})
        module = _module_of(journal, plan)
        if module is not None:
            _consume(session, entry.root, visit.memory(entry, module), digest)
        tail = visit.recalled(entry).audit_tail
        tell_both(parts, entry, tail, Told(moment(parts.clock.now()), "recover", fields), session.write)
        yield {**told, "outcome": outcome, "why": why}
        if journal.records:
            session.continue_after(content)
            session.settle(f"recovered: {outcome}")
        else:
            session.put_away(f"recovered: {outcome}")


def _receipt(visit: _Round, session: HostSession, plan: Plan, digest: Digest) -> tuple[str, str]:
    """Write the receipt of what was applied, and return it (empty if no record needs it) and what to say of it.

    One that was written before is returned if no record of the host's audit chain has it. Nothing of the plan is
    believed for that: what runs is compared with the commit, as `import` does, and proven, as `apply` does. A refusal
    here is left to a person, and does not keep the journal from being settled.
    """
    parts, roots = visit.parts, visit.roots
    try:
        release = planned_release(parts, roots, plan.source_sha, plan)
        if release.digest != plan.desired:
            raise stale("changed", "the files of the commit do not give the planned release", plan.source_sha)
        require_agreed(parts, roots, release, visit.key())
        observation, memory = look(parts, visit.reached, release, roots)
        for signed in memory.record.receipts:
            if signed.receipt.plan_digest == digest and signed.receipt.healthy:
                told = has_record_of(release.host, session.ask, signed.envelope)
                return "" if told else signed.envelope, "its receipt was written"
        _require_proof(parts, session, release, plan, observation)
        adoption = Adoption(release, observation, memory, digest, ExitCode.APPLIED.name, visit.key())
        return write_receipt(parts, roots, session, adoption), "its receipt is written"
    except Refusal as refusal:
        by_hand = "plan again" if plan.desired == NOTHING else f"platformctl import {plan.module}"
        return "", f"its receipt is not written: {refusal.summary}; {by_hand}"


def _require_proof(parts: Parts, session: HostSession, release: Release, plan: Plan, observation: Observation) -> None:
    """Raise `StalePlan` unless all is healthy for as long as it must be; nothing may change meanwhile."""
    driver = parts.driver_of(release.module)
    wish = replace(wish_of(release, plan, driver), may_change=frozenset(), may_come=frozenset(), show_logs=False)
    proof = prove(
        wish,
        ProjectSeen(observation.containers, observation.resources),
        hands=session,
        driver=driver,
        tell=parts.tell,
        clock=parts.clock,
        interrupted=lambda: False,
    )
    if not proof.good:
        raise stale("changed", "what runs is not proven to work", proof.complaint or ", ".join(proof.unplanned))


def _module_of(journal: Journal, plan: Plan | None) -> ModuleId | None:
    """Return the module of an apply, as its intent or its plan says; the journal is the host's, not a module's."""
    named = journal.records[0].detail.get("module") if journal.records else None
    return ModuleId.parse(named) if named else plan.module if plan else None


def _consume(session: HostSession, root: str, memory: Memory, digest: Digest) -> None:
    """Write the plan into the host record as consumed, whatever became of it."""
    if digest in memory.record.consumed:
        return
    record = next_record(replace(memory.record, consumed=(*memory.record.consumed, digest)))
    content = record_bytes(record, memory.envelopes)
    session.write(write_record(HostLayout(root), record.module, content, replacing=memory.content))
