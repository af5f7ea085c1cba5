"""What containers have otherwise than they are to have it: changed by hand, or called otherwise by a release."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Container
from platformctl.model.plan import SCALE
from platformctl.planning.wanted import Wanted

Pairs = Mapping[str, tuple[Any, Any]]
"""What is wanted and what there is, by field."""
_NETWORKS = "networks"


def drift_of(wanted: Wanted, service: ServiceName) -> Pairs:
    """What was changed by hand; where the definition itself changed, what it asks for now says nothing of that."""
    scale = scale_of(wanted, service) if wanted.is_applied else {}
    if hash_differs(wanted, service, wanted.observation.of(service)):
        return scale
    found, renamed = _differing(wanted, wanted.release, service), renamed_networks(wanted, service)
    return {**{field: values for field, values in found.items() if field not in renamed}, **scale}


def renamed_networks(wanted: Wanted, service: ServiceName) -> Pairs:
    """Its networks, where they have other names by now, which no hash of Compose's covers.

    By hand nothing was changed then: the containers are in those that the release before asks for.
    """
    earlier, containers = wanted.observation.earlier, wanted.observation.of(service)
    if earlier is None or wanted.is_applied or service not in earlier.compose.services:
        return {}
    if hash_differs(wanted, service, containers):
        return {}
    now = _differing(wanted, wanted.release, service)
    if _NETWORKS not in now or _NETWORKS in _differing(
        wanted, replace(wanted.release, compose=earlier.compose), service
    ):
        return {}
    asked, there = now[_NETWORKS]
    lost = {name for c in containers for name in wanted.driver.lost_networks(wanted.release, wanted.observation, c)}
    return {_NETWORKS: (sorted({*asked, *lost}), there)}


def other_volumes(wanted: Wanted, service: ServiceName) -> Pairs:
    """Volumes by name, where a container has another one in the place of one that it is to mount."""
    found = (wanted.driver.other_volumes(wanted.release, container) for container in wanted.observation.of(service))
    pairs = dict.fromkeys(pair for each in found for pair in each)
    return {"volumes": ([name for name, _ in pairs], [there for _, there in pairs])} if pairs else {}


def scale_of(wanted: Wanted, service: ServiceName) -> Pairs:
    """How many containers there are to be and how many there are, where that differs."""
    replicas, there = wanted.release.compose.services[service].replicas, len(wanted.observation.of(service))
    return {SCALE: (replicas, there)} if there != replicas else {}


def hash_differs(wanted: Wanted, service: ServiceName, containers: Iterable[Container]) -> bool:
    """A service Compose could not hash (an env file that is not there yet) counts as different."""
    return any(container.config_hash != wanted.observation.hashes.get(service) for container in containers)


def _differing(wanted: Wanted, release: Release, service: ServiceName) -> Pairs:
    observation = wanted.observation
    found = (wanted.driver.drift(release, observation, container) for container in observation.of(service))
    return {field: values for each in found for field, values in each.items()}
