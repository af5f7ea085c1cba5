"""Verify, plan again, run, and prove, in the order of safety: the numbered steps of docs/architecture.md."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from platformctl.drivers.interface import Driver
from platformctl.errors import (
    ExitCode,
    Interrupted,
    PrepareFailed,
    Refusal,
    StalePlan,
    Terminated,
    ToolError,
    Unreachable,
)
from platformctl.model.desired import HostEntry
from platformctl.model.events import IntentWritten, LockTaken, Settled
from platformctl.model.plan import Plan
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import ApplyReport
from platformctl.model.result import ApplyResult
from platformctl.model.state import TrustSeen
from platformctl.planning.build import Circumstances
from platformctl.planning.compare import differences
from platformctl.policy.plans import check_targets
from platformctl.session import HostSession
from platformctl.store import lock
from platformctl.store.patience import Patience
from platformctl.workflows.case import ApplyRequest, Case, refuse_unarmed, same_release, stale, verified_plan
from platformctl.workflows.desire import agreed, owners_at
from platformctl.workflows.guess import by_plan
from platformctl.workflows.hosts import Hosts, hosts
from platformctl.workflows.looking import Seen, look
from platformctl.workflows.outcome import Outcome, remember_outcome, report_of
from platformctl.workflows.parts import Parts, keyring, moment, trust_roots
from platformctl.workflows.preparing import preparation, prepare, refuse_interrupted
from platformctl.workflows.pull_request import require_pull_request
from platformctl.workflows.readiness import learn_secrets, make_run
from platformctl.workflows.records import refuse_unsettled, require_receipt_key
from platformctl.workflows.release_plan import plan_release
from platformctl.workflows.remembered import refuse_by_record


def apply_plan(parts: Parts, request: ApplyRequest) -> ApplyReport:
    """Apply one approved plan, and report how it ended.

    Raises every refusal of steps 1 to 10. From the first mutation on, the report tells what went wrong.
    """
    roots = trust_roots(parts)
    parts.get_ready(roots.hosts.values(), (lock.load,))
    case = case_of(parts, request, roots)
    require_key_of(parts, (case,))
    with hosts(parts) as reached:
        return run_case(parts, case, reached)


def case_of(parts: Parts, request: ApplyRequest, roots: TrustRoots) -> Case:
    """Do steps 1 to 4: everything that this machine can check without a host. Raises every refusal of these steps."""
    verified = verified_plan(parts, request, roots)
    release = same_release(parts, verified.plan, roots)
    findings = agreed(release, roots.policy, moment(parts.clock.now())[:10])
    check_targets(verified.plan)
    case = Case(verified, release, roots, findings, request.key, request.approved_pr, request.lock_wait, {})
    refuse_unarmed(request.phase, case)
    warnings = require_pull_request(parts, roots, request.approved_pr, verified.plan.source_sha)
    return replace(case, warnings=warnings)


def require_key_of(parts: Parts, cases: Iterable[Case]) -> None:
    """Raise what `require_receipt_key` raises, if any of the cases will leave a receipt.

    The key is tried once for all cases: a security key has to be touched for each signature.
    """
    changing = next((case for case in cases if case.plan.has_changes), None)
    if changing is not None:
        require_receipt_key(changing.key, keyring(parts, changing.roots), parts.clock.now(), parts.environment)


Sights = Callable[[Parts, Case, Hosts, int], Iterator[Seen]]
"""Yields what is known of a plan's module, under the lock with that token; the last item is from a look made now."""


def own_look(parts: Parts, case: Case, reached: Hosts, _token: int) -> Iterator[Seen]:
    """Yield one look, made for this plan alone."""
    yield Seen(*look(parts, reached, case.release, case.roots, by_plan(case.plan)))


def run_case(parts: Parts, case: Case, reached: Hosts, sights: Sights = own_look) -> ApplyReport:
    """Do steps 5 to 14: connect, lock, look, compare, journal, prepare, run, prove, remember.

    The caller has checked with `require_key_of` that the key can sign the receipt. The host stays locked for the next
    plan, until `reached` lets go of it.
    """
    if not case.plan.has_changes:
        return _unchanged(parts, case, reached)
    parts = _in_its_time(parts, case.release.host)
    driver = parts.driver_of(case.release.module)
    session = _locked(parts, case, reached, driver)
    return _under_lock(parts, case, session, driver, sights(parts, case, reached, session.token))


def _unchanged(parts: Parts, case: Case, reached: Hosts) -> ApplyReport:
    """Report a plan without changes, once it was compared with the host. It consumes nothing."""
    seen = Seen(*look(parts, reached, case.release, case.roots, by_plan(case.plan)))
    _require_same(case, _differences(parts, case, seen))
    return report_of(case.verified, Outcome(ApplyResult(ExitCode.NO_CHANGES, "", None), warnings=case.warnings))


def applied_before(parts: Parts, case: Case, reached: Hosts) -> ApplyReport | None:
    """Return the report of a plan that was used, if that is what was applied last and nothing is to change; else None.

    It looks at the host as for a plan without changes, and uses nothing up. Raises what a look raises, and `Locked`
    where an apply is unsettled.
    """
    seen = Seen(*look(parts, reached, case.release, case.roots, by_plan(case.plan)))
    refuse_unsettled(seen.memory, case.plan.host.name)
    latest = seen.memory.record.latest
    if latest is None or not latest.healthy or latest.plan_digest != case.verified.digest:
        return None
    if not _is_as_left(parts, case, seen):
        return None
    nothing = ApplyResult(ExitCode.NO_CHANGES, "it was applied before", None)
    return report_of(case.verified, Outcome(nothing, warnings=case.warnings))


