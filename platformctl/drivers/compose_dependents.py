"""What `up` does to the services that need one it makes anew: three ways, by Compose's version.

Before 2.29.4 they are made anew with it, and so on to those that need them (seen with 2.26.1). Until 2.35.0 they are
stopped and started again, which its source says. Since then only those are that ask for it: `restart: true` of
`depends_on`, and a link or a shared namespace where `depends_on` does not name the service (seen with 5.6).
"""

import re
from collections.abc import Iterator, Mapping

from platformctl.drivers.compose_borrowing import namespaces
from platformctl.model.compose import ComposeService
from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.plan import Action

_STARTED_AGAIN, _ASKED_FOR = (2, 29, 4), (2, 35, 0)


def dependents(release: Release, service: ServiceName, version: str) -> Mapping[ServiceName, Action]:
    """Services of the closure that are touched; with a version that can not be read, as many as with any."""
    number = number_of(version)
    services = (release.compose.services[name] for name in release.closure)
    if number < _STARTED_AGAIN:
        return {each.name: Action.RECREATE for each in services if service in each.needs}
    asks = _restarts if number >= _ASKED_FOR else _needs
    return {each.name: Action.START for each in services if service in asks(each)}


def number_of(version: str) -> tuple[int, ...]:
    """The numbers of a version of Compose; (0,) where it can not be read."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else (0,)


def _needs(service: ComposeService) -> tuple[ServiceName, ...]:
    return service.needs


def _restarts(service: ComposeService) -> Iterator[str]:
    """Those that a service is to be started again with; what Compose adds to `depends_on` by itself says so too."""
    named = service.definition.get("depends_on") or {}
    yield from (name for name, how in named.items() if str(how.get("restart")).lower() == "true")
    linked = (link.partition(":")[0] for link in service.definition.get("links", ()))
    yield from (name for name in (*linked, *namespaces(service).values()) if name not in named)
