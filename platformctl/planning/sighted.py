"""Plan from an observation that somebody else made. The host can not be asked, and no such plan is applied.

If the release is the one applied last, the plan tells everything that was seen. Otherwise it tells which services and
fields differ from that one, where the clone has it; else only that the release is another one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from platformctl.drivers.interface import Driver
from platformctl.model.desired import Release
from platformctl.model.finding import Finding
from platformctl.model.names import ServiceName
from platformctl.model.observed import Observation, Source
from platformctl.model.plan import Change, Plan, PlannedObservation, is_own
from platformctl.model.state import HostRecord, Receipt
from platformctl.planning.build import (
    Circumstances,
    assemble,
    build,
    notes,
    observed_as,
    planned_files,
    unchecked_rollback,
)
from platformctl.planning.recorded import expected
from platformctl.planning.settled import settled


def build_sighted(
    release: Release,
    seen: Observation,
    record: HostRecord,
    driver: Driver,
    circumstances: Circumstances,
    findings: Iterable[Finding],
    foreign: frozenset[ServiceName],
) -> Plan:
    """Return the speculative plan of a release whose module is in the observation.

    `seen.earlier` is the release that was applied last, where the clone has that and it is another one.
    """
    current = record.current
    if current is not None and current.desired == release.digest and _covers(seen, release):
        whole = settled(release, seen, current, driver) or replace(seen, hashes=_assumed(release, seen, current))
        return build(release, whole, record, driver, circumstances, findings, foreign)
    there = frozenset(name for name in release.closure if name in foreign or seen.of(name))
    changes = expected(release, current, seen.earlier, circumstances.hide, there, foreign)
    return _assembled(release, observed_as(seen), driver, circumstances, findings, changes, current, there)


def build_unseen(
    release: Release,
    at: str,
    driver: Driver,
    circumstances: Circumstances,
    findings: Iterable[Finding],
    foreign: frozenset[ServiceName],
) -> Plan:
    """Return the speculative plan of a module that did not exist when its host was observed."""
    observed = PlannedObservation(at, Source.OBSERVATION, release.digest, "", "")
    changes = expected(release, None, None, circumstances.hide, foreign=foreign)
    return _assembled(release, observed, driver, circumstances, findings, changes)


def _covers(seen: Observation, release: Release) -> bool:
    """Whether the observation has this release's files and images; it may have been made at another commit."""
    paths, refs = {file.path for file in seen.files}, {image.ref for image in seen.images}
    images = {release.compose.services[name].image for name in release.closure}
    delivered = {file.path for file in release.files if not is_own(file.path)}
    return delivered <= paths and {image for image in images if image} <= refs


def _assumed(release: Release, seen: Observation, current: Receipt) -> Mapping[ServiceName, str]:
    """Return the hashes of a release that is on the host already: recorded ones, else those of its containers.

    Empty where the host's env file changed since, or may have, which would change them.
    """
    made = current.computed
    if release.module.env.file is not None and (made is None or made.environment != seen.environment):
        return {}
    labels = {container.service: container.config_hash for container in seen.containers if not container.oneoff}
    recorded = {service: made.hashes[service] for service in release.closure if made and service in made.hashes}
    return {**labels, **recorded}


def _assembled(
    release: Release,
    observed: PlannedObservation,
    driver: Driver,
    circumstances: Circumstances,
    findings: Iterable[Finding],
    changes: tuple[Change, ...],
    current: Receipt | None = None,
    there: frozenset[ServiceName] | None = None,
) -> Plan:
    runs = release.module.runtime.compose_service in (there or ())
    return assemble(
        release,
        circumstances,
        driver,
        notes(findings),
        observed=observed,
        speculative=True,
        files=planned_files(release),
        closure=release.closure,
        images=(),
        changes=changes,
        steps=(),
        rollback=unchecked_rollback(
            release, current.source_sha if current else None, unmanaged=runs and current is None
        ),
    )
