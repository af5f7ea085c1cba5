"""Verify, plan again, run, and prove: design section 5, in its order. Each function is one sentence of it."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from platformctl.applying.proof import Wish
from platformctl.applying.run import Apply, in_words
from platformctl.drivers.interface import Driver
from platformctl.errors import (
    ExitCode,
    PolicyViolation,
    PrepareFailed,
    Refusal,
    StalePlan,
    ToolError,
    Unreachable,
)
from platformctl.model.command import Command
from platformctl.model.desired import Delivery, Finding, ModuleKind, Release, Strategy, TrustRoots
from platformctl.model.events import IntentWritten, LockTaken, Preparing, Settled
from platformctl.model.names import Digest, GitSha, RepoPath, ServiceName
from platformctl.model.observed import Container, Observation
from platformctl.model.plan import OWN_FOLDER, Action, Operation, Place, Plan, PlannedImage, Remove, Step
from platformctl.model.reports import ApplyReport
from platformctl.model.result import ApplyResult
from platformctl.model.secret import Secret
from platformctl.model.state import HostRecord, Receipt, TrustSeen
from platformctl.planning.build import planned_host
from platformctl.planning.compare import differences
from platformctl.policy.plans import check_targets, require_phase
from platformctl.session import HostSession, held
from platformctl.store.lock import hold_locally
from platformctl.store.owner import Owner
from platformctl.trust.history import Remembered, check_trust
from platformctl.trust.plan_codec import encode_plan
from platformctl.trust.rules import approved_sha, for_apply
from platformctl.trust.verify import VerifiedPlan
from platformctl.trust.verify import verify as verify_plan
from platformctl.workflows.desire import agreed, owners_at, release_at, require_merged
from platformctl.workflows.hosts import Hosts, hosts
from platformctl.workflows.outcome import Outcome, remember_outcome, report_of
from platformctl.workflows.parts import Parts, keyring, moment, roots_at, trust_roots
from platformctl.workflows.plan import circumstances, look, plan_release
from platformctl.workflows.records import Memory, refuse_unsettled, require_receipt_key
from platformctl.workflows.signed import read_envelope, read_plan

ARMED = 5
"""The phase from which on apply may touch hosts."""


@dataclass(frozen=True)
class ApplyRequest:
    """What the operator gave. `key` signs the receipt; `lock_wait` seconds; `phase` is the environment's, if any."""

    plan: Path
    approved_sha: str
    key: Path
    approved_pr: int | None = None
    approvals: tuple[Path, ...] = ()
    lock_wait: float = 0.0
    phase: int | None = None


@dataclass(frozen=True)
class Case:
    """A plan that may run as far as this machine can tell, and what it will be compared with."""

    verified: VerifiedPlan
    release: Release
    roots: TrustRoots
    findings: tuple[Finding, ...]
    key: Path
    pull_request: int | None
    lock_wait: float
    pinned: Mapping[str, PlannedImage]

    @property
    def plan(self) -> Plan:
        """The plan itself."""
        return self.verified.plan

    @property
    def payload(self) -> bytes:
        """The plan's bytes, which travel with its files: who recovers in another clone finds them by their digest."""
        return encode_plan(self.plan)


def apply_plan(parts: Parts, request: ApplyRequest) -> ApplyReport:
    """Apply one approved plan. Raises every refusal of steps 1 to 10; from the first mutation on, the report tells."""
    roots = trust_roots(parts)
    verified = _verified(parts, request, roots)
    release = _same_release(parts, verified.plan, roots)
    findings = agreed(release, roots.policy, moment(parts.clock.now())[:10])
    check_targets(verified.plan)
    case = Case(verified, release, roots, findings, request.key, request.approved_pr, request.lock_wait, {})
    refuse_unarmed(request.phase, case)
    return run_case(parts, case)


def run_case(parts: Parts, case: Case) -> ApplyReport:
    """Steps 5 to 14: connect, lock, look, compare, journal, prepare, run, prove, remember.

    Once the report of a run is there, nothing that goes wrong while the host is let go of can change it.
    """
    driver = parts.driver_of(case.release.module)
    if case.plan.has_changes:
        require_receipt_key(case.key, keyring(parts, case.roots), parts.clock.now(), parts.environment)
    ended: list[ApplyReport] = []
    try:
        with hosts(parts) as reached:
            reached.reach(case.release.host, driver)
            if not case.plan.has_changes:
                return _unchanged(parts, case, reached)
            with _locked(parts, case, reached) as session:
                ended.append(_under_lock(parts, case, reached, session, driver))
    except Exception as problem:
        if not ended:
            raise
        warning = f"the host was not let go of cleanly: {type(problem).__name__}"
        return replace(ended[0], warnings=(*ended[0].warnings, warning))
    return ended[0]


