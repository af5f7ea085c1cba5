"""Configs whose content stands in the compose file: which of them a container may hold otherwise.

Compose copies such a content into a container that it makes. Neither its hash nor the engine says afterwards what that
was, so it is known from the release that was applied last, and counts as another one where that is not known.
"""

from collections.abc import Iterable

from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Container, Earlier
from platformctl.model.state import HostRecord

_LEFT_IN_PLACE = ("UNHEALTHY", "REMOTE_FAILED", "ROLLBACK_FAILED")
"""Outcomes after which containers may be of a release that is not the recorded one."""


def differing(
    release: Release, earlier: Earlier | None, record: HostRecord, service: ServiceName, there: Iterable[Container]
) -> tuple[str, ...]:
    """The configs of `service` whose content in `there`, its containers, is another one, or may be.

    Also those and secrets that are of another file now: which one a container mounts, its hash says as little.
    """
    now, files = release.compose.services[service].inlined, release.compose.services[service].granted
    before = earlier.compose.services.get(service) if earlier else None
    if record.current is not None and record.current.desired == release.digest:
        then = now
    else:
        then = before.inlined if before else {}
    if now and _is_of_another(record, there):
        return tuple(sorted(now))
    moved = {name for name, path in files.items() if before and before.granted.get(name, path) != path}
    return tuple(sorted({name for name in {*then, *now} if then.get(name) != now.get(name)} | moved))


def _is_of_another(record: HostRecord, there: Iterable[Container]) -> bool:
    """Whether an apply that was not taken back may have made one of these containers."""
    current = record.current
    known = {container.id for container in current.containers} if current else set()
    for receipt in (signed.receipt for signed in reversed(record.receipts)):
        if receipt == current or receipt.outcome == "ROLLED_BACK":
            return False
        if receipt.outcome in _LEFT_IN_PLACE:
            return any(container.id not in known for container in there)
    return False
