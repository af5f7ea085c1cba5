"""Apply every rule to a release, and turn findings with a waiver into warnings."""

from collections.abc import Iterator
from typing import Final

from platformctl.model.desired import Release
from platformctl.model.finding import Finding
from platformctl.model.policy import Policy, Waiver
from platformctl.policy.canary import CANARY
from platformctl.policy.images import IMAGE_RULES
from platformctl.policy.keys import UNKNOWN_KEY
from platformctl.policy.logs import LOG_RULES
from platformctl.policy.mounts import MOUNT_RULES
from platformctl.policy.networks import NETWORK_RULES
from platformctl.policy.own import OWN_RULES
from platformctl.policy.rules import Candidate, Rule, Sighting
from platformctl.policy.sections import SECTION_RULES
from platformctl.policy.services import SERVICE_RULES

RULES: Final[tuple[Rule, ...]] = (
    *(*SERVICE_RULES, *MOUNT_RULES, *SECTION_RULES, *NETWORK_RULES, *LOG_RULES),
    *(UNKNOWN_KEY, CANARY, *IMAGE_RULES, *OWN_RULES),
)


def judge(release: Release, policy: Policy, today: str, *, planning: bool = True) -> tuple[Finding, ...]:
    """Return the findings of all rules about `release` on `today` (ISO date), denials first, then by file and line.

    A denial with a waiver that has not expired becomes a warning with the waiver's reason. `validate` sets `planning`
    to False: then rules with `plans_only`, such as the one about variables without a value, only warn.
    """
    candidate = Candidate(release, policy)
    findings = (_finding(rule, seen, candidate, today, planning) for rule in RULES for seen in rule.look(candidate))
    return tuple(sorted(findings, key=_gravity))


def _finding(rule: Rule, seen: Sighting, candidate: Candidate, today: str, planning: bool) -> Finding:
    denies = not rule.only_warns and (planning or not rule.plans_only)
    waiver = _waiver(rule, candidate)
    holds = waiver is not None and rule.waivable and waiver.expires >= today
    return Finding(
        module=candidate.module.id,
        rule=rule.id,
        severity="deny" if denies and not holds else "warn",
        file=candidate.module.path if seen.in_manifest else candidate.compose.path,
        line=None if seen.in_manifest else candidate.compose.line_of(seen.field),
        field=seen.field,
        message=f"{seen.what}: {rule.why}",
        hint="; ".join([rule.instead, *_remark(rule, waiver, holds)]),
        waiver=waiver.reason if waiver and holds else None,
    )


def _waiver(rule: Rule, candidate: Candidate) -> Waiver | None:
    """Return the waiver for this rule and module that expires last, None where there is none."""
    mine = (w for w in candidate.policy.waivers if w.module == candidate.module.id and w.rule == rule.id)
    return max(mine, key=lambda waiver: waiver.expires, default=None)


def _remark(rule: Rule, waiver: Waiver | None, holds: bool) -> Iterator[str]:
    """Yield why a waiver for this rule has no effect; nothing if it has one, or there is no waiver."""
    if waiver is None or holds:
        return
    yield f"its waiver expired on {waiver.expires}" if rule.waivable else "no waiver lifts this rule"


def _gravity(finding: Finding) -> tuple[bool, str, int, str, str, str]:
    return (
        finding.severity != "deny",
        finding.file,
        finding.line or 0,
        finding.rule,
        finding.field,
        finding.message,
    )
