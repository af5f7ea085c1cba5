"""Checks of a plan that exists, whoever made it: what it may be about, and whether anything may be applied at all."""

from platformctl.errors import InvalidInput, PolicyViolation
from platformctl.model.names import ServiceName
from platformctl.model.plan import TARGET_PREFIX, Plan

ARMED_PHASE = 5
"""The lowest phase in which apply may touch hosts."""


def check_targets(plan: Plan) -> None:
    """Refuse a plan that is about anything but services of its own module's closure.

    Raises `PolicyViolation` for a target that is not `compose.service.<name>`, and for changes that have another
    module's address or a service outside the plan's closure; it names all of these changes.
    """
    for change in plan.changes:
        _require_form(change.target)
    foreign = [c.address for c in plan.changes if c.service not in plan.closure or not _is_own(plan, c.address)]
    if foreign:
        raise PolicyViolation(
            "a plan changes services of more than one module",
            detail=f"multi-module plan: module {plan.module} does not own {', '.join(sorted(foreign))}",
            hint="make one plan for each module and apply them one after the other",
            reason="multi_module",
        )


def require_phase(environment_phase: int | None, policy_phase: int) -> None:
    """Raise `PolicyViolation` while the lower of the two phases is below `ARMED_PHASE`.

    `environment_phase` None means that only the policy's phase counts.
    """
    phase = policy_phase if environment_phase is None else min(environment_phase, policy_phase)
    if phase < ARMED_PHASE:
        raise PolicyViolation(
            "this platform is not armed",
            detail=f"phase {phase}; apply touches hosts from phase {ARMED_PHASE} on",
            hint="raise phase in .platform/policy.yaml, and PLATFORMCTL_PHASE where it is set",
            reason="phase",
        )


def _is_own(plan: Plan, address: str) -> bool:
    return address.startswith(f"{plan.module}.")


def _require_form(target: str) -> None:
    try:
        ServiceName.parse(target.removeprefix(TARGET_PREFIX))
    except InvalidInput as error:
        raise PolicyViolation(
            "a plan has a target of an unknown form",
            detail=f"this version knows {TARGET_PREFIX}<service> alone",
            hint="make the plan again with this version",
            reason="target",
        ) from error
