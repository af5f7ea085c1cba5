"""Make the changes from what is wanted and what was seen, one for each service of the closure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Container
from platformctl.model.plan import Action, Cause, Change, PlannedImage
from platformctl.planning.causes import causes_of, rotated_values, unseen_files, upstream_version
from platformctl.planning.drifted import drift_of, other_volumes, renamed_networks
from platformctl.planning.fields import Fields, definitions, described
from platformctl.planning.rotated import files, variables
from platformctl.planning.spreading import action_of, spread, started_again
from platformctl.planning.wanted import Wanted

_REASONS = {
    Cause.MISSING: "no container",
    Cause.DEFINITION: "its definition differs",
    Cause.ENV_FINGERPRINT: "a value that the host keeps differs",
    Cause.COMPOSE_VERSION: "the host's Compose computes another hash for the same definition",
    Cause.IMAGE_DIGEST: "the image differs",
    Cause.FILE_CONTENT: "a file it uses differs",
    Cause.DEPENDENCY: "a service it needs is recreated",
    Cause.UNHEALTHY: "it does not run",
    Cause.ENGINE_DRIFT: "it was changed by hand",
    Cause.NETWORK: "a network that it is to be in is another one, or not there",
    Cause.VOLUME: "it mounts another volume",
    Cause.NEW_VOLUME: "a volume is made for it, empty",
}


def diff(wanted: Wanted) -> tuple[Change, ...]:
    """Return one change for each service of the closure, dependencies first; `keep` where nothing would happen."""
    causes: dict[ServiceName, tuple[Cause, ...]] = {}
    for service in wanted.release.closure:
        causes[service] = causes_of(wanted, service)
    spread(wanted, causes)
    started = started_again(wanted, causes)
    return tuple(_change(wanted, service, causes[service], started) for service in wanted.release.closure)


def _change(wanted: Wanted, service: ServiceName, causes: tuple[Cause, ...], started: frozenset[ServiceName]) -> Change:
    container = next(iter(wanted.observation.of(service)), None)
    action = action_of(wanted, service, causes)
    if service in started:
        action, causes = Action.START, (*causes, Cause.DEPENDENCY)
    drift = drift_of(wanted, service) if Cause.ENGINE_DRIFT in causes else {}
    rotated = rotated_values(wanted, service, variables, files) if Cause.ENV_FINGERPRINT in causes else ({}, {})
    then, now = _fields(wanted, service, action)
    made_by, live = _versions(wanted, container, causes)
    used = {**renamed_networks(wanted, service), **other_volumes(wanted, service)}
    before = None
    if container:
        before = {**then, **_seen(wanted, container), **_engine(drift, 1), **_values(rotated[0]), **made_by}
        before |= _names(used, 1)
    after = None
    if not wanted.is_none(service):
        after = {**now, **_wanted(wanted, service), **_engine(drift, 0), **_values(rotated[1]), **live}
        after |= _names(used, 0)
    lost = wanted.unmanaged and action is not Action.KEEP
    names = {Cause.ENV_FINGERPRINT: (*rotated[0], *rotated[1]), Cause.FILE_CONTENT: unseen_files(wanted, service)}
    return described_change(wanted.release, service, action, causes, before, after, destructive=lost, names=names)


def _fields(wanted: Wanted, service: ServiceName, action: Action) -> tuple[Fields, Fields]:
    """Return the shown definition of a service before and after; both empty when it is kept or deleted."""
    if action is Action.CREATE:
        return {}, described(wanted.release.compose.services[service], wanted.hide)
    if action in (Action.KEEP, Action.DELETE):
        return {}, {}
    return definitions(wanted.release, wanted.observation.earlier, service, wanted.hide)


def _versions(
    wanted: Wanted, container: Container | None, causes: tuple[Cause, ...]
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the version of Compose that made the container and the host's; empty where that is no cause."""
    if container is None or Cause.COMPOSE_VERSION not in causes:
        return {}, {}
    live = upstream_version(wanted.observation.identity.compose_version)
    return {"compose_version": upstream_version(container.compose_version)}, {"compose_version": live}


def _values(fingerprints: Mapping[str, str]) -> Mapping[str, Any]:
    """Return fingerprints as a list of texts; in a mapping, the one beside a name like PASSWORD would be redacted."""
    return {"variables": [f"{name} {value}" for name, value in fingerprints.items()]} if fingerprints else {}


def _engine(drift: Mapping[str, tuple[Any, Any]], side: int) -> Mapping[str, Any]:
    """Return the fields that were changed by hand, under a key of their own; side 0 is wanted, side 1 seen."""
    return {"engine": {field: values[side] for field, values in sorted(drift.items())}} if drift else {}


def _names(used: Mapping[str, tuple[Any, Any]], side: int) -> Mapping[str, Any]:
    """Return names of networks and volumes that a release changes and no definition of a service shows, by field.

    They stand under a key of their own; side 0 is wanted, side 1 seen.
    """
    return {"names": {field: values[side] for field, values in sorted(used.items())}} if used else {}


def _wanted(wanted: Wanted, service: ServiceName) -> Mapping[str, str]:
    """Return what a plan says of the wanted container.

    The hash is empty where Compose can not compute it before the plan brings an env file.
    """
    image = wanted.image_of(service)
    return {
        "config_hash": wanted.observation.hashes.get(service, ""),
        "image": wanted.release.compose.services[service].image or "",
        "image_id": image.id if image else "",
        **_digest_of(image),
        "state": "running",
    }


def _seen(wanted: Wanted, container: Container) -> Mapping[str, str]:
    """Return what a plan says of a container that was seen.

    `restarting` is told as `running`: of a container in a crash loop, it is chance which of the two is seen.
    """
    current = wanted.record.current
    recorded = (image for image in (current.images if current else ()) if image.id == container.image_id)
    return {
        "config_hash": container.config_hash,
        "image": container.image_ref,
        "image_id": container.image_id,
        **_digest_of(next(recorded, None)),
        "state": "running" if container.state == "restarting" else container.state,
    }


def _digest_of(image: PlannedImage | None) -> Mapping[str, str]:
    """Return the digest by which a registry has the image; empty for an image that only the host has."""
    return {"image_digest": image.digest} if image and image.digest else {}


def described_change(
    release: Release,
    service: ServiceName,
    action: Action,
    causes: tuple[Cause, ...],
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    *,
    destructive: bool,
    names: Mapping[Cause, Iterable[str]] | None = None,
) -> Change:
    return Change(
        address=f"{release.module.id}.{service}",
        service=service,
        action=action,
        causes=causes,
        before=before,
        after=after,
        destructive=destructive,
        reason="; ".join(_reasons(causes, names or {})) + ("; no receipt names it" if destructive else ""),
    )


def _reasons(causes: Iterable[Cause], names: Mapping[Cause, Iterable[str]]) -> Iterator[str]:
    """Yield each cause in words, followed by the names of what it is about where `names` has them."""
    for cause in causes:
        told = ", ".join(sorted(set(names.get(cause, ()))))
        yield f"{_REASONS[cause]}: {told}" if told else _REASONS[cause]
