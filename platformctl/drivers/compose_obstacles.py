"""What keeps `up` from working on a host, or from making what the file asks for: found before anything is applied.

A network or volume that is not ours to make, an env file, or a setting that the host's engine is too old for.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from platformctl.drivers.compose_dependents import number_of
from platformctl.drivers.compose_resources import external_networks, volumes
from platformctl.model.compose import is_made
from platformctl.model.desired import Release
from platformctl.model.names import RepoPath
from platformctl.model.observed import Observation

_READS_FEWER = (2, 34, 0)
"""The first Compose that reads env files once it has chosen services (docker/compose#12611); 2.33.1 still fails for
want of one that nobody asked for (docker/compose#8713).
"""

_SUBPATH, _IMAGE, _START_INTERVAL, _INTERFACE_NAME = (26,), (28,), (25,), (28, 1)


def absent(release: Release, observation: Observation) -> tuple[str, ...]:
    """Return external networks and volumes that do not exist, sorted, such as `network web`.

    Compose does not make them, and `up` fails without them (seen with 2.26.1).
    """
    mounted = (pair for service in release.closure for pair in volumes(release, service).items())
    needed = {f"volume {name}" for name, declared in mounted if not is_made(declared)}
    needed |= {f"network {name}" for name in external_networks(release)}
    there = {f"volume {each.name}" for each in observation.lent} | {f"network {n.name}" for n in observation.external}
    return tuple(sorted(needed - there))


def unreadable(release: Release, observation: Observation) -> tuple[RepoPath, ...]:
    """Return the env files beside the closure that the host's Compose reads and that are not there.

    Compose up to 2.33 reads those of all services first, newer ones those of what they bring up (seen with 2.26.1 and
    5.6.1).
    """
    reads_all = (2,) <= number_of(observation.identity.compose_version) < _READS_FEWER
    return tuple(path for path in release.read_beside if reads_all and path in observation.lacking)


def beyond_engine(release: Release, observation: Observation) -> Iterator[str]:
    """Yield a sentence for each setting of the closure that the host's engine is too old for.

    An engine leaves out what it does not know without a word, as the part of a volume that a service is to see: the
    container then sees all of it. Or Compose or the engine refuses the container, in the middle of an apply. Seen with
    Engine 20.10, with Compose 2.26.1 and 5.6.1. Nothing is known of an engine whose version can not be read.
    """
    version = observation.identity.engine_version
    number = number_of(version)
    for name in release.closure:
        for what, needed in _needs(release.compose.services[name].definition):
            if (1,) <= number < needed:
                least = ".".join(map(str, needed))
                yield f"services.{name}: {what} needs Docker Engine {least}, and {release.host.name} has {version}"


def _needs(definition: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for mount in definition.get("volumes", ()):
        if mount["type"] == "image":
            yield "a mount of type image", _IMAGE
        if isinstance(volume := mount.get("volume"), Mapping) and volume.get("subpath"):
            yield "the subpath of a volume", _SUBPATH
    if isinstance(check := definition.get("healthcheck"), Mapping) and check.get("start_interval"):
        yield "healthcheck.start_interval", _START_INTERVAL
    for attached in definition.get("networks", {}).values():
        if attached.get("interface_name"):
            yield "the interface_name in a network", _INTERFACE_NAME
