"""Remember how an apply ended: receipt and record on the host, state and audit here, and the operator's report.

Nothing in here can undo what was done: what can not be written after a success is a warning, and the exit code stays.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from platformctl.applying.proof import INTERRUPTED
from platformctl.errors import ExitCode, OutcomeUnknown, Refusal
from platformctl.model.command import Command
from platformctl.model.frozen import dataclass
from platformctl.model.names import GitSha
from platformctl.model.observed import Container, Observation
from platformctl.model.reports import AppliedService, ApplyReport
from platformctl.model.result import ApplyResult, ContainerHealth
from platformctl.model.state import (
    RECEIPT_PAYLOAD_TYPE,
    ModuleStatus,
    Quarantine,
    Receipt,
    RunningContainer,
    TrustSeen,
)
from platformctl.planning.settled import computed
from platformctl.session import HostSession
from platformctl.store import host_records
from platformctl.store.host import HostLayout
from platformctl.trust import envelope
from platformctl.trust.keys import seal
from platformctl.trust.signers import RECEIPT
from platformctl.trust.verify import VerifiedPlan
from platformctl.workflows.auditing import NOT_HEARD, Told, behind
from platformctl.workflows.case import Case
from platformctl.workflows.parts import Parts, moment, shown
from platformctl.workflows.records import Memory, next_record, receipt_payload, record_bytes

_Made = TypeVar("_Made")

_OPEN = "the host's journal stays open: platformctl recover"
LOG_TAIL = 2000
"""How many characters of a failed container's last lines a receipt keeps: a record has up to fifty receipts."""

_STATUS = {
    ExitCode.NO_CHANGES: ("no_changes", "no"),
    ExitCode.APPLIED: ("applied", "yes"),
    ExitCode.UNHEALTHY: ("unhealthy", "yes"),
    ExitCode.ROLLED_BACK: ("rolled_back", "yes"),
    ExitCode.ROLLBACK_FAILED: ("failed", "yes"),
    ExitCode.REMOTE_FAILED: ("failed", "yes"),
}


@dataclass(frozen=True)
class Outcome:
    """The result of an apply, the file that its state was written to, and what could not be written."""

    result: ApplyResult
    state_artifact: str | None = None
    warnings: tuple[str, ...] = ()


def remember_outcome(
    parts: Parts,
    case: Case,
    session: HostSession,
    memory: Memory,
    result: ApplyResult,
    seen: TrustSeen,
    observation: Observation,
) -> Outcome:
    """Write everything down, each part on its own, so that one that fails does not keep the others from it.

    `observation` is the one that the plan was compared with. Raises nothing: the host is as it is. The host's journal
    stays open, for `recover`, if the outcome is unknown or the host does not know of it.
    """
    warnings = [*case.warnings, *([_OPEN] if result.lost else [])]
    receipt = _attempt("the receipt", warnings, lambda: _receipt(parts, case, result, observation))
    if receipt is None:
        return Outcome(result, warnings=(*warnings, *([] if result.lost else [_OPEN])))
    sealed = _attempt("the receipt", warnings, lambda: _sealed(parts, case, receipt))
    told = Told(receipt.applied_at, "apply", _audit_fields(receipt, sealed or ""))
    record = _attempt("the host record", warnings, lambda: _record(case, memory, receipt, sealed, seen, result))
    audit = _attempt(
        "the host's audit record", warnings, lambda: behind(case.release.host, memory.recalled.audit_tail, told)
    )
    heard = _write_on_host(session, receipt.outcome, record, audit, warnings, settle=not result.lost)
    here = told.fields if heard else {**told.fields, **NOT_HEARD}
    _attempt("the audit record", warnings, lambda: parts.audit.append(told.at, told.event, here))
    artifact = _attempt("the state", warnings, lambda: _write_state(parts, case, receipt, result))
    return Outcome(result, artifact, tuple(warnings))


def _write_on_host(
    session: HostSession,
    outcome: str,
    record: Command | None,
    audit: Command | None,
    warnings: list[str],
    *,
    settle: bool,
) -> bool:
    """Write the record, the journal's end and the audit record in one exchange.

    If that fails, the audit record is written alone; without `settle` the journal stays open. Returns whether the host
    is known to have its audit record.
    """
    commands = [command for command in (record, audit) if command is not None]
    if settle and record is not None:
        then = commands[1:]
        if _did("the host record", warnings, lambda: session.settle(outcome, first=(record,), then=then)):
            return audit is not None
        commands = then
    done = [_did("what the host remembers", warnings, partial(session.write, each)) for each in commands]
    return audit is not None and done[-1]


def _did(what: str, warnings: list[str], deed: Callable[[], None]) -> bool:
    """Whether `deed` came to its end; a warning where it did not."""

    def done() -> bool:
        deed()
        return True

    return bool(_attempt(what, warnings, done))


def _attempt(what: str, warnings: list[str], deed: Callable[[], _Made]) -> _Made | None:
    """Return what `deed` returns; if it fails, add a warning and return None."""
    try:
        return deed()
    except (Refusal, OutcomeUnknown) as problem:
        warnings.append(f"{what} could not be written: {problem.summary} ({problem.detail})")
    except Exception as mistake:  # noqa: BLE001 - a mistake of ours must not hide what became of the host
        warnings.append(f"{what} could not be written: platformctl made a mistake ({type(mistake).__name__})")
    return None


def _sealed(parts: Parts, case: Case, receipt: Receipt) -> str:
    payload = receipt_payload(receipt)
    return envelope.write(seal(payload, RECEIPT_PAYLOAD_TYPE, case.key, RECEIPT, parts.environment)).decode()