def _unchanged(parts: Parts, case: Case, reached: Hosts) -> ApplyReport:
    """A plan without changes consumes nothing; it is compared all the same."""
    observation, memory = look(parts, reached, case.release, case.roots)
    _require_same(parts, case, observation, memory)
    return report_of(case.verified, Outcome(ApplyResult(ExitCode.NO_CHANGES, "", None)))


def refuse_unarmed(environment_phase: int | None, case: Case) -> None:
    """Raise `PolicyViolation` with the plan's steps while the phase gate is closed; nothing was connected to."""
    try:
        require_phase(environment_phase, case.roots.policy.phase)
    except PolicyViolation as refusal:
        steps = "\n".join(f"would run: {in_words(o)}" for step in case.plan.steps for o in step.do)
        raise PolicyViolation(
            refusal.summary,
            detail=f"{refusal.detail}\n{steps}".strip(),
            hint=refusal.hint,
            reason="phase",
            host=case.plan.host.name,
        ) from refusal


def _verified(parts: Parts, request: ApplyRequest, roots: TrustRoots) -> VerifiedPlan:
    """Steps 1 to 3: signatures over the bytes as read, approvals, dates; then that the commit is a merged one."""
    file = read_plan(parts, request.plan, request.approvals)
    verified = verify_plan(
        file.sealed,
        file.approvals,
        rule=for_apply(roots.policy.approvals, tool_version=parts.tool_version),
        keyring=keyring(parts, roots),
        head=approved_sha(request.approved_sha),
        now=parts.clock.now(),
        index=file.index,
    )
    require_merged(parts, verified.plan.source_sha, roots)
    return verified


def _same_release(parts: Parts, plan: Plan, roots: TrustRoots) -> Release:
    """Step 4: git's objects give what was planned, and what was merged since does not replace it."""
    release = release_at(parts, roots, plan.source_sha, plan.module)
    if planned_host(release.host) != plan.host:
        raise _stale("host_entry_changed", "the allow-list's entry of the host is not the planned one", plan.host.name)
    if release.digest != plan.desired:
        raise _stale("changed", "the files of the commit do not give the planned release", plan.source_sha)
    trusted = roots.commit or parts.repository.trusted_ref(None)
    if trusted != plan.source_sha and _inputs_at(parts, roots, trusted, plan) != release.inputs:
        raise _stale(
            "superseded", "the module's files were changed since", f"by {trusted}, planned was {plan.source_sha}"
        )
    return release


def _inputs_at(parts: Parts, roots: TrustRoots, commit: GitSha, plan: Plan) -> Digest | None:
    try:
        return release_at(parts, roots, commit, plan.module).inputs
    except Refusal:
        return None


def _stale(reason: str, summary: str, detail: str) -> StalePlan:
    return StalePlan(summary, detail=detail, hint="platformctl plan", reason=reason)


@contextmanager
def _locked(parts: Parts, case: Case, reached: Hosts) -> Iterator[HostSession]:
    """Step 6: this clone's lock before the host's, so that two terminals do not meet on the network."""
    entry = case.release.host
    owner = Owner(parts.operator, moment(parts.clock.now()), f"apply {case.plan.module} {case.verified.digest[:19]}")
    transport = reached.reach(entry, parts.driver_of(case.release.module)).transport
    with (
        hold_locally(parts.platform, entry.name, owner),
        held(
            transport,
            case.verified.digest,
            owner=owner,
            journals=parts.journals,
            now=lambda: moment(parts.clock.now()),
            wait=case.lock_wait,
            pause=lambda seconds: _pause(parts, seconds),
        ) as session,
    ):
        parts.tell(LockTaken(entry.name, session.token))
        yield session


def _under_lock(parts: Parts, case: Case, reached: Hosts, session: HostSession, driver: Driver) -> ApplyReport:
    observation, memory = look(parts, reached, case.release, case.roots)
    seen = _refuse_by_record(parts, case, memory)
    _require_same(parts, case, observation, memory)
    show_logs = _learn_secrets(parts, case.release, session)
    _refuse_interrupted(parts)
    _write_intent(parts, case, session)
    run, before = _ready(parts, case, session, driver, observation, memory.record, show_logs)
    result = run(before)
    parts.tell(Settled(result.exit_code.name))
    return report_of(case.verified, remember_outcome(parts, case, session, memory, result, seen))


def _write_intent(parts: Parts, case: Case, session: HostSession) -> None:
    """Step 9: from here on the plan is consumed. Raises `ToolError` when a disk did not confirm it; nothing runs."""
    try:
        session.note("intent", module=case.plan.module, plan=case.verified.digest, by=parts.operator)
    except StalePlan:
        raise
    except Refusal as refusal:
        raise ToolError(
            "the intent could not be written down",
            detail=f"{refusal.summary}: {refusal.detail}",
            hint="platformctl recover, then plan again",
            host=case.plan.host.name,
        ) from refusal
    parts.tell(IntentWritten(case.verified.digest))