def _is_as_left(parts: Parts, case: Case, seen: Seen) -> bool:
    """Return whether the host is still as the plan, which was the last one applied there, left it.

    A removal can not be planned again, as nothing is recorded of the module any more. It is as it was left while none
    of the removed services has a container.
    """
    if case.release.gone:
        removed = {change.service for change in case.plan.changes}
        return not any(container.service in removed for container in seen.observation.containers)
    return not _again(parts, case, seen).has_changes


def _locked(parts: Parts, case: Case, reached: Hosts, driver: Driver) -> HostSession:
    """Reach the host and lock it: step 5, and the beginning of step 6. Returns the session in which the plan runs."""
    patience = Patience(case.lock_wait, lambda seconds: _pause(parts, seconds))
    why = f"apply {case.plan.module} {case.verified.digest[:19]}"
    held = reached.lock(case.release.host, driver, why, patience)
    parts.tell(LockTaken(case.release.host.name, held.token))
    return HostSession(held, case.verified.digest, parts.journals, lambda: moment(parts.clock.now()), driver.spoken)


def _under_lock(parts: Parts, case: Case, session: HostSession, driver: Driver, sights: Iterator[Seen]) -> ApplyReport:
    _refuse_expired(parts, case)
    trust, seen = _still_as_planned(parts, case, sights)
    observation, memory = seen.observation, seen.memory
    show_logs = learn_secrets(parts, case.release, session)
    needed = preparation(case, driver, observation, memory.record)
    refuse_interrupted(parts)
    answers = session.consume(needed.with_intent, module=case.plan.module, plan=case.verified.digest, by=parts.operator)
    parts.tell(IntentWritten(case.verified.digest))
    with _untouched(session):
        before = prepare(parts, case, session, driver, observation, needed, answers)
        refuse_interrupted(parts)
        result = make_run(parts, case, session, driver, memory.record.current, show_logs)(before)
    outcome = remember_outcome(parts, case, session, memory, result, trust, observation)
    if not result.lost:
        parts.tell(Settled(result.exit_code.name))
    return report_of(case.verified, outcome)


@contextmanager
def _untouched(session: HostSession) -> Iterator[None]:
    """Settle the journal as not applied if the block raises before any operation may have begun.

    Nothing was touched then, and `Unreachable` and `ToolError` are raised as `PrepareFailed`. If the host can no longer
    be told, its journal stays open and `recover` settles it.
    """
    try:
        yield
    except BaseException as problem:
        if not session.untouched:
            raise
        with suppress(Refusal):
            session.settle("not_applied")
        if isinstance(problem, Unreachable | ToolError):
            raise PrepareFailed(
                problem.summary, detail=problem.detail, hint=problem.hint, reason=problem.reason, host=problem.host
            ) from problem
        raise


def _still_as_planned(parts: Parts, case: Case, sights: Iterator[Seen]) -> tuple[TrustSeen, Seen]:
    """Do the rest of step 6, and step 7: the host remembers nothing against the plan, which is made again the same.

    Returns the trust roots that the host is to remember, and the first of the `sights` from which the plan is the same.
    Raises what `refuse_by_record` raises, and `StalePlan` (`changed`) when none gives the same plan.
    """
    differs: tuple[str, ...] = ()
    for seen in sights:
        trust = refuse_by_record(parts, case.plan, case.verified.digest, case.roots, seen.memory)
        differs = _differences(parts, case, seen)
        if not differs:
            return trust, seen
    _require_same(case, differs)
    raise AssertionError("there is always a look")


def _differences(parts: Parts, case: Case, seen: Seen) -> tuple[str, ...]:
    """Plan again from what was seen, and return how that differs from the plan, field by field."""
    return differences(case.plan, _again(parts, case, seen))


def _again(parts: Parts, case: Case, seen: Seen) -> Plan:
    owners = owners_at(parts, case.roots, case.plan.source_sha, case.release)
    when = Circumstances(
        created_at=moment(parts.clock.now()),
        expires_at=case.plan.expires_at,
        repository=case.plan.source_repo,
        ref=case.plan.source_ref,
        tool_version=parts.tool_version,
        trust=case.roots,
        hide=parts.hide,
    )
    record = seen.memory.record
    return plan_release(parts, case.release, seen.observation, record, when, case.findings, owners, case.pinned)


def _require_same(case: Case, differs: tuple[str, ...]) -> None:
    if differs:
        raise StalePlan(
            "planning again gives a different answer",
            detail="\n".join(differs),
            hint=f"platformctl plan {case.plan.module}",
            reason="changed",
            host=case.plan.host.name,
        )


def _refuse_expired(parts: Parts, case: Case) -> None:
    """Raise `StalePlan` (`plan_expired`) if the plan has expired since it was verified.

    It may have waited for the lock meanwhile, or for its turn among the plans of an index.
    """
    if moment(parts.clock.now()) >= case.plan.expires_at:
        raise stale("plan_expired", "a plan has expired", f"it ended at {case.plan.expires_at}")


def _in_its_time(parts: Parts, host: HostEntry) -> Parts:
    """Return `parts` that also report an interruption once the host's `timeouts.run` seconds have passed.

    The run then stops as it does when a supervisor terminates it.
    """
    if host.timeouts.run is None:
        return parts
    end = parts.clock.monotonic() + host.timeouts.run

    def interrupted() -> type[Interrupted] | None:
        return parts.interrupted() or (Terminated if parts.clock.monotonic() >= end else None)

    return replace(parts, interrupted=interrupted)


def _pause(parts: Parts, seconds: float) -> None:
    """Wait some seconds for the lock; raise as `refuse_interrupted` does when somebody asks to stop."""
    parts.clock.wait(seconds)
    refuse_interrupted(parts)
