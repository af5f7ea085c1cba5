"""What a host remembers that speaks against a plan: that it was used, what is unsettled or quarantined, older roots."""

from platformctl.errors import PolicyViolation, Refusal
from platformctl.model.desired import TrustRoots
from platformctl.model.names import Digest
from platformctl.model.plan import Plan
from platformctl.model.state import TrustSeen
from platformctl.trust.history import Remembered, check_trust
from platformctl.workflows.case import stale
from platformctl.workflows.parts import Parts, keyring, roots_at
from platformctl.workflows.records import Memory, refuse_unsettled
from platformctl.workflows.signed import read_envelope


def refuse_by_record(parts: Parts, plan: Plan, digest: Digest, roots: TrustRoots, memory: Memory) -> TrustSeen:
    """The trust roots that the host is to remember; raises the first thing it remembers against the plan.

    `StalePlan` (`used`), `Locked` (`unsettled`), `PolicyViolation` (`quarantined`), and what `check_trust` raises.
    """
    host = plan.host.name
    if digest in memory.record.consumed:
        raise stale("used", "the plan was used already", f"{host} has it among the consumed ones")
    refuse_unsettled(memory, host)
    held_back = memory.record.is_quarantined(plan.desired)
    if held_back is not None:
        raise PolicyViolation(
            "the release is quarantined on this host",
            detail=f"it failed at {held_back.at}: {held_back.reason}",
            hint=f"platformctl unquarantine {plan.module} --reason …",
            reason="quarantined",
            host=host,
        )
    return check_trust(
        memory.record.trust,
        roots,
        remembered=_remembered(parts, memory.record.trust),
        is_ancestor=parts.repository.is_ancestor,
        changes=tuple(read_envelope(path) for path in sorted((parts.platform / "trust").glob("*.json"))),
        now=parts.clock.now(),
    )


def _remembered(parts: Parts, seen: TrustSeen | None) -> Remembered | None:
    """The roots the host last saw, from git at that commit; None where this clone does not have it."""
    if seen is None or seen.commit is None:
        return None
    try:
        roots = roots_at(parts, seen.commit, "the commit the host remembers")
    except Refusal:
        return None
    return Remembered(roots, keyring(parts, roots))
