"""Say whether a plan would still be applied, and what differs by now: steps 1 to 7 of docs/architecture.md, read only.

Every reason is collected, whereas `apply` stops at the first. Whatever keeps the question from being answered is
raised: a signature that does not hold, a host that does not answer or is not the pinned one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from platformctl.errors import ExitCode, Refusal, StalePlan, ToolError, Unreachable, WrongHost
from platformctl.model.desired import Release
from platformctl.model.names import Digest
from platformctl.model.plan import Plan
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import Difference, ExplainReport
from platformctl.planning.compare import compare
from platformctl.policy.plans import check_targets, require_phase
from platformctl.workflows.case import same_release
from platformctl.workflows.desire import agreed, owners_at, planned_release, require_merged
from platformctl.workflows.hosts import hosts
from platformctl.workflows.looking import look
from platformctl.workflows.parts import Parts, trust_roots
from platformctl.workflows.release_plan import circumstances, plan_release
from platformctl.workflows.remembered import refuse_by_record
from platformctl.workflows.signed import PlanFile, read_plan, reason_of, refuse_index, verdict

T = TypeVar("T")
_UNANSWERED = (Unreachable, WrongHost, ToolError)


@dataclass
class _Against:
    """The reasons against a plan, in the order in which an apply would meet them."""

    found: list[Refusal] = field(default_factory=list)

    def collect(self, check: Callable[[], T]) -> T | None:
        """Return what `check` returns; collect its refusal and return None instead if it refuses.

        A refusal that means that the host could not be asked is raised.
        """
        try:
            return check()
        except _UNANSWERED:
            raise
        except Refusal as refusal:
            self.found.append(refusal)
            return None


def explain(parts: Parts, path: Path, approvals: tuple[Path, ...], environment_phase: int | None) -> ExplainReport:
    """Compare a plan with now. Raises `Unreachable`, `WrongHost` or `ToolError` if the host can not be asked.

    A plan whose signature does not hold is not compared: the reason is raised.
    """
    roots = trust_roots(parts)
    file = read_plan(parts, path, approvals)
    refuse_index(file, "explain")
    found = verdict(parts, file, roots)
    if found.plan is None:
        raise found.refusals[0]
    against = _Against(list(found.refusals))
    against.collect(lambda: require_phase(environment_phase, roots.policy.phase))
    differences = _compared(parts, found.plan, file.sealed.digest, roots, against)
    return _report(found.plan, file, against.found, differences)


def _compared(parts: Parts, plan: Plan, digest: Digest, roots: TrustRoots, against: _Against) -> tuple[Difference, ...]:
    """Return what planning now gives otherwise.

    Empty also where today's files give no plan, which is a reason of its own.
    """
    against.collect(lambda: require_merged(parts, plan.source_sha, roots))
    against.collect(lambda: check_targets(plan))
    against.collect(lambda: same_release(parts, plan, roots))
    release = against.collect(lambda: _release_now(parts, plan, roots, against))
    if release is None:
        return ()
    return against.collect(lambda: _on_host(parts, plan, digest, release, roots, against)) or ()


def _release_now(parts: Parts, plan: Plan, roots: TrustRoots, against: _Against) -> Release:
    """Return the planned release, or the one that was merged since if that replaces it."""
    replaced = any(refusal.reason == "superseded" for refusal in against.found)
    commit = (roots.commit or parts.repository.trusted_ref(None)) if replaced else plan.source_sha
    return planned_release(parts, roots, commit, plan)


def _on_host(
    parts: Parts, plan: Plan, digest: Digest, release: Release, roots: TrustRoots, against: _Against
) -> tuple[Difference, ...]:
    when = circumstances(parts, roots)
    findings = agreed(release, roots.policy, when.created_at[:10])
    with hosts(parts) as reached:
        observation, memory = look(parts, reached, release, roots)
    against.collect(lambda: refuse_by_record(parts, plan, digest, roots, memory))
    owners = owners_at(parts, roots, release.source_sha, release)
    differences = compare(plan, plan_release(parts, release, observation, memory.record, when, findings, owners))
    if differences:
        many = f"{len(differences)} field{'s differ' if len(differences) != 1 else ' differs'}"
        against.found.append(StalePlan("planning again gives a different answer", detail=many, reason="changed"))
    return differences


def _report(plan: Plan, file: PlanFile, found: list[Refusal], differences: tuple[Difference, ...]) -> ExplainReport:
    """Return the report, with staleness first: mending anything else of a stale plan is in vain."""
    found = sorted(found, key=lambda refusal: not isinstance(refusal, StalePlan))
    return ExplainReport(
        exit_code=found[0].exit_code if found else ExitCode.NO_CHANGES,
        status="blocked" if found else "ok",
        module=plan.module,
        host=plan.host.name,
        plan_digest=file.sealed.digest,
        source_sha=plan.source_sha,
        planned_at=plan.created_at,
        stale=any(isinstance(refusal, StalePlan) for refusal in found),
        reasons=tuple(reason_of(refusal, file) for refusal in found),
        differences=differences,
    )
