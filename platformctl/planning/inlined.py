"""Configs whose content stands in the compose file: which of them a container may hold with other content.

Compose copies the content into a container when it makes it. Neither Compose's hash nor the engine tells it later. So
it is taken from the release that was applied last, and counts as different where that is not known.
"""

from collections.abc import Iterable

from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Container, Earlier
from platformctl.model.state import HostRecord

_LEFT_IN_PLACE = ("UNHEALTHY", "REMOTE_FAILED", "ROLLBACK_FAILED")
"""Outcomes of an apply after which containers may be of another release than the recorded one."""


def differing(
    release: Release, earlier: Earlier | None, record: HostRecord, service: ServiceName, there: Iterable[Container]
) -> tuple[str, ...]:
    """Return the configs of `service` whose content in `there`, its containers, differs or may differ, sorted.

    Configs and secrets that come from another file now are among them: the hash does not tell either which file a
    container mounts.
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
    """Whether a later apply that failed and was not undone may have made one of these containers."""
    current = record.current
    known = {container.id for container in current.containers} if current else set()
    for receipt in (signed.receipt for signed in reversed(record.receipts)):
        if receipt == current or receipt.outcome == "ROLLED_BACK":
            return False
        if receipt.outcome in _LEFT_IN_PLACE:
            return any(container.id not in known for container in there)
    return False
