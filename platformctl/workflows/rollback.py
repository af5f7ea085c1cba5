"""The way back as a plan: of a recorded release, signed, approved by one person, and applied like any other."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from platformctl.errors import ExitCode, PolicyViolation, StalePlan, Usage
from platformctl.model.approval import PAYLOAD_TYPE as APPROVAL_TYPE
from platformctl.model.approval import Approval
from platformctl.model.desired import NOTHING, ApprovalRule, Finding, Release, Strategy, TrustRoots
from platformctl.model.names import ModuleId
from platformctl.model.plan import PAYLOAD_TYPE, Plan
from platformctl.model.reports import ApplyReport
from platformctl.model.state import HostRecord, Receipt
from platformctl.policy import judge
from platformctl.trust.approvals import encode_approval
from platformctl.trust.envelope import Envelope
from platformctl.trust.keys import seal
from platformctl.trust.plan_codec import encode_plan
from platformctl.trust.rules import approved_sha, for_apply
from platformctl.trust.verify import VerifiedPlan, verify
from platformctl.workflows.apply import require_key_of, run_case
from platformctl.workflows.approve import NAMESPACE as APPROVAL
from platformctl.workflows.case import Case, refuse_unarmed
from platformctl.workflows.desire import agreed, owners_at, release_at
from platformctl.workflows.hosts import hosts
from platformctl.workflows.looking import look
from platformctl.workflows.parts import Parts, keyring, moment, trust_roots
from platformctl.workflows.plan import circumstances, plan_release
from platformctl.workflows.plan_files import NAMESPACE as PLAN
from platformctl.workflows.status import recall_module


@dataclass(frozen=True)
class RollbackRequest:
    """What the operator asks: which module, and to which commit (None: the release before the current one)."""

    module: str
    to: str | None
    planner_key: Path | None
    key: Path
    phase: int | None
    lock_wait: float = 0.0


def roll_back(parts: Parts, request: RollbackRequest) -> ApplyReport:
    """Go back to a recorded release. Raises `PolicyViolation` where policy does not accept one person's word."""
    roots = trust_roots(parts)
    target = _target(parts, roots, request)
    release = release_at(parts, roots, target.source_sha, ModuleId.parse(request.module))
    findings = _own_findings(parts, roots, release)
    pinned = {image.ref: image for image in target.images}
    owners = owners_at(parts, roots, target.source_sha, release)
    with hosts(parts) as reached:
        observation, memory = look(parts, reached, release, roots)
        when = circumstances(parts, roots)
        plan = plan_release(parts, release, observation, memory.record, when, findings, owners, pinned)
        verified = _verified(parts, roots, request, plan)
        case = Case(verified, release, roots, findings, request.key, None, request.lock_wait, pinned)
        refuse_unarmed(request.phase, case)
        require_key_of(parts, (case,))
        return run_case(parts, case, reached)


def _target(parts: Parts, roots: TrustRoots, request: RollbackRequest) -> Receipt:
    """The receipt to go back to: signed, healthy, and within what policy accepts."""
    record = recall_module(parts, roots, ModuleId.parse(request.module), whole=True).record
    target = before(record)
    if target is None:
        raise PolicyViolation(
            "there is no release to go back to",
            detail=f"{request.module}: none that was proven to work came before the one that is there",
            hint=f"platformctl history {request.module}",
            reason="no_release",
        )
    if request.to is not None and approved_sha(request.to) != target.source_sha:
        raise PolicyViolation(
            "one person may go back by one release only",
            detail=f"{request.module}: the release before is of {target.source_sha}",
            hint="git revert to what you want, have that merged, then plan, approve and apply it",
            reason="rollback",
        )
    _require_preapproved(roots, target, parts.clock.now())
    return target


def before(record: HostRecord) -> Receipt | None:
    """The last release known to work before the one that is there, as last known good is ours to keep.

    Releases are a stack: to come back to one that was there before takes away all that came after it, so that going
    back twice goes further back and never forward again to what was left. One that failed is not on the stack, and none
    is where the module was removed.
    """
    stack: list[Receipt] = []
    for receipt in (signed.receipt for signed in record.receipts if signed.receipt.healthy):
        if receipt.desired == NOTHING:
            stack.clear()
            continue
        known = [n for n, earlier in enumerate(stack) if _same(earlier, receipt)]
        del stack[known[0] if known else len(stack) :]
        stack.append(receipt)
    latest = record.latest
    if stack and latest is not None and (_left_the_proven_one(latest) or _same(stack[-1], latest)):
        stack.pop()
    return stack[-1] if stack else None


def _left_the_proven_one(latest: Receipt) -> bool:
    """Whether the last apply proved its release, or went back to the one that was proven before."""
    return latest.healthy or latest.outcome == ExitCode.ROLLED_BACK.name


def _same(one: Receipt, other: Receipt) -> bool:
    return (one.desired, one.images) == (other.desired, other.images)


def _require_preapproved(roots: TrustRoots, target: Receipt, now: datetime) -> None:
    rule = roots.policy.rollback
    age = (now - datetime.strptime(target.applied_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)).total_seconds()
    if rule.preapproved is not Strategy.PREVIOUS:
        raise PolicyViolation(
            "policy does not accept a rollback by one person",
            detail="rollback.preapproved is none",
            hint="plan the earlier commit and have it approved",
            reason="rollback",
        )
    if age > rule.max_age:
        raise StalePlan(
            "the release is too old to go back to without approval",
            detail=f"applied at {target.applied_at}; policy says at most {rule.max_age} seconds",
            hint="plan the earlier commit and have it approved",
            reason="plan_expired",
        )


def _own_findings(parts: Parts, roots: TrustRoots, release: Release) -> tuple[Finding, ...]:
    """The release ran before: what policy says against it now is carried as a warning, never hidden."""
    today = moment(parts.clock.now())[:10]
    if not any(f.severity == "deny" for f in judge(release, roots.policy, today)):
        return agreed(release, roots.policy, today)
    return tuple(replace(finding, severity="warn") for finding in judge(release, roots.policy, today))


def _verified(parts: Parts, roots: TrustRoots, request: RollbackRequest, plan: Plan) -> VerifiedPlan:
    """Sign, approve with the operator's own key, and verify as apply would, with one person as quorum."""
    if request.planner_key is None:
        raise Usage("there is no key to sign the plan with", hint="name the planner's key with --planner-key")
    sealed = seal(encode_plan(plan), PAYLOAD_TYPE, request.planner_key, PLAN, parts.environment)
    approval = Approval(
        subject=sealed.digest,
        approver=parts.operator,
        hosts=(plan.host.name,),
        source_sha=plan.source_sha,
        allows_destructive=True,
        comment=f"rollback of {plan.module}",
        approved_at=plan.created_at,
        expires_at=plan.expires_at,
    )
    approved: Envelope = seal(encode_approval(approval), APPROVAL_TYPE, request.key, APPROVAL, parts.environment)
    return verify(
        sealed,
        (approved,),
        rule=for_apply(ApprovalRule(), tool_version=parts.tool_version),
        keyring=keyring(parts, roots),
        head=plan.source_sha,
        now=parts.clock.now(),
    )
