"""Settle an apply whose end nobody saw, by looking at the host. No container is touched and nothing is retried."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from platformctl.applying.proof import prove
from platformctl.errors import ExitCode, Refusal
from platformctl.model.desired import NOTHING, Module, Release, TrustRoots
from platformctl.model.names import Digest, ModuleId
from platformctl.model.observed import Observation, ProjectSeen
from platformctl.model.plan import Plan
from platformctl.model.reports import RecoverReport
from platformctl.releases import CommitTree, module_ids, read_manifest
from platformctl.session import HostSession
from platformctl.store.host import HostLayout
from platformctl.store.host_records import write_record
from platformctl.store.journal import Journal, parse
from platformctl.workflows.adopt import Adoption, require_agreed, write_receipt
from platformctl.workflows.case import stale
from platformctl.workflows.desire import planned_release
from platformctl.workflows.hosts import Hosts, holding, hosts
from platformctl.workflows.looking import look
from platformctl.workflows.parts import Parts, keyring, moment, require_host, trust_roots
from platformctl.workflows.readiness import wish_of
from platformctl.workflows.records import Memory, next_record, record_bytes, remember
from platformctl.workflows.verdict import judge, planned


def recover(parts: Parts, key: Callable[[], Path]) -> RecoverReport:
    """Settle every open journal of every host that a module names, into applied, not applied, or needs a person.

    What was applied gets its receipt, signed with `key`, where it is what its commit says and works. The last ends as
    `REMOTE_FAILED`: what became of that host is not known, and a script must not go on.
    """
    roots = trust_roots(parts)
    tree = CommitTree(parts.repository, parts.repository.head())
    modules = [read_manifest(tree, name) for name in module_ids(tree)]
    settled: list[Mapping[str, str]] = []
    with hosts(parts) as reached:
        for module in {module.host: module for module in modules}.values():
            settled.extend(_recover_host(parts, roots, reached, module, key))
    needs = any(row["outcome"] == "needs_person" for row in settled)
    return RecoverReport(
        exit_code=ExitCode.REMOTE_FAILED if needs else ExitCode.NO_CHANGES,
        status="needs_person" if needs else "settled",
        settled=tuple(settled),
    )


def _recover_host(
    parts: Parts, roots: TrustRoots, reached: Hosts, module: Module, key: Callable[[], Path]
) -> list[Mapping[str, str]]:
    memory = _memory(parts, roots, reached, module, module.id)
    return [_settle(parts, roots, reached, module, digest, key) for digest in memory.recalled.journals]


def _settle(
    parts: Parts, roots: TrustRoots, reached: Hosts, module: Module, digest: Digest, key: Callable[[], Path]
) -> Mapping[str, str]:
    """Under the host's lock, so that an apply that is still at work is not declared over."""
    entry = require_host(roots, module.host)
    transport = reached.reach(entry, parts.driver_of(module)).transport
    now = moment(parts.clock.now())
    with holding(parts, transport, digest, f"recover {digest[:19]}") as session:
        content = _memory(parts, roots, reached, module, module.id).recalled.journals.get(digest)
        if content is None:
            return {"plan": digest, "outcome": "settled", "why": "somebody else settled it meanwhile"}
        journal = parse(digest, content, f"{entry.name}: journal")
        plan = planned(parts, session, entry, digest)
        outcome, why = judge(parts, roots, session, entry, plan, journal)
        session.continue_after(content)
        receipt = ""
        if outcome == "applied" and plan is not None:
            receipt, told = _receipt(parts, roots, reached, session, plan, digest, key)
            why = f"{why}; {told}"
        _consume(session, entry.root, _memory(parts, roots, reached, module, _module_of(journal, module)), digest)
        session.settle(f"recovered: {outcome}")
    fields = {"host": str(entry.name), "plan": str(digest), "outcome": outcome}
    if receipt and plan is not None:
        fields.update(module=str(plan.module), receipt=receipt)
    parts.audit.append(now, "recover", fields)
    return {"plan": digest, "outcome": outcome, "why": why}


def _receipt(
    parts: Parts,
    roots: TrustRoots,
    reached: Hosts,
    session: HostSession,
    plan: Plan,
    digest: Digest,
    key: Callable[[], Path],
) -> tuple[str, str]:
    """The receipt of what was applied, and what to say of it.

    Nothing is believed of the plan for it: what runs is compared with the commit, as `import` does, and proven as
    `apply` does. What is refused there is left to a person and keeps nothing from being settled.
    """
    try:
        release = planned_release(parts, roots, plan.source_sha, plan)
        if release.digest != plan.desired:
            raise stale("changed", "the files of the commit do not give the planned release", plan.source_sha)
        require_agreed(parts, roots, release, key())
        observation, memory = look(parts, reached, release, roots)
        if any(signed.receipt.plan_digest == digest for signed in memory.record.receipts):
            return "", "its receipt was written"
        _require_proof(parts, session, release, plan, observation)
        adoption = Adoption(release, observation, memory, digest, ExitCode.APPLIED.name, key())
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


def _module_of(journal: Journal, module: Module) -> ModuleId:
    """Whose apply it was, as its intent says; the journal is the host's, not a module's."""
    named = journal.records[0].detail.get("module") if journal.records else None
    return ModuleId.parse(named) if named else module.id


def _consume(session: HostSession, root: str, memory: Memory, digest: Digest) -> None:
    """The plan stays used whatever became of it."""
    if digest in memory.record.consumed:
        return
    record = next_record(replace(memory.record, consumed=(*memory.record.consumed, digest)))
    content = record_bytes(record, memory.envelopes)
    session.write(write_record(HostLayout(root), record.module, content, replacing=memory.content))


def _memory(parts: Parts, roots: TrustRoots, reached: Hosts, module: Module, name: ModuleId) -> Memory:
    """What the host of `module` remembers of the module `name`."""
    entry = require_host(roots, module.host, file=module.path)
    there = reached.reach(entry, parts.driver_of(module))
    return remember(there.transport, HostLayout(entry.root), name, keyring(parts, roots), parts.clock.now())
