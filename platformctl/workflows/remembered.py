"""What a host remembers that speaks against a plan: use, unsettled applies, quarantine, or newer trust roots."""

from contextlib import suppress

from platformctl.errors import InvalidInput, PolicyViolation, ToolError
from platformctl.model.names import Digest
from platformctl.model.plan import Plan
from platformctl.model.policy import TrustRoots
from platformctl.model.state import TrustSeen
from platformctl.trust.history import Version, check_trust
from platformctl.workflows.case import stale
from platformctl.workflows.parts import TRUST_ROOTS, Parts, keyring, roots_at
from platformctl.workflows.records import Memory, refuse_unsettled
from platformctl.workflows.signed import read_envelope


def refuse_by_record(parts: Parts, plan: Plan, digest: Digest, roots: TrustRoots, memory: Memory) -> TrustSeen:
    """Return the trust roots that the host is to remember, or raise the first thing it has against a plan.

    Raises `StalePlan` (`used`), `Locked` (`unsettled`), `PolicyViolation` (`quarantined`), and what `check_trust`
    raises.
    """
    host = plan.host.name
    if digest in memory.record.consumed:
        raise stale("used", "the plan was used already", f"{host} has it among the consumed ones", host)
    refuse_unsettled(memory, host)
    held_back = memory.record.quarantine_of(plan.desired)
    if held_back is not None:
        raise PolicyViolation(
            "the release is quarantined on this host",
            detail=f"it failed at {held_back.at}: {held_back.reason}",
            hint=f"platformctl unquarantine {plan.module} --reason …",
            reason="quarantined",
            host=host,
        )
    return current_trust(parts, roots, memory)


def current_trust(parts: Parts, roots: TrustRoots, memory: Memory) -> TrustSeen:
    """Return the trust roots that a host is to remember, after those that it saw with any module.

    Raises what `check_trust` raises.
    """
    words = tuple(read_envelope(path) for path in sorted((parts.platform / "trust").glob("*.json")))

    def following(seen: TrustSeen | None) -> TrustSeen:
        return check_trust(
            seen,
            roots,
            versions=lambda: _versions(parts, seen, roots) if seen else (),
            is_ancestor=parts.repository.is_ancestor,
            changes=words,
            now=parts.clock.now(),
        )

    return [following(seen) for seen in _newest(parts, memory.trusts) or (None,)][-1]


def _newest(parts: Parts, seen: tuple[TrustSeen, ...]) -> tuple[TrustSeen, ...]:
    """Return the trust roots seen, without those that the host itself let another one follow."""
    commits = [each.commit for each in seen if each.commit]

    def followed(one: TrustSeen) -> bool:
        later = (commit for commit in commits if commit != one.commit)
        return one.commit is not None and any(parts.repository.is_ancestor(one.commit, commit) for commit in later)

    return tuple(each for each in seen if not followed(each))


def _versions(parts: Parts, seen: TrustSeen, current: TrustRoots) -> tuple[Version, ...]:
    """Return the roots the host saw and every change of them since; one that can not be read was never in force."""
    if seen.commit is None or current.commit is None:
        return ()
    changed = parts.repository.changes_of(TRUST_ROOTS, seen.commit, current.commit)
    found = []
    for commit in (seen.commit, *changed):
        with suppress(InvalidInput, ToolError):
            roots = roots_at(parts, commit, f"commit {commit[:12]}")
            found.append(Version(roots, keyring(parts, roots)))
    return tuple(found)
