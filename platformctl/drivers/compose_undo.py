"""The way back of a release: the operations that take its step back, signed together with it."""

from collections.abc import Iterator

from platformctl.drivers.compose_resources import made_with
from platformctl.drivers.compose_up import SHORT_TIMEOUT, bring_back
from platformctl.model.desired import Release
from platformctl.model.observed import Observation
from platformctl.model.plan import Action, Change, Operation, Place, PlannedImage, Remove, Run, is_own
from platformctl.model.state import Receipt

_REMOVE = """project=$1; shift
for service; do
  ids=$(docker ps -aq --filter "label=com.docker.compose.project=$project" \\
    --filter "label=com.docker.compose.service=$service" --filter label=com.docker.compose.oneoff=False) || exit
  [ -z "$ids" ] || { docker stop $ids && docker rm -f $ids; } || exit
done"""

_REMOVE_NETWORKS = """for network; do
  docker network inspect "$network" >/dev/null 2>&1 || continue
  users=$(docker ps -aq --filter "network=$network") || exit
  [ -n "$users" ] || docker network rm "$network" || exit
done"""


def undo(
    release: Release, changes: tuple[Change, ...], observation: Observation, previous: Receipt | None
) -> tuple[Operation, ...]:
    """Return the operations that take the step back, in their order.

    Created services are removed, and the previous release is brought up by its own files. In the end all files are as
    the plan found them. Without a previous release, created networks are removed instead.
    """
    created = tuple(c.service for c in changes if c.action is Action.CREATE)
    gone = (_removal(release, created),) if created else ()
    if previous is None:
        return (*gone, *_created_networks(release, observation), *_as_found(release, observation, None))
    images = _images_to_return(release, changes, previous)
    tags = tuple(Run(("docker", "tag", "--", i.id, i.ref), SHORT_TIMEOUT) for i in images if "@" not in i.ref)
    files = _previous_files(release, previous)
    ups = bring_back(release, changes, previous, alone=_has_newer_file(release, observation, previous))
    found, own = _as_found(release, observation, previous), {file.path for file in previous.files}
    strange = (each for each in found if each.path not in own)  # before `up`: a service may read a whole folder then
    return (*gone, *files, *strange, *tags, *ups, *(each for each in found if each.path in own))


def _images_to_return(release: Release, changes: tuple[Change, ...], previous: Receipt) -> Iterator[PlannedImage]:
    """Yield the previous release's images whose references are to be set back.

    One that only containers use which stay is left out: their own module may have brought a newer image by that name.
    """
    refs = {c.service: release.compose.services[c.service].image for c in changes}
    stays = {refs[change.service] for change in changes if change.keeps_container}
    returning = {refs[change.service] for change in changes if not change.keeps_container}
    return (image for image in previous.images if image.ref not in stays - returning)


def _removal(release: Release, services: tuple[str, ...]) -> Run:
    """Return the command that removes the services' containers.

    It finds them by label: the compose file may not have been placed, and without it Compose can remove nothing.
    """
    project = release.module.runtime.project
    return Run(("sh", "-c", _REMOVE, "rm-services", project, *services), release.host.timeouts.step)


def _previous_files(release: Release, previous: Receipt) -> tuple[Place, ...]:
    """Return the files of the previous release that this one lacks or has otherwise.

    They may differ from the files found: another module that shares the compose file may have brought newer ones.
    """
    now = {file.path: (file.digest, file.mode) for file in release.files}
    files = (file for file in previous.files if not is_own(file.path))
    return tuple(Place(f.path, f.digest, f.mode) for f in files if now.get(f.path) != (f.digest, f.mode))


def _as_found(release: Release, observation: Observation, previous: Receipt | None) -> tuple[Remove | Place, ...]:
    """Return what puts files back as this plan found them.

    Left out are files that already are so when the previous release's files, or else this one's, are in their place.
    """
    there = {file.path: (file.digest, file.mode) for file in release.files}
    there.update({file.path: (file.digest, file.mode) for file in (previous.files if previous else ())})
    return tuple(
        Place(seen.path, seen.digest, seen.mode or 0o644) if seen.digest else Remove(seen.path)
        for seen in observation.files
        if there.get(seen.path) != (seen.digest, seen.mode)
    )


def _created_networks(release: Release, observation: Observation) -> tuple[Run, ...]:
    """Return the command that removes the networks this release makes, none if all exist; one in use by then stays."""
    names = {name for kind, name in made_with(release) if kind == "network"}
    new = sorted(names - {network.name for network in observation.networks})
    return (Run(("sh", "-c", _REMOVE_NETWORKS, "rm-networks", *new), SHORT_TIMEOUT),) if new else ()


def _has_newer_file(release: Release, observation: Observation, previous: Receipt) -> bool:
    """Whether the compose file found is not the previous release's: another module that shares it brought this one."""
    path = release.module.runtime.compose_file
    seen = {file.path: file.digest for file in observation.files}
    return any(file.path == path and file.digest != seen.get(path) for file in previous.files)
