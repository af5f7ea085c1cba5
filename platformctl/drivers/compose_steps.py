"""The step that brings a release about: tags, files and `up`, and the undo that was planned with it."""

from platformctl.drivers.compose_undo import undo
from platformctl.drivers.compose_up import SHORT_TIMEOUT, bring_up_changed
from platformctl.model.desired import Release
from platformctl.model.observed import Observation
from platformctl.model.plan import (
    Action,
    Change,
    Operation,
    Place,
    PlannedFile,
    PlannedImage,
    Remove,
    Run,
    Step,
    is_own,
)
from platformctl.model.state import Receipt


def steps(
    release: Release,
    changes: tuple[Change, ...],
    images: tuple[PlannedImage, ...],
    observation: Observation,
    previous: Receipt | None,
) -> tuple[Step, ...]:
    """Return one step that sets tags, places files and runs `up`; empty when every change is to keep.

    Its undo removes what was created, puts files and tags back and runs the previous `up`.
    """
    if all(change.action is Action.KEEP for change in changes):
        return ()
    forward: tuple[Operation, ...] = (
        *_tags(images, observation),
        *_places(release, observation),
        *(Remove(file.path) for file in _deleted(release, changes, previous)),
        *bring_up_changed(release, changes),
    )
    return (Step("release", forward, undo(release, changes, observation, previous)),)


def _tags(images: tuple[PlannedImage, ...], observation: Observation) -> tuple[Run, ...]:
    """Return commands that point references at the planned images where the host's tags point elsewhere."""
    seen = {image.ref: image.id for image in observation.images if image.present}
    return tuple(
        Run(("docker", "tag", "--", image.id, image.ref), SHORT_TIMEOUT)
        for image in images
        if seen.get(image.ref) != image.id and "@" not in image.ref
    )


def _places(release: Release, observation: Observation) -> tuple[Place, ...]:
    seen = {file.path: file for file in observation.files}
    return tuple(
        Place(file.path, file.digest, file.mode)
        for file in release.files
        if not is_own(file.path) and (seen[file.path].digest, seen[file.path].mode) != (file.digest, file.mode)
    )


def _deleted(release: Release, changes: tuple[Change, ...], previous: Receipt | None) -> tuple[PlannedFile, ...]:
    """Files of the previous release below folders that a service which changes mounts: it would go on seeing them."""
    changing = {change.service for change in changes if change.action is not Action.KEEP}
    services = (release.compose.services[name] for name in release.closure if name in changing)
    mounted = tuple(f"{path}/" for service in services for path in service.mounted)
    left = previous.left_behind(file.path for file in release.files) if previous else ()
    return tuple(file for file in left if file.path.startswith(mounted))
