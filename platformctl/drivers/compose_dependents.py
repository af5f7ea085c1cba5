"""What `up` does to the services that need a service it recreates. It depends on Compose's version:

- before 2.29.4, dependents are recreated too, and so are the dependents of those (seen with 2.26.1);
- from 2.29.4 to before 2.35.0, dependents are stopped and started again (according to its source);
- from 2.35.0 on, only those that ask for it are: by `restart: true` in `depends_on`, or by a link or a shared namespace
  where `depends_on` does not name the service (seen with 5.6).
"""

import re
from collections.abc import Iterator, Mapping

from platformctl.drivers.compose_borrowing import namespaces
from platformctl.model.compose import ComposeService, truth
from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.plan import Action

_STARTED_AGAIN, _ASKED_FOR = (2, 29, 4), (2, 35, 0)


def dependents(release: Release, service: ServiceName, version: str) -> Mapping[ServiceName, Action]:
    """Return the services of the closure that `up` touches when it recreates `service`, and the action on each.

    For a version that can not be read, the oldest behaviour is assumed, which touches the most.
    """
    number = number_of(version)
    services = (release.compose.services[name] for name in release.closure)
    if number < _STARTED_AGAIN:
        return {each.name: Action.RECREATE for each in services if service in each.needs}
    asks = _restarts if number >= _ASKED_FOR else _needs
    return {each.name: Action.START for each in services if service in asks(each)}


def number_of(version: str) -> tuple[int, ...]:
    """Return the three numbers of a Compose version, `(0,)` for a version that can not be read."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else (0,)


def _needs(service: ComposeService) -> tuple[ServiceName, ...]:
    return service.needs


def _restarts(service: ComposeService) -> Iterator[str]:
    """Yield the services whose recreation starts this one again.

    Compose adds links and shared namespaces to `depends_on` by itself, with `restart: true`.
    """
    named = service.definition.get("depends_on") or {}
    yield from (name for name, how in named.items() if truth(how.get("restart")))
    linked = (link.partition(":")[0] for link in service.definition.get("links", ()))
    yield from (name for name in (*linked, *namespaces(service).values()) if name not in named)
