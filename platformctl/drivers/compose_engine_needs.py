"""Settings that only a newer engine knows, and what an older one makes of them.

It leaves out what it does not know without a word, as the part of a volume that a service is to see: the container then
sees all of it. Or Compose or the engine refuses the container, in the middle of an apply. Seen with Engine 20.10, with
Compose 2.26.1 and 5.6.1.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from platformctl.drivers.compose_dependents import number_of
from platformctl.model.desired import Release

_SUBPATH, _IMAGE, _START_INTERVAL, _INTERFACE_NAME = (26,), (28,), (25,), (28, 1)


def beyond_engine(release: Release, version: str) -> Iterator[str]:
    """Yield a sentence for each setting of the closure that an engine of that version does not know.

    None for a version that can not be read.
    """
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
