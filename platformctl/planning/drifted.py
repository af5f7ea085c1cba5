"""What differs on containers without their hash telling it: changed by hand, or renamed by a release."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Container
from platformctl.model.plan import SCALE
from platformctl.planning.wanted import Wanted

Pairs = Mapping[str, tuple[Any, Any]]
"""The wanted and the seen value, by field."""
_NETWORKS = "networks"


def drift_of(wanted: Wanted, service: ServiceName) -> Pairs:
    """Return what was changed by hand.

    Where the hash differs it is at most the number of containers: other fields can only be compared with the definition
    that a container was made from.
    """
    scale = scale_of(wanted, service) if wanted.is_applied else {}
    if hash_differs(wanted, service, wanted.observation.of(service)):
        return scale
    found, renamed = _differing(wanted, wanted.release, service), renamed_networks(wanted, service)
    return {**{field: values for field, values in found.items() if field not in renamed}, **scale}


def renamed_networks(wanted: Wanted, service: ServiceName) -> Pairs:
    """Return the service's networks if the release gives them other names, which Compose's hash does not cover.

    Nothing was changed by hand then: the containers are in the networks that the earlier release asks for. Empty where
    this release was applied already, the earlier one is not known, or the hash differs.
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
    """Return the names of volumes that containers are to mount, and of those they have in their place."""
    found = (wanted.driver.other_volumes(wanted.release, container) for container in wanted.observation.of(service))
    pairs = dict.fromkeys(pair for each in found for pair in each)
    return {"volumes": ([name for name, _ in pairs], [there for _, there in pairs])} if pairs else {}


def scale_of(wanted: Wanted, service: ServiceName) -> Pairs:
    """Return the wanted and the seen number of containers, empty where they are equal."""
    replicas, there = wanted.release.compose.services[service].replicas, len(wanted.observation.of(service))
    return {SCALE: (replicas, there)} if there != replicas else {}


def hash_differs(wanted: Wanted, service: ServiceName, containers: Iterable[Container]) -> bool:
    """Whether a container has another hash than the service; one that Compose could not hash counts as different.

    It can not where an env file is not on the host yet.
    """
    return any(container.config_hash != wanted.observation.hashes.get(service) for container in containers)


def _differing(wanted: Wanted, release: Release, service: ServiceName) -> Pairs:
    observation = wanted.observation
    found = (wanted.driver.drift(release, observation, container) for container in observation.of(service))
    return {field: values for each in found for field, values in each.items()}