def _ready(
    parts: Parts,
    case: Case,
    session: HostSession,
    driver: Driver,
    observation: Observation,
    record: HostRecord,
    show_logs: bool,
) -> tuple[Apply, tuple[Container, ...]]:
    """Step 10, up to the last look before the first mutation; whatever is raised here has touched nothing."""
    try:
        _prepare(parts, case, session, driver, observation, record)
        _refuse_interrupted(parts)
        run = _run(parts, case, session, driver, record.current, show_logs)
        return run, run.look()
    except (Unreachable, ToolError) as refusal:
        _settle_untouched(session)
        raise PrepareFailed(
            refusal.summary, detail=refusal.detail, hint=refusal.hint, reason=refusal.reason, host=refusal.host
        ) from refusal
    except BaseException:
        _settle_untouched(session)
        raise


def _settle_untouched(session: HostSession) -> None:
    """Where the host can no longer be told, its journal stays open and `recover` settles it."""
    with suppress(Refusal):
        session.settle("not_applied")


def _refuse_by_record(parts: Parts, case: Case, memory: Memory) -> TrustSeen:
    """What the host remembers: used plans, unsettled applies, quarantine, and the trust roots it last saw."""
    host = case.release.host.name
    if case.verified.digest in memory.record.consumed:
        raise _stale("used", "the plan was used already", f"{host} has it among the consumed ones")
    refuse_unsettled(memory, host)
    held_back = memory.record.is_quarantined(case.plan.desired)
    if held_back is not None:
        raise PolicyViolation(
            "the release is quarantined on this host",
            detail=f"it failed at {held_back.at}: {held_back.reason}",
            hint=f"platformctl unquarantine {case.plan.module} --reason …",
            reason="quarantined",
            host=host,
        )
    return check_trust(
        memory.record.trust,
        case.roots,
        remembered=_remembered(parts, memory.record.trust),
        is_ancestor=parts.repository.is_ancestor,
        changes=tuple(read_envelope(path) for path in sorted((parts.platform / "trust").glob("*.json"))),
        now=parts.clock.now(),
    )


def _remembered(parts: Parts, seen: TrustSeen | None) -> Remembered | None:
    """The roots the host last saw, from git at that commit; None where this clone does not have it."""
    if seen is None or seen.commit is None:
        return None
    try:
        roots = roots_at(parts, seen.commit, "the commit the host remembers")
    except Refusal:
        return None
    return Remembered(roots, keyring(parts, roots))


def _require_same(parts: Parts, case: Case, observation: Observation, memory: Memory) -> None:
    """Step 7: planning again gives the same changes and steps, else the operator hears field by field what differs."""
    owners = owners_at(parts, case.plan.source_sha, case.release.module)
    when = circumstances(parts, case.roots)
    again = plan_release(parts, case.release, observation, memory.record, when, case.findings, owners, case.pinned)
    differs = differences(case.plan, again)
    if differs:
        raise StalePlan(
            "planning again gives a different answer",
            detail="\n".join(differs),
            hint=f"platformctl plan {case.plan.module}",
            reason="changed",
            host=case.plan.host.name,
        )


def _learn_secrets(parts: Parts, release: Release, session: HostSession) -> bool:
    """Read the values of env.file into memory, for the sink alone; False when that can not be done."""
    if release.module.env.file is None:
        return True
    answer = session.ask(Command(("cat", "--", f"{release.host.root}/{release.module.env.file}"), timeout=30))
    if answer.status or answer.truncated:
        return False
    parts.learn(Secret(value) for value in _values(answer.text))
    return True


_ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?[^\s=:#'"]+[ \t]*[=:][ \t]*(?:(["'])((?:\\.|(?!\1).)*)\1|([^\n]*))""",
    re.MULTILINE | re.DOTALL,
)


def _values(text: str) -> Iterator[str]:
    """Every value of an env file: as it stands, without its quotes, and without a comment behind it."""
    for _, quoted, bare in _ASSIGNMENT.findall(text):
        yield from filter(None, (quoted, bare.strip(), bare.partition(" #")[0].strip(), bare.strip(" \t'\"")))


def _refuse_interrupted(parts: Parts) -> None:
    """Before the first mutation a signal ends everything."""
    kind = parts.interrupted()
    if kind is not None:
        raise kind("interrupted before anything was touched", hint="plan again, in case this plan was consumed")


def _pause(parts: Parts, seconds: float) -> None:
    """Wait for the lock, unless somebody asks to stop."""
    parts.clock.wait(seconds)
    _refuse_interrupted(parts)


