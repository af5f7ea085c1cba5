"""What a plan names and does not touch: containers beside those of the release."""

from platformctl.drivers.interface import Driver
from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Observation
from platformctl.model.plan import Bystander
from platformctl.model.state import HostRecord


def bystanders(release: Release, observation: Observation) -> tuple[Bystander, ...]:
    """Containers of the project that belong to no service of it: made by hand, or left by an earlier compose file."""
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
    """Containers of the last release that are none of this one's: the module had another project, or needed more.

    Those of another project were not looked at: they are told by the ids that the receipt has.
    """
    current = record.current
    if current is None:
        return ()
    project = driver.project_of(current)
    if project != release.module.runtime.project:
        where = f"of project {project}, which the module was applied in last"
        return tuple(Bystander("container", c.id[:12], f"service {c.service} {where}") for c in current.containers)
    left = set(map(ServiceName, current.closure)) - {*release.closure, *foreign}
    named = {bystander.name for bystander in bystanders(release, observation)}
    there = (container.name for service in sorted(left) for container in observation.of(service))
    why = "the module no longer has or needs its service"
    return tuple(Bystander("container", name, why) for name in there if name not in named)