def report_of(verified: VerifiedPlan, outcome: Outcome) -> ApplyReport:
    """Return what the operator is told."""
    plan, result = verified.plan, outcome.result
    status, mutated = ("unknown", "unknown") if result.lost else _STATUS[result.exit_code]
    proof = result.proof
    main = str(plan.closure[-1]) if plan.closure else ""
    applied = (AppliedService(plan.module, plan.host.name, main),) if result.exit_code is ExitCode.APPLIED else ()
    return ApplyReport(
        exit_code=result.exit_code,
        status=status,
        mutated=mutated,
        module=plan.module,
        host=plan.host.name,
        plan_digest=verified.digest,
        source_sha=plan.source_sha,
        reason=result.reason,
        applied=applied,
        containers=tuple(
            {"service": c.service, "id": c.id, "image": c.image_id, "state": c.state} for c in _seen(result)
        ),
        unplanned=result.unplanned,
        health=proof.health if proof else (),
        canary=proof.canary if proof else None,
        rollback=result.undone,
        quarantined=_is_quarantined(result),
        state_artifact=outcome.state_artifact,
        warnings=outcome.warnings,
    )


def _seen(result: ApplyResult) -> tuple[Container, ...]:
    return result.proof.containers if result.proof else ()


def _receipt(parts: Parts, case: Case, result: ApplyResult, observation: Observation) -> Receipt:
    plan = case.plan
    driver = parts.driver_of(case.release.module)
    closure = () if case.release.gone else plan.closure
    containers = tuple(c for c in _seen(result) if c.service in closure and not c.oneoff)
    proven = result.exit_code is ExitCode.APPLIED and not case.release.gone
    return Receipt(
        module=plan.module,
        host=plan.host.name,
        outcome=result.exit_code.name,
        plan_digest=case.verified.digest,
        source_sha=plan.source_sha,
        desired=plan.desired,
        applied_at=moment(parts.clock.now()),
        applied_by=parts.operator,
        pull_request=case.pull_request,
        files=plan.files,
        images=plan.images,
        up=() if case.release.gone else driver.bring_up(case.release),
        closure=tuple(closure),
        containers=tuple(RunningContainer(c.service, c.id, c.image_id) for c in containers),
        computed=computed(case.release, observation, containers, driver) if proven else None,
        host_files=observation.host_files,
        failed=tuple(_cleaned(parts, each) for each in result.proof.health if not each.healthy) if result.proof else (),
    )


def _cleaned(parts: Parts, failed: ContainerHealth) -> ContainerHealth:
    """Return a failed service's health with its words passed through the sink, and its log cut.

    A container may say anything, a host keeps it for long, and others read it.
    """
    return replace(failed, reason=parts.clean(failed.reason), log=parts.clean(failed.log)[-LOG_TAIL:])


def _record(
    case: Case, memory: Memory, receipt: Receipt, sealed: str | None, seen: TrustSeen, result: ApplyResult
) -> Command:
    """Return the command that writes the next host record. Without a receipt, too, the plan counts as consumed."""
    record = memory.record
    changes = {
        "consumed": (*record.consumed, receipt.plan_digest),
        "trust": seen,
        "quarantine": (*record.quarantine, *_quarantine(receipt, result)),
    }
    content = record_bytes(next_record(record, **changes), (*memory.envelopes, *([sealed] if sealed else [])))
    layout = HostLayout(case.release.host.root)
    return host_records.write_record(layout, record.module, content, replacing=memory.content)


def _quarantine(receipt: Receipt, result: ApplyResult) -> tuple[Quarantine, ...]:
    """Return a quarantine of the release if it was rolled back: it is refused until somebody lifts that."""
    if not _is_quarantined(result):
        return ()
    return (Quarantine(receipt.desired, receipt.source_sha, result.reason, receipt.applied_at),)


def _is_quarantined(result: ApplyResult) -> bool:
    return result.exit_code is ExitCode.ROLLED_BACK and result.reason != INTERRUPTED


def _write_state(parts: Parts, case: Case, receipt: Receipt, result: ApplyResult) -> str | None:
    """Write this clone's state of the module, and return its path; None if there is nothing to write.

    The last release that was proven to work stays; a failed attempt is noted beside it, if there is one.
    """
    before = parts.states.read(receipt.module)
    attempt = {
        "outcome": receipt.outcome,
        "source_sha": str(receipt.source_sha),
        "at": receipt.applied_at,
        "reason": result.reason,
    }
    if result.exit_code is ExitCode.APPLIED:
        status = _status(case, receipt, before.last_apply_sha if before else None, attempt)
    elif before is not None:
        status = replace(before, attempt=attempt)
    else:
        return None
    serial = before.serial + 1 if before else 1
    return shown(parts, parts.states.write(replace(status, serial=serial)))


def _status(case: Case, receipt: Receipt, previous: GitSha | None, attempt: dict[str, str]) -> ModuleStatus:
    return ModuleStatus(
        module=receipt.module,
        host=receipt.host,
        last_apply_sha=receipt.source_sha,
        last_apply_pr=receipt.pull_request,
        plan_digest=receipt.plan_digest,
        applied_at=receipt.applied_at,
        desired=receipt.desired,
        inputs=case.release.inputs,
        files=receipt.files,
        images=receipt.images,
        containers=receipt.containers,
        previous=previous,
        attempt=attempt,
    )


def _audit_fields(receipt: Receipt, sealed: str) -> Mapping[str, str]:
    """Return the fields of the audit record, the same for this clone's chain and the host's."""
    return {
        "module": str(receipt.module),
        "host": str(receipt.host),
        "plan": str(receipt.plan_digest),
        "outcome": receipt.outcome,
        "receipt": sealed,
    }
