"""Make the plan of one release for its host as that was seen. Planning does this, and applying does it once more."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from platformctl.model.desired import Release
from platformctl.model.finding import Finding
from platformctl.model.names import ServiceName
from platformctl.model.observed import Observation
from platformctl.model.plan import Plan, PlannedImage
from platformctl.model.policy import TrustRoots
from platformctl.model.state import HostRecord
from platformctl.planning.build import Circumstances, build
from platformctl.planning.refusals import refuse_foreign
from platformctl.planning.removal import build_removal
from platformctl.planning.spreading import done
from platformctl.workflows.parts import Parts, moment


def circumstances(parts: Parts, roots: TrustRoots, expires_in: int | None = None) -> Circumstances:
    """Return when and where a plan is made. `expires_in` is in seconds, None for what policy says."""
    now = parts.clock.now()
    return Circumstances(
        created_at=moment(now),
        expires_at=moment(now + timedelta(seconds=expires_in or roots.policy.expires_in)),
        repository=parts.repository.origin_url(),
        ref=parts.repository.branch(),
        tool_version=parts.tool_version,
        trust=roots,
        hide=parts.hide,
    )


def plan_release(
    parts: Parts,
    release: Release,
    observation: Observation,
    record: HostRecord,
    when: Circumstances,
    findings: Iterable[Finding],
    owners: Mapping[ServiceName, str],
    pinned: Mapping[str, PlannedImage] | None = None,
) -> Plan:
    """Return the plan of a release for its host as it was seen.

    Raises `PolicyViolation` for an image nobody can resolve, and for a change of a service that is another module's.
    """
    foreign = frozenset(service for service, owner in owners.items() if owner != release.module.id)
    driver = parts.driver_of(release.module)
    if release.gone:
        kept = {service: owner for service, owner in owners.items() if owner != release.module.id}
        return build_removal(release, observation, record, driver, when, kept)
    plan = build(release, observation, record, driver, when, findings, foreign, pinned)
    refuse_foreign(plan, owners, done(release, observation, driver))
    return plan
