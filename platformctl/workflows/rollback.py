"""Go back to a recorded release by a plan that is signed, approved and applied like any other."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from platformctl.errors import (
    ApprovalMismatch,
    DestructiveNeedsApproval,
    Refusal,
    Usage,
)
from platformctl.model.approval import PAYLOAD_TYPE as APPROVAL_TYPE
from platformctl.model.approval import Approval
from platformctl.model.desired import Release
from platformctl.model.finding import Finding
from platformctl.model.frozen import dataclass
from platformctl.model.names import GitSha
from platformctl.model.plan import PAYLOAD_TYPE, Plan
from platformctl.model.policy import ApprovalRule, TrustRoots
from platformctl.model.reports import ApplyReport
from platformctl.model.state import HostRecord
from platformctl.planning.compare import differences
from platformctl.policy import judge
from platformctl.trust.approvals import encode_approval
from platformctl.trust.envelope import Envelope
from platformctl.trust.keys import seal
from platformctl.trust.plan_codec import decode_plan, encode_plan
from platformctl.trust.rules import approved_sha, for_apply
from platformctl.trust.signers import APPROVAL, PLAN
from platformctl.trust.verify import VerifiedPlan, verify
from platformctl.workflows.apply import require_key_of, run_case
from platformctl.workflows.case import Case, refuse_unarmed
from platformctl.workflows.desire import agreed, owners_at, release_at, require_merged
from platformctl.workflows.going_back import target_of
from platformctl.workflows.hosts import hosts
from platformctl.workflows.looking import look
from platformctl.workflows.parts import Parts, keyring, moment, shown, trust_roots
from platformctl.workflows.plan_files import write_plans
from platformctl.workflows.pull_request import require_pull_request
from platformctl.workflows.release_plan import circumstances, plan_release
from platformctl.workflows.signed import PlanFile, read_envelope, read_plan
from platformctl.workflows.status import recall_module


@dataclass(frozen=True)
class RollbackRequest:
    """What the operator asks: which module, and to which commit (None: the release before the present one)."""

    module: str
    to: str | None
    planner_key: Path | None
    key: Path
    phase: int | None
    lock_wait: float = 0.0
    approved_pr: int | None = None


def roll_back(parts: Parts, request: RollbackRequest) -> ApplyReport:
    """Go back to a recorded release.

    One person may approve going back to the release before, if policy says so. Any other needs the approvals of an
    apply: if they are missing, the plan is written for people to approve, and the same rollback continues from there.
    Raises `PolicyViolation` if there is no such release, and what an apply raises.
    """
    roots = trust_roots(parts)
    record = recall_module(parts, roots, request.module)[1].record
    wanted = None if request.to is None else _full(request.to, record)
    target, alone = target_of(record, wanted, roots.policy.rollback, parts.clock.now())
    release = release_at(parts, roots, target.source_sha, record.module)
    findings = _own_findings(parts, roots, release) if alone else _agreed(parts, roots, release)
    warnings = () if alone else require_pull_request(parts, roots, request.approved_pr, target.source_sha)
    pinned = {image.ref: image for image in target.images}
    owners = owners_at(parts, roots, target.source_sha, release)
    with hosts(parts) as reached:
        observation, memory = look(parts, reached, release, roots)
        when = circumstances(parts, roots)
        plan = plan_release(parts, release, observation, memory.record, when, findings, owners, pinned)
        by_one = alone or not plan.has_changes
        verified = (_verified if by_one else _approved)(parts, roots, request, plan)
        key, wait = request.key, request.lock_wait
        case = Case(verified, release, roots, findings, key, request.approved_pr, wait, pinned, warnings)
        refuse_unarmed(request.phase, case)
        require_key_of(parts, (case,))
        return run_case(parts, case, reached)


def _full(text: str, record: HostRecord) -> GitSha:
    """Return the commit of `--to`; raise `ApprovalMismatch` (`sha`) unless it is a full commit id.

    `history` shows only the beginning of commits, so the hint names those that begin like this.
    """
    try:
        return approved_sha(text)
    except ApprovalMismatch as refusal:
        there = {each.receipt.source_sha for each in record.receipts if each.receipt.healthy}
        meant = sorted(commit for commit in there if text and commit.startswith(text.lower()))
        raise ApprovalMismatch(
            "the commit to go back to is not a full commit id",
            detail=refusal.detail,
            hint=" or ".join(f"platformctl rollback {record.module} --to {commit}" for commit in meant) or refusal.hint,
            reason=refusal.reason,
        ) from refusal


def _agreed(parts: Parts, roots: TrustRoots, release: Release) -> tuple[Finding, ...]:
    """Require what any apply requires: the commit is merged, and policy has no denial today. Returns its findings."""
    require_merged(parts, release.source_sha, roots)
    return agreed(release, roots.policy, moment(parts.clock.now())[:10])


def _own_findings(parts: Parts, roots: TrustRoots, release: Release) -> tuple[Finding, ...]:
    """Return what policy says of a release that ran before: denials are carried as warnings, never hidden."""
    today = moment(parts.clock.now())[:10]
    if not any(f.severity == "deny" for f in judge(release, roots.policy, today)):
        return agreed(release, roots.policy, today)
    return tuple(replace(finding, severity="warn") for finding in judge(release, roots.policy, today))


def _verified(parts: Parts, roots: TrustRoots, request: RollbackRequest, plan: Plan) -> VerifiedPlan:
    """Sign the plan, approve it with the operator's own key, and verify it as apply would, with a quorum of one."""
    sealed = seal(encode_plan(plan), PAYLOAD_TYPE, _require_planner_key(request), PLAN, parts.environment)
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


