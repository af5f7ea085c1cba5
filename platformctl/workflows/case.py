"""A plan that may run as far as this machine can tell: steps 1 to 4 of docs/architecture.md."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from platformctl.applying.run import in_words
from platformctl.errors import (
    PolicyViolation,
    Refusal,
    StalePlan,
)
from platformctl.model.desired import Release
from platformctl.model.finding import Finding
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, GitSha, HostName
from platformctl.model.plan import Plan, PlannedHost, PlannedImage
from platformctl.model.policy import TrustRoots
from platformctl.planning.build import planned_host
from platformctl.policy.plans import require_phase
from platformctl.trust.envelope import Envelope
from platformctl.trust.plan_codec import encode_plan
from platformctl.trust.rules import approved_sha, for_apply
from platformctl.trust.verify import VerifiedPlan
from platformctl.trust.verify import verify as verify_plan
from platformctl.workflows.desire import planned_release, require_merged
from platformctl.workflows.parts import Parts, keyring
from platformctl.workflows.signed import read_plan


@dataclass(frozen=True)
class ApplyRequest:
    """What the operator gave. `key` signs the receipt; `lock_wait` is in seconds.

    `phase` is the one that the environment sets, if any. `index` is an index that lists the plan, if one is known
    already.
    """

    plan: Path
    approved_sha: str
    key: Path
    approved_pr: int | None = None
    approvals: tuple[Path, ...] = ()
    lock_wait: float = 0.0
    phase: int | None = None
    index: Envelope | None = None


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
    warnings: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        """The plan itself."""
        return self.verified.plan

    @property
    def payload(self) -> bytes:
        """The plan's bytes. They are staged with its files, so that `recover` in another clone finds them by digest."""
        return encode_plan(self.plan)


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


def verified_plan(parts: Parts, request: ApplyRequest, roots: TrustRoots) -> VerifiedPlan:
    """Do steps 1 to 3: verify signatures, approvals and dates, then require that the commit is merged.

    Signatures are verified over the bytes as they were read.
    """
    file = read_plan(parts, request.plan, request.approvals, request.index)
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


def same_release(parts: Parts, plan: Plan, roots: TrustRoots) -> Release:
    """Do step 4: git's objects must give the planned release, and nothing merged since may replace it.

    Raises `StalePlan`: `host_entry_changed`, `changed` or `superseded`.
    """
    release = planned_release(parts, roots, plan.source_sha, plan)
    if changed := _changed_fields(plan.host, planned_host(release.host)):
        detail = f"{plan.host.name}: {', '.join(changed)}"
        raise stale("host_entry_changed", "the allow-list's entry of the host is not the planned one", detail)
    if release.digest != plan.desired:
        raise stale("changed", "the files of the commit do not give the planned release", plan.source_sha)
    trusted = roots.commit or parts.repository.trusted_ref(None)
    merged = release.inputs if trusted == plan.source_sha else _inputs_at(parts, roots, trusted, plan)
    if merged != release.inputs:
        how = "changed" if merged else "removed, or made unreadable,"
        detail = f"{how} by {trusted}, planned was {plan.source_sha}"
        raise stale("superseded", "the module's files were changed since", detail)
    return release


def _changed_fields(planned: PlannedHost, now: PlannedHost) -> list[str]:
    return [each.name for each in fields(planned) if getattr(planned, each.name) != getattr(now, each.name)]


def _inputs_at(parts: Parts, roots: TrustRoots, commit: GitSha, plan: Plan) -> Digest | None:
    try:
        return planned_release(parts, roots, commit, plan).inputs
    except Refusal:
        return None


def stale(reason: str, summary: str, detail: str, host: HostName | None = None) -> StalePlan:
    return StalePlan(summary, detail=detail, hint="platformctl plan", reason=reason, host=host)
