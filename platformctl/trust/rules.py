"""What must hold before a plan may run, as small rules that compose.

A rule returns every reason against a plan, so that people see all of them at once. Combining no rules is a refusal: an
empty policy allows nothing. What needs git or the host is not judged here: that the commit is merged, that the trust
roots are not older than the host remembers (`history`), that the plan was not used before.
"""

from collections.abc import Sequence

from platformctl.errors import (
    ApprovalMismatch,
    DestructiveNeedsApproval,
    InvalidInput,
    PolicyViolation,
    Refusal,
    StalePlan,
)
from platformctl.model.moment import SIGNER_SKEW, Moment
from platformctl.model.names import GitSha
from platformctl.model.policy import ApprovalRule
from platformctl.trust.evidence import CountedApproval, Evidence, Rule

Reasons = tuple[Refusal, ...]


def for_apply(approvals: ApprovalRule, *, tool_version: str) -> Rule:
    """Return the rule that a plan is applied under; reasons come in the order of its parts."""
    return all_of(
        made_by(tool_version),
        is_of_approved_commit,
        is_listed_truly,
        is_not_speculative,
        is_not_dirty,
        is_not_from_the_future,
        is_in_date,
        any_of(has_quorum_of_index(approvals), has_quorum(approvals)),
    )


def all_of(*rules: Rule) -> Rule:
    """Return the rule that holds when all `rules` do."""
    return lambda evidence: _NO_RULE if not rules else tuple(reason for rule in rules for reason in rule(evidence))


def any_of(*rules: Rule) -> Rule:
    """Return the rule that holds when one of `rules` does; else it gives the reasons of the one with the fewest."""
    return lambda evidence: min((rule(evidence) for rule in rules), key=len, default=_NO_RULE)


def approved_sha(text: str) -> GitSha:
    """Return the commit the operator named as approved; raises `ApprovalMismatch` unless it is a full commit id."""
    try:
        return GitSha.parse(text)
    except InvalidInput as error:
        raise ApprovalMismatch(
            "the approved commit is not a full commit id",
            detail=f"expected {GitSha.meaning}",
            hint="git rev-parse COMMIT",
            reason="sha",
        ) from error


def made_by(tool_version: str) -> Rule:
    """Return the rule that the plan was made by `tool_version` of this tool, patch number aside."""

    def reasons(evidence: Evidence) -> Reasons:
        if _minor(evidence.plan.tool_version) == _minor(tool_version):
            return ()
        detail = f"made by {evidence.plan.tool_version}, this is {tool_version}"
        return (StalePlan("a plan is of another version of platformctl", detail=detail, reason="tool_version"),)

    return reasons


def is_of_approved_commit(evidence: Evidence) -> Reasons:
    """Require that the commit that was planned is the one the operator named."""
    if evidence.head is None or evidence.head == evidence.plan.source_sha:
        return ()
    return _mismatch(
        "sha", "the plan is of another commit", f"of {evidence.plan.source_sha}, approved was {evidence.head}"
    )


def is_listed_truly(evidence: Evidence) -> Reasons:
    """Require that the index, if there is one, lists the plan and says of it what it says of itself."""
    if evidence.index is None:
        return ()
    entry, plan = evidence.index.index.entry(evidence.digest), evidence.plan
    told = entry and (entry.module, entry.host, entry.destructive, evidence.index.index.source_sha)
    if told == (plan.module, plan.host.name, plan.destructive, plan.source_sha):
        return ()
    return _mismatch("digest", "the index does not list this plan as it is", f"index {evidence.index.digest}")


def is_not_speculative(evidence: Evidence) -> Reasons:
    """Require that the plan was made to be applied."""
    if not evidence.plan.speculative:
        return ()
    return _mismatch("speculative", "a speculative plan can not be applied", "it was made without asking the host")


def is_not_dirty(evidence: Evidence) -> Reasons:
    """Require that everything the plan was made from is in the commit it names."""
    if not evidence.plan.source_dirty:
        return ()
    return _mismatch("dirty", "a plan of uncommitted files can not be applied", f"beside {evidence.plan.source_sha}")


def is_not_from_the_future(evidence: Evidence) -> Reasons:
    """The plan was made before now, give or take `SIGNER_SKEW`."""
    if Moment(evidence.plan.created_at).at <= evidence.now + SIGNER_SKEW:
        return ()
    return _mismatch("created_in_future", "a plan is from the future", f"made at {evidence.plan.created_at}")


def is_in_date(evidence: Evidence) -> Reasons:
    """Require that the plan has not expired."""
    if evidence.now < Moment(evidence.plan.expires_at).at:
        return ()
    detail = f"it ended at {evidence.plan.expires_at}"
    return (StalePlan("a plan has expired", detail=detail, hint="platformctl plan", reason="plan_expired"),)


def has_quorum(rule: ApprovalRule) -> Rule:
    """Return the rule that enough people approved the plan itself."""

    def reasons(evidence: Evidence) -> Reasons:
        needed = rule.people_for(evidence.plan.host.name, destructive=evidence.plan.destructive)
        of_plan = [approval for approval in evidence.approvals if not approval.of_index]
        return _short_of(needed, of_plan, rule, evidence)

    return reasons


def has_quorum_of_index(rule: ApprovalRule) -> Rule:
    """Return the rule that enough people approved the index: as many as its most demanding plan needs.

    Approvals of the plan itself count too. If there is no index, this asks for the plan's own quorum.
    """

    def reasons(evidence: Evidence) -> Reasons:
        if evidence.index is None:
            return has_quorum(rule)(evidence)
        return _short_of(evidence.index.index.people_for(rule), evidence.approvals, rule, evidence)

    return reasons


def _short_of(needed: int, counted: Sequence[CountedApproval], rule: ApprovalRule, evidence: Evidence) -> Reasons:
    """Return the reasons if too few approve. People are counted: with two keys or two approvals one is one person."""
    if not evidence.plan.has_changes:
        return ()
    if needed < 1:
        return (PolicyViolation("the policy asks for nobody's approval", hint=_ASK_SOMEBODY),)
    valid = [approval for approval in counted if approval.signer.hardware or not rule.hardware_only]
    people = {approval.signer.principal for approval in valid}
    if len(people) < needed:
        return (*evidence.discounted, _missing(len(people), needed, rule))
    allowing = {approval.signer.principal for approval in valid if approval.allows_destructive}
    if evidence.plan.destructive and len(allowing) < needed:
        return (_destructive(len(allowing), needed, evidence),)
    return ()


def _missing(found: int, needed: int, rule: ApprovalRule) -> Refusal:
    keys = ", with keys that can not leave their hardware" if rule.hardware_only else ""
    return ApprovalMismatch(
        "a plan is not approved",
        detail=f"approved by {found} of {needed} people{keys}",
        hint="platformctl approve PLAN",
        reason="approval_missing",
    )


def _destructive(found: int, needed: int, evidence: Evidence) -> Refusal:
    return DestructiveNeedsApproval(
        "a destructive plan needs approvals that allow it",
        detail=f"{evidence.plan.module} on {evidence.plan.host.name}: allowed by {found} of {needed} people",
        hint="platformctl approve PLAN --allow-destructive",
    )


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _mismatch(reason: str, summary: str, detail: str) -> Reasons:
    return (ApprovalMismatch(summary, detail=detail, hint="platformctl plan", reason=reason),)


_ASK_SOMEBODY = "set approvals.required in .platform/policy.yaml to 1 or more"
_NO_RULE: Reasons = (PolicyViolation("no rule says that a plan may run", hint=_ASK_SOMEBODY),)