def _approved(parts: Parts, roots: TrustRoots, request: RollbackRequest, plan: Plan) -> VerifiedPlan:
    """Return the plan as people approved it before; else write it, and raise for want of approvals.

    What was approved counts while planning gives the very same changes and steps.
    """
    rule = for_apply(roots.policy.approvals, tool_version=parts.tool_version)
    ring, now = keyring(parts, roots), parts.clock.now()
    file = _waiting(parts, plan) or _written(parts, request, plan)
    try:
        return verify(
            file.sealed, file.approvals, rule=rule, keyring=ring, head=plan.source_sha, now=now, index=file.index
        )
    except (ApprovalMismatch, DestructiveNeedsApproval) as refusal:
        raise type(refusal)(
            refusal.summary,
            detail=refusal.detail,
            hint=f"platformctl approve {shown(parts, file.path) or file.path}, then the same rollback again",
            reason=refusal.reason,
            host=plan.host.name,
        ) from refusal


def _waiting(parts: Parts, plan: Plan) -> PlanFile | None:
    """Return the newest plan of this clone that says the same and is in date, or None.

    Whether its signature holds is checked later.
    """
    found: list[tuple[str, Path]] = []
    for path in (parts.platform / "plans").glob("*.json"):
        with suppress(Refusal):
            sealed = read_envelope(path)
            if sealed.payload_type == PAYLOAD_TYPE:
                theirs = decode_plan(sealed.payload)
                if theirs.expires_at > plan.created_at and not differences(theirs, plan):
                    found.append((theirs.created_at, path))
    return read_plan(parts, max(found)[1]) if found else None


def _written(parts: Parts, request: RollbackRequest, plan: Plan) -> PlanFile:
    _require_planner_key(request)
    ((planned,), _) = write_plans(parts, (plan,), request.planner_key, None, head=None)
    return read_plan(parts, parts.root / str(planned.path))


def _require_planner_key(request: RollbackRequest) -> Path:
    if request.planner_key is None:
        raise Usage("there is no key to sign the plan with", hint="name the planner's key with --planner-key")
    return request.planner_key
