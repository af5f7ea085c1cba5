"""Foresee what a host will look like after a plan that is still to be applied, as far as later plans rest on it.

Foreseen is what `up` makes of a definition whose hash is known. A service that borrows from a new container, and one
whose env files change with the plan, get another hash than can be known now; a later plan that contains such a service
is stale when its turn comes, and is made again. Where such a file is not on the host yet no hash is known at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from platformctl.drivers import compose_resources as resources
from platformctl.drivers.compose_definitions import makes_beside, network_of, volume_of
from platformctl.drivers.interface import Preceding
from platformctl.model.compose import is_made
from platformctl.model.desired import Release
from platformctl.model.names import Digest, RepoPath, ServiceName
from platformctl.model.observed import Container, FileSeen, ImageSeen, Observation, ResourceSeen
from platformctl.model.plan import Action, Change, Place, PlannedImage, Remove

_NEW = "foreseen"
"""The id of what does not exist yet, and the hash of what nobody can hash yet: it has one, as Compose makes it."""


def foreseen(release: Release, seen: Observation, before: Preceding, one_shots: frozenset[ServiceName]) -> Observation:
    """Return `seen`, a look for `release`, as it would be after the plan `before` for the same host was applied.

    `one_shots` are the services of `before`'s release that end when they are done.
    """
    after = _with_files(seen, before)
    if before.release.module.runtime.project != release.module.runtime.project:
        return _for_neighbour(release, after, before)
    attached = _resources(before, after)
    touched = {change.service: change for change in before.plan.changes if change.action.touches_container}
    containers = (
        *(container for container in after.containers if container.service not in touched),
        *(one for change in touched.values() for one in _containers(change, before, after, one_shots)),
    )
    return replace(attached, containers=tuple(sorted(containers, key=lambda each: each.name)))


def _with_files(seen: Observation, before: Preceding) -> Observation:
    """Return `seen` with the plan's files placed, the files they replace kept, and its images present and tagged."""
    operations = [operation for step in before.plan.steps for operation in step.do]
    placed: dict[RepoPath, FileSeen] = {}
    for each in operations:
        if isinstance(each, Place):
            placed[each.path] = FileSeen(each.path, each.digest, each.mode)
        elif isinstance(each, Remove):
            placed[each.path] = FileSeen(each.path, None, None)
    replaced = {file.digest for file in before.seen.files if file.path in placed and file.digest}
    delivered = {file.digest for file in placed.values() if file.digest}
    images = {image.ref: image for image in before.plan.images}
    return replace(
        seen,
        files=tuple(placed.get(file.path, file) for file in seen.files),
        lacking=tuple(path for path in seen.lacking if path not in placed),
        images=tuple(_image(image, images) for image in seen.images),
        kept=seen.kept | replaced | delivered,
        image_ids=seen.image_ids | {image.id for image in images.values()},
    )


def _for_neighbour(release: Release, seen: Observation, before: Preceding) -> Observation:
    """Return `seen` for a release of another project than the plan's.

    Such a release is affected only by networks and volumes it uses and by names of containers that come or go.
    """
    made = _resources(before, replace(seen, networks=seen.external, volumes=seen.lent))
    external, lent = resources.external_networks(release), resources.lent_names(release)
    changes = [(change.service, change.action) for change in before.plan.changes]
    gone = {one.name for service, action in changes if action is Action.DELETE for one in before.seen.of(service)}
    names = {
        name
        for service, action in changes
        if action in (Action.CREATE, Action.RECREATE)
        for name in before.release.container_names(service)
    }
    wanted = {name for service in release.closure for name in release.container_names(service)}
    return replace(
        seen,
        external=tuple(network for network in made.networks if network.name in external),
        lent=tuple(volume for volume in made.volumes if volume.name in lent),
        taken=tuple(sorted((set(seen.taken) - gone | names) & wanted)),
    )


def _image(seen: ImageSeen, images: Mapping[str, PlannedImage]) -> ImageSeen:
    planned = images.get(seen.ref)
    if planned is None or (seen.present and seen.id == planned.id):
        return seen
    return ImageSeen(seen.ref, planned.id, (planned.digest,) if planned.digest else ())


def _resources(before: Preceding, seen: Observation) -> Observation:
    """Networks and volumes that are made where a service is brought up."""
    release = before.release
    networks: dict[str, ResourceSeen] = {network.name: network for network in seen.networks}
    volumes: dict[str, ResourceSeen] = {volume.name: volume for volume in seen.volumes}
    for service in _made_for(before):
        for name, declared in (resources.networks(release, service) or {}).items():
            if is_made(declared):
                networks.setdefault(name, ResourceSeen(name, network_of(declared), _NEW))
        for name, declared in resources.volumes(release, service).items():
            if is_made(declared):
                volumes.setdefault(name, ResourceSeen(name, volume_of(declared)))
    return replace(
        seen,
        networks=tuple(networks[name] for name in sorted(networks)),
        volumes=tuple(volumes[name] for name in sorted(volumes)),
    )


def _made_for(before: Preceding) -> frozenset[ServiceName]:
    """The services whose networks and volumes `up` makes; none where it is not told to bring anything up."""
    compose, main = before.release.compose, before.release.module.runtime.compose_service
    if all(c.action in (Action.KEEP, Action.UPDATE, Action.DELETE) for c in before.plan.changes):
        return frozenset()
    beside = makes_beside(before.seen.identity.compose_version)
    return compose.brought_by(main) if beside else frozenset(before.release.closure)


def _containers(
    change: Change, before: Preceding, seen: Observation, one_shots: frozenset[ServiceName]
) -> Iterator[Container]:
    if change.action is Action.DELETE:
        return
    done = change.service in one_shots
    state = "exited" if done else "running"
    if change.action is Action.START:
        yield from (replace(each, state=state, exit_code=0) for each in seen.of(change.service))
        return
    release, after = before.release, change.after or {}
    service = release.compose.services[change.service]
    there = {network.name: network.id for network in seen.networks}
    given = service.definition.get("container_name")
    for number in range(1, service.replicas + 1):
        yield Container(
            id=f"{_NEW}-{change.service}-{number}",
            name=str(given or f"{release.module.runtime.project}-{change.service}-{number}"),
            service=change.service,
            image_id=Digest(after.get("image_id", "")),
            image_ref=str(after.get("image", "")),
            config_hash=str(after.get("config_hash") or _NEW),
            compose_version=seen.identity.compose_version,
            state=state,
            health=None,
            exit_code=0,
            restarts=0,
            started_at="",
            networks={name: there.get(name, _NEW) for name in resources.networks(release, change.service) or {}},
            compose_file=f"{release.host.root}/{release.module.runtime.compose_file}",
        )
