"""The judge: every rule over a release, and which findings a waiver turns into warnings."""

from collections.abc import Iterator
from typing import Final

from platformctl.model.desired import Finding, Policy, Release, Waiver
from platformctl.policy.canary import CANARY
from platformctl.policy.images import IMAGE_RULES
from platformctl.policy.keys import UNKNOWN_KEY
from platformctl.policy.logs import LOG_RULES
from platformctl.policy.mounts import MOUNT_RULES
from platformctl.policy.networks import NETWORK_RULES
from platformctl.policy.own import OWN_RULES
from platformctl.policy.rules import Case, Rule, Sighting
from platformctl.policy.sections import SECTION_RULES
from platformctl.policy.services import SERVICE_RULES

RULES: Final[tuple[Rule, ...]] = (
    *(*SERVICE_RULES, *MOUNT_RULES, *SECTION_RULES, *NETWORK_RULES, *LOG_RULES),
    *(UNKNOWN_KEY, CANARY, *IMAGE_RULES, *OWN_RULES),
)


def judge(release: Release, policy: Policy, today: str, *, planning: bool = True) -> tuple[Finding, ...]:
    """Return everything policy has to say about `release` on `today` (ISO date), denials first, then by line.

    A denial with a waiver that has not expired is a warning that carries the waiver's reason. `planning` False is for
    `validate`, where a variable that is still without a value only warns.
    """
    case = Case(release, policy)
    findings = (_finding(rule, seen, case, today, planning) for rule in RULES for seen in rule.look(case))
    return tuple(sorted(findings, key=_gravity))


def _finding(rule: Rule, seen: Sighting, case: Case, today: str, planning: bool) -> Finding:
    denies = not rule.only_warns and (planning or not rule.plans_only)
    waiver = _waiver(rule, case)
    holds = waiver is not None and rule.waivable and waiver.expires >= today
    return Finding(
        module=case.module.id,
        rule=rule.id,
        severity="deny" if denies and not holds else "warn",
        file=case.module.path if seen.in_manifest else case.compose.path,
        line=None if seen.in_manifest else case.compose.line_of(seen.field),
        field=seen.field,
        message=f"{seen.what}: {rule.why}",
        hint="; ".join([rule.instead, *_remark(rule, waiver, holds)]),
        waiver=waiver.reason if waiver and holds else None,
    )


def _waiver(rule: Rule, case: Case) -> Waiver | None:
    """The waiver that lasts longest for this rule and module."""
    mine = (w for w in case.policy.waivers if w.module == case.module.id and w.rule == rule.id)
    return max(mine, key=lambda waiver: waiver.expires, default=None)


def _remark(rule: Rule, waiver: Waiver | None, holds: bool) -> Iterator[str]:
    """Why a waiver that somebody wrote does not help."""
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