def _prepare(
    parts: Parts, case: Case, session: HostSession, driver: Driver, observation: Observation, record: HostRecord
) -> None:
    """Step 10: bytes and images are on the host, the way back too; failing here touches nothing (`PrepareFailed`)."""
    parts.tell(Preparing("files"))
    forward = _deliveries(case, lambda step: step.do)
    replaced = {operation.path for operation in forward}
    _require_delivered(case, replaced)
    wanted = {o.digest for o in (*forward, *_deliveries(case, lambda step: step.undo)) if isinstance(o, Place)}
    contents = [f.content for f in case.release.files if f.digest in wanted or f.path.startswith(OWN_FOLDER + "/")]
    kept = session.stage((case.payload, *contents), sorted(replaced))
    found = {path: file.digest if file else None for path, file in kept.items()}
    swapped = sorted(seen.path for seen in observation.files if found.get(seen.path, seen.digest) != seen.digest)
    if swapped:
        raise StalePlan("a file changed on the host meanwhile", detail=", ".join(swapped), reason="changed")
    for image in case.plan.images:
        if image.id not in observation.image_ids:
            parts.tell(Preparing(f"image {image.ref}"))
            _succeed(session, driver.fetch(image), f"image {image.ref} can not be pulled")
            _succeed(session, driver.has(image), f"image {image.ref} is not the planned one")
    previous = record.current
    if previous is not None:
        for run in driver.keep(case.release, {image.ref: image.id for image in previous.images}):
            _succeed(session, Command(run.argv, timeout=run.timeout), "a previous image can not be kept")


def _deliveries(case: Case, way: Callable[[Step], tuple[Operation, ...]]) -> tuple[Place | Remove, ...]:
    return tuple(o for step in case.plan.steps for o in way(step) if isinstance(o, Place | Remove))


def _require_delivered(case: Case, places: set[RepoPath]) -> None:
    """With `delivery: verify` nothing is written: the host's own copy must match already."""
    if case.release.module.delivery is Delivery.VERIFY and places:
        raise PrepareFailed(
            "the host's copy does not match",
            detail=f"{case.plan.host.name}: {', '.join(sorted(places))} (spec.delivery is verify)",
            hint="bring the host's checkout to the planned commit, then plan again",
            host=case.plan.host.name,
        )


def _succeed(session: HostSession, command: Command, summary: str) -> None:
    done = session.ask(command)
    if done.status:
        raise PrepareFailed(summary, detail=done.complaint[-1000:], hint="look at the host, then plan again")


def _run(
    parts: Parts, case: Case, session: HostSession, driver: Driver, previous: Receipt | None, show_logs: bool
) -> Apply:
    """Steps 11 to 13, ready to begin."""
    module = case.release.module
    wish = Wish(
        entry=case.release.host,
        project=module.runtime.project,
        services=frozenset(case.plan.closure),
        one_shots=driver.one_shots(case.release),
        may_change=frozenset(case.plan.touched_services),
        images={c.service: str(c.after["image_id"]) for c in case.plan.changes if c.after},
        health=module.health,
        canary=module.canary,
        show_logs=show_logs,
    )
    back = _wish_for_nothing(wish, case.plan) if previous is None else _wish_for(parts, case, wish, driver, previous)
    interrupted: Callable[[], bool] = lambda: parts.interrupted() is not None  # noqa: E731
    return Apply(
        case.verified,
        wish,
        back,
        leave=module.rollback is Strategy.NONE or not case.plan.rollback.ready,
        hands=session,
        driver=driver,
        tell=parts.tell,
        clock=parts.clock,
        interrupted=interrupted,
    )


def _wish_for_nothing(wish: Wish, plan: Plan) -> Wish:
    """After the undo of a first deploy: what it created is gone, what was there runs as before."""
    created = frozenset(change.service for change in plan.changes if change.action is Action.CREATE)
    images = {str(c.service): str(c.before["image_id"]) for c in plan.changes if c.before}
    return replace(wish, services=wish.services - created, absent=created, images=images, canary=None)


def _wish_for(parts: Parts, case: Case, wish: Wish, driver: Driver, previous: Receipt) -> Wish:
    """After the undo of a later one: the previous release, as its receipt names it, by its own manifest's standards.

    A job is put back without being run again, so that nothing is asked of it.
    """
    services = frozenset(map(ServiceName, previous.closure))
    job = {case.release.module.runtime.compose_service} if case.release.module.kind is ModuleKind.JOB else set()
    back = replace(
        wish,
        services=services - job,
        absent=wish.services - services,
        images={c.service: str(c.image_id) for c in previous.containers},
        canary=None,
    )
    try:
        then = release_at(parts, case.roots, previous.source_sha, case.plan.module)
    except Refusal:
        return back  # this clone does not have that commit: health by today's standards, and no canary
    return replace(back, one_shots=driver.one_shots(then), health=then.module.health, canary=then.module.canary)
