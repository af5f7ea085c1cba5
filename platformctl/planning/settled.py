"""When nothing that a host's orchestrator reads has changed, it need not be asked again for what it would say."""

from collections.abc import Iterable

from platformctl.drivers.interface import Driver
from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Container, Observation
from platformctl.model.state import Computed


def computed(
    release: Release, observation: Observation, containers: Iterable[Container], driver: Driver
) -> Computed | None:
    """What the orchestrator made of `release`, by the containers it made; None where that may not be all.

    `observation` is of before. What it read of the host's env file is known to be what `observation` has the
    fingerprint of only where it made what it had said then.
    """
    labels = {service: {c.config_hash for c in containers if c.service == service} for service in release.closure}
    if any(len(hashes) != 1 for hashes in labels.values()):
        return None
    made = {str(service): hashes.pop() for service, hashes in labels.items()}
    if any(observation.hashes.get(s) != made[s] for s in release.closure if not _may_differ(release, s, driver)):
        return None
    return Computed(observation.identity.compose_version, observation.environment, made)


def _may_differ(release: Release, service: ServiceName, driver: Driver) -> bool:
    """Whether a hash that was not foreseen proves nothing: ids of new containers, files that were still to come."""
    if release.module.env.file is not None:
        return False
    borrows = any(service in driver.borrowers(release, each) for each in release.closure)
    return borrows or bool(release.compose.services[service].env_files)
