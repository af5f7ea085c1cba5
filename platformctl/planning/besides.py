"""Bystanders: containers beside those of the release, which a plan names and leaves alone."""

from platformctl.drivers.interface import Driver
from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Observation
from platformctl.model.plan import Bystander
from platformctl.model.state import HostRecord, Receipt


def bystanders(release: Release, observation: Observation) -> tuple[Bystander, ...]:
    """Return the project's containers that belong to none of its services, sorted by name.

    They were made by hand, or with an earlier version of the compose file that still had their service.
    """
    file = f"{release.host.root}/{release.module.runtime.compose_file}"
    by_hand = ((c, "made by hand") for c in observation.containers if not c.config_hash)
    mine = (c for c in observation.containers if c.config_hash and not c.oneoff and c.compose_file == file)
    orphans = (
        (c, "the compose file no longer has its service") for c in mine if c.service not in release.compose.services
    )
    found = (Bystander("container", container.name, why) for container, why in (*by_hand, *orphans))
    return tuple(sorted(found, key=lambda each: each.name))


def left_behind(
    release: Release,
    observation: Observation,
    record: HostRecord,
    driver: Driver,
    foreign: frozenset[ServiceName],
) -> tuple[Bystander, ...]:
    """Return containers of the last release that are not part of this one.

    Containers of another project were not looked at, so they are named by the ids in the receipt. Files are returned
    too: those that the last release brought and that stay because a service goes on using them.
    """
    current = record.current
    if current is None:
        return ()
    return (*_containers(release, observation, current, driver, foreign), *_files(release, current))


def _files(release: Release, current: Receipt) -> tuple[Bystander, ...]:
    """Return files that the last release brought and this one uses without bringing them: they are the host's now."""
    services = {name: release.compose.services[name] for name in release.closure}
    left = {file.path for file in current.left_behind(file.path for file in release.files)}
    used = {n: left.intersection((*each.mounted, *each.env_files)) for n, each in services.items()}
    why = "the repository no longer has it, and service {} goes on using the host's"
    return tuple(Bystander("file", path, why.format(name)) for name, paths in used.items() for path in sorted(paths))


def _containers(
    release: Release, observation: Observation, current: Receipt, driver: Driver, foreign: frozenset[ServiceName]
) -> tuple[Bystander, ...]:
    project = driver.project_of(current)
    if project != release.module.runtime.project:
        where = f"of project {project}, which the module was applied in last"
        return tuple(Bystander("container", c.id[:12], f"service {c.service} {where}") for c in current.containers)
    left = set(map(ServiceName, current.closure)) - {*release.closure, *foreign}
    named = {bystander.name for bystander in bystanders(release, observation)}
    there = (container.name for service in sorted(left) for container in observation.of(service))
    why = "the module no longer has or needs its service"
    return tuple(Bystander("container", name, why) for name in there if name not in named)
