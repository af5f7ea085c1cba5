"""From what is wanted and what was seen to the changes, one for each service of the closure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from platformctl.drivers.interface import Driver
from platformctl.model.desired import Delivery, FileChange, Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import RepoPath, ServiceName
from platformctl.model.observed import Container, Observation
from platformctl.model.plan import SCALE, Action, Cause, Change, PlannedImage, is_seen_by_compose
from platformctl.model.state import HostRecord, ModuleStatus, Receipt
from platformctl.planning.fields import Fields, Hide, definitions, described
from platformctl.planning.inlined import differing
from platformctl.planning.rotated import Fingerprints, Kind, files, variables

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
    Cause.NETWORK: "a network it was made for is not there",
    Cause.NEW_VOLUME: "a volume is made for it, empty",
}


@dataclass(frozen=True)
class Wanted:
    """All that a comparison needs: the release, what was seen, the images by reference, and what the host remembers."""

    release: Release
    observation: Observation
    images: Mapping[str, PlannedImage]
    record: HostRecord
    driver: Driver
    hide: Hide
    foreign: frozenset[ServiceName] = frozenset()

    def image_of(self, service: ServiceName) -> PlannedImage | None:
        """What the service is to run; None where the release has no image for it."""
        return self.images.get(self.release.compose.services[service].image or "")

    def is_none(self, service: ServiceName) -> bool:
        """Whether the service is to have no container (`scale: 0`)."""
        return self.release.compose.services[service].replicas == 0

    @property
    def unmanaged(self) -> bool:
        """Whether containers of ours are there that no receipt names: they were not made by an apply.

        `foreign` services of the project are other modules', whose own receipts name them.
        """
        mine = (service for service in self.release.closure if service not in self.foreign)
        return self.record.current is None and any(self.observation.of(service) for service in mine)

    @property
    def is_applied(self) -> bool:
        """Whether the release that was applied last is this one: what differs then, the release did not change."""
        return self.record.current is not None and self.record.current.desired == self.release.digest

    def deleted(self, used: Iterable[str]) -> tuple[RepoPath, ...]:
        """Files below the folders `used` that the last release had there and this one has not."""
        current = self.record.current
        left = current.left_behind(file.path for file in self.release.files) if current else ()
        return tuple(file.path for file in left if _is_used(file.path, used))


def diff(wanted: Wanted) -> tuple[Change, ...]:
    """One change for each service of the closure, dependencies first; `keep` where nothing would happen."""
    causes: dict[ServiceName, tuple[Cause, ...]] = {}
    for service in wanted.release.closure:
        causes[service] = _causes(wanted, service)
    _spread(wanted, causes)
    started = _started_again(wanted, causes)
    return tuple(_change(wanted, service, causes[service], started) for service in wanted.release.closure)


def expected(release: Release, recorded: ModuleStatus | Receipt | None, *, runs: bool = False) -> tuple[Change, ...]:
    """The changes as far as the record of a release can tell; `runs`: there is a container that no record names.

    Services that use a file which differs are named; which of them another compose file changes, no record tells.
    """
    if recorded is not None and recorded.desired == release.digest:
        return ()
    action = Action.RECREATE if recorded is not None or runs else Action.CREATE
    unknown = {release.module.runtime.compose_service: (Cause.DEFINITION if runs else Cause.MISSING,)}
    causes = _recorded_causes(release, recorded) if recorded is not None else unknown
    return tuple(
        _described(release, name, action, causes[name], None, {"desired": release.digest}, destructive=False)
        for name in release.closure
        if name in causes
    )


def _recorded_causes(release: Release, recorded: ModuleStatus | Receipt) -> Mapping[ServiceName, tuple[Cause, ...]]:
    """Whatever differs and is no file that a service of the closure uses counts for the module's own service."""
    before, after = ({file.path: file.digest for file in files} for files in (recorded.files, release.files))
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    services = {name: release.compose.services[name] for name in release.closure}
    used = {n: {p for p in changed if _is_used(p, (*s.mounted, *s.env_files))} for n, s in services.items()}
    causes: dict[ServiceName, tuple[Cause, ...]] = {name: (Cause.FILE_CONTENT,) for name in used if used[name]}
    if not changed or changed.difference(*used.values()):
        main = release.module.runtime.compose_service
        causes[main] = (Cause.DEFINITION, *causes.get(main, ()))
    return causes


def _causes(wanted: Wanted, service: ServiceName) -> tuple[Cause, ...]:
    containers = wanted.observation.of(service)
    if wanted.is_none(service):
        return (Cause.DEFINITION,) if containers else ()
    if not containers:
        return (Cause.MISSING, *_new_volume(wanted, service))
    checks = (
        *((cause, True) for cause in _hash_causes(wanted, service, containers)),
        (Cause.DEFINITION, bool(_scale(wanted, service)) and not wanted.is_applied),
        (Cause.ENV_FINGERPRINT, any(_rotated(wanted, service, files))),
        (Cause.IMAGE_DIGEST, _image_differs(wanted, service, containers)),
        (Cause.FILE_CONTENT, _files_differ(wanted, service) or bool(_unseen(wanted, service))),
        (Cause.NETWORK, _network_is_lost(wanted, containers)),
        (Cause.ENGINE_DRIFT, bool(_drift(wanted, service))),
        (Cause.UNHEALTHY, _is_down(wanted, service, containers)),
    )
    causes = tuple(dict.fromkeys(cause for cause, holds in checks if holds))
    return (*causes, *_new_volume(wanted, service)) if causes else ()


def _new_volume(wanted: Wanted, service: ServiceName) -> tuple[Cause, ...]:
    """Not a cause for anything by itself, but worth knowing where a container is made."""
    new = wanted.driver.new_volumes(wanted.release, wanted.observation, service)
    return (Cause.NEW_VOLUME,) if new else ()


def _network_is_lost(wanted: Wanted, containers: Iterable[Container]) -> bool:
    release, observation = wanted.release, wanted.observation
    return any(wanted.driver.lost_networks(release, observation, container) for container in containers)


def _drift(wanted: Wanted, service: ServiceName) -> Mapping[str, tuple[Any, Any]]:
    """What was changed by hand; where the definition itself changed, what it asks for now says nothing of that."""
    containers = wanted.observation.of(service)
    scale = _scale(wanted, service) if wanted.is_applied else {}
    if _hash_differs(wanted, service, containers):
        return scale
    release, observation = wanted.release, wanted.observation
    found = (wanted.driver.drift(release, observation, container) for container in containers)
    return {**{field: values for each in found for field, values in each.items()}, **scale}


def _scale(wanted: Wanted, service: ServiceName) -> Mapping[str, tuple[Any, Any]]:
    """How many containers there are to be and how many there are, where that differs."""
    replicas, there = wanted.release.compose.services[service].replicas, len(wanted.observation.of(service))
    return {SCALE: (replicas, there)} if there != replicas else {}


def _hash_differs(wanted: Wanted, service: ServiceName, containers: Iterable[Container]) -> bool:
    """A service Compose could not hash (an env file that is not there yet) counts as different."""
    return any(container.config_hash != wanted.observation.hashes.get(service) for container in containers)


def _hash_causes(wanted: Wanted, service: ServiceName, containers: Iterable[Container]) -> tuple[Cause, ...]:
    """Where what we want has not changed, it is Compose's version, a container it borrows from, or the env file."""
    if not _hash_differs(wanted, service, containers):
        return ()
    current = wanted.record.current
    if current is None or not wanted.is_applied:
        return (Cause.DEFINITION,)
    live = upstream_version(wanted.observation.identity.compose_version)
    if any(upstream_version(container.compose_version) != live for container in containers):
        return _newer_or_rotated(wanted, service, current)
    if _lender_was_replaced(wanted, service, current):
        return (Cause.DEPENDENCY,)
    return (Cause.ENV_FINGERPRINT if _reads_from_host(wanted.release, service) else Cause.DEFINITION,)


def _reads_from_host(release: Release, service: ServiceName) -> bool:
    """Whether Compose reads values for it that only the host has."""
    read = release.compose.services[service].env_files
    return release.module.env.file is not None or not set(read).isdisjoint(release.host_files(service).values())


def _newer_or_rotated(wanted: Wanted, service: ServiceName, current: Receipt) -> tuple[Cause, ...]:
    """Another Compose alone only where no value of the env file is another one; both where that is not known.

    Versions may hash alike, so that a rotated value of the service says all that there is to say.
    """
    made, seen = current.computed, wanted.observation
    if wanted.release.module.env.file is None or (made and made.environment and made.environment == seen.environment):
        return (Cause.COMPOSE_VERSION,)
    if any(_rotated(wanted, service, variables)):
        return (Cause.ENV_FINGERPRINT,)
    known = made is not None and made.variables and seen.variables
    return (Cause.COMPOSE_VERSION,) if known else (Cause.COMPOSE_VERSION, Cause.ENV_FINGERPRINT)


def _rotated(wanted: Wanted, service: ServiceName, *kinds: Kind) -> tuple[Fingerprints, Fingerprints]:
    """Values that the host keeps for a service, where they are others now; of a foreign one's files its owner tells."""
    current = wanted.record.current
    if current is None:
        return {}, {}
    telling = (kind for kind in kinds if kind is not files or service not in wanted.foreign)
    found = [kind(wanted.release, current, wanted.observation, service) for kind in telling]
    return {n: f for then, _ in found for n, f in then.items()}, {n: f for _, now in found for n, f in now.items()}


def _lender_was_replaced(wanted: Wanted, service: ServiceName, current: Receipt) -> bool:
    """Whether a container that the service uses a part of is not the one that the receipt saw."""
    then = {container.id for container in current.containers}
    release, driver = wanted.release, wanted.driver
    lenders = (each for each in release.closure if service in driver.borrowers(release, each))
    return any(not {c.id for c in wanted.observation.of(each)} & then for each in lenders)


def upstream_version(version: str) -> str:
    """A version without what a distribution appends: `docker compose version` says 2.26.1-4, its labels 2.26.1."""
    return re.split(r"[-+~]", version, maxsplit=1)[0]


def _image_differs(wanted: Wanted, service: ServiceName, containers: Iterable[Container]) -> bool:
    image = wanted.image_of(service)
    return any(image is None or container.image_id != image.id for container in containers)


def _files_differ(wanted: Wanted, service: ServiceName) -> bool:
    """A mounted file may differ in its mode alone, and one that is gone from the repository is to go from the host."""
    used = wanted.release.compose.services[service]
    seen = {file.path: (file.digest, file.mode) for file in wanted.observation.files}
    mounted = (file for file in wanted.release.files if _is_used(file.path, used.mounted))
    return (
        any(seen.get(file.path) != (file.digest, file.mode) for file in mounted)
        or bool(wanted.deleted(used.mounted))
        or _environment_differs(wanted, service)
    )


def _environment_differs(wanted: Wanted, service: ServiceName) -> bool:
    """Whether an env file that Compose reads differs: what is in it is part of the service's definition."""
    used = wanted.release.compose.services[service].env_files
    seen = {file.path: file.digest for file in wanted.observation.files}
    return any(seen.get(file.path) != file.digest for file in wanted.release.files if file.path in used)


def _inlined(wanted: Wanted, service: ServiceName) -> tuple[str, ...]:
    """Configs that its containers may hold otherwise; of a foreign service its owner's plan tells."""
    if service in wanted.foreign:
        return ()
    there, earlier = wanted.observation.of(service), wanted.observation.earlier
    return differing(wanted.release, earlier, wanted.record, service, there)


def _edited(wanted: Wanted, service: ServiceName) -> tuple[str, ...]:
    """The compose file, where it is neither this release's nor the recorded one: told once, and no cause for `up`.

    In a project of several modules another one may have brought a newer file, which the host has kept then. Where
    somebody else delivers, a newer comment comes without any apply.
    """
    runtime, current = wanted.release.module.runtime, wanted.record.current
    is_ours = wanted.release.module.delivery is Delivery.PUSH
    if service != runtime.compose_service or current is None or not is_ours:
        return ()
    known = {
        file.digest
        for files in (wanted.release.files, current.files)
        for file in files
        if file.path == runtime.compose_file
    }
    if wanted.foreign:
        known |= wanted.observation.kept
    there = (file.digest for file in wanted.observation.files if file.path == runtime.compose_file)
    return (runtime.compose_file,) if any(digest not in known for digest in there) else ()


def _unseen(wanted: Wanted, service: ServiceName) -> tuple[str, ...]:
    """What differs of files that no service mounts or reads, by name."""
    return (*_inlined(wanted, service), *_edited(wanted, service))


def _is_used(path: str, used: Iterable[str]) -> bool:
    """A mount may name a file or a folder."""
    return any(path == name or path.startswith(name + "/") for name in used)


def _is_down(wanted: Wanted, service: ServiceName, containers: Iterable[Container]) -> bool:
    """Ended or never started; a one-shot that ended with 0 is done, not down."""
    done = service in wanted.driver.one_shots(wanted.release)
    return any(
        container.state in ("created", "exited", "dead") and not (done and container.exit_code == 0)
        for container in containers
    )


def done(release: Release, observation: Observation, driver: Driver) -> frozenset[ServiceName]:
    """One-shots of the closure that ended with 0: where nothing differs, they run again only because `up` runs.

    One that an undo put back without running it has not ended.
    """
    one_shots = driver.one_shots(release).intersection(release.closure)
    ended = {each: {(c.state, c.exit_code) for c in observation.of(each)} for each in one_shots}
    return frozenset(each for each, states in ended.items() if states == {("exited", 0)})


def _spread(wanted: Wanted, causes: dict[ServiceName, tuple[Cause, ...]]) -> None:
    """What a recreated service drags along, and one-shots that run again because `up` runs at all."""
    for service in wanted.release.closure:
        for dependent in _dragged(wanted, service, causes[service]):
            if wanted.is_none(dependent):
                continue
            if Cause.MISSING not in causes[dependent] and Cause.DEPENDENCY not in causes[dependent]:
                causes[dependent] = (*causes[dependent], Cause.DEPENDENCY)
    if any(_action(wanted, *each).touches_container for each in causes.items()):
        for service in wanted.driver.one_shots(wanted.release) & set(wanted.release.closure):
            if not wanted.is_none(service) and not _action(wanted, service, causes[service]).touches_container:
                causes[service] = (*causes[service], Cause.UNHEALTHY)


def _dragged(wanted: Wanted, service: ServiceName, causes: tuple[Cause, ...]) -> tuple[ServiceName, ...]:
    """Who is recreated with a service: who needs it, if Compose does that; who borrows from it, even when it is new."""
    if _action(wanted, service, causes) not in (Action.RECREATE, Action.CREATE):
        return ()
    with_it = (name for name, action in _dependents(wanted, service, causes).items() if action is Action.RECREATE)
    return (*with_it, *wanted.driver.borrowers(wanted.release, service))


def _dependents(wanted: Wanted, service: ServiceName, causes: tuple[Cause, ...]) -> Mapping[ServiceName, Action]:
    """What happens to those who need a service that Compose makes anew; nothing where it does not see why."""
    differs = _hash_differs(wanted, service, wanted.observation.of(service))
    if _action(wanted, service, causes) is Action.RECREATE and is_seen_by_compose(causes, hash_differs=differs):
        return wanted.driver.dependents(wanted.release, service, wanted.observation.identity.compose_version)
    return {}


def _started_again(wanted: Wanted, causes: Mapping[ServiceName, tuple[Cause, ...]]) -> frozenset[ServiceName]:
    """Those that are stopped while one they need is made anew, where nothing else touches them."""
    asked = (_dependents(wanted, service, causes[service]).items() for service in wanted.release.closure)
    started = {name for each in asked for name, action in each if action is Action.START and not wanted.is_none(name)}
    return frozenset(name for name in started if not _action(wanted, name, causes[name]).touches_container)


def _action(wanted: Wanted, service: ServiceName, causes: tuple[Cause, ...]) -> Action:
    if wanted.is_none(service):
        return Action.DELETE if causes else Action.KEEP
    asking = tuple(cause for cause in causes if cause is not Cause.FILE_CONTENT or _needs_new(wanted, service))
    if not asking:
        return Action.UPDATE if causes else Action.KEEP
    if Cause.MISSING in asking:
        return Action.CREATE
    return Action.START if set(asking) <= {Cause.UNHEALTHY, Cause.NEW_VOLUME} else Action.RECREATE


def _needs_new(wanted: Wanted, service: ServiceName) -> bool:
    """Whether new contents of a file ask for a new container, or the manifest says that the file is enough."""
    if _environment_differs(wanted, service) or _inlined(wanted, service):
        return True
    return wanted.release.module.on_file_change is not FileChange.IGNORE and _files_differ(wanted, service)


def _change(wanted: Wanted, service: ServiceName, causes: tuple[Cause, ...], started: frozenset[ServiceName]) -> Change:
    container = next(iter(wanted.observation.of(service)), None)
    action = _action(wanted, service, causes)
    if service in started:
        action, causes = Action.START, (*causes, Cause.DEPENDENCY)
    drift = _drift(wanted, service) if Cause.ENGINE_DRIFT in causes else {}
    rotated = _rotated(wanted, service, variables, files) if Cause.ENV_FINGERPRINT in causes else ({}, {})
    then, now = _fields(wanted, service, action)
    made_by, live = _versions(wanted, container, causes)
    before = None
    if container:
        before = {**then, **_seen(wanted, container), **_engine(drift, 1), **_values(rotated[0]), **made_by}
    after = None
    if not wanted.is_none(service):
        after = {**now, **_wanted(wanted, service), **_engine(drift, 0), **_values(rotated[1]), **live}
    lost = wanted.unmanaged and action is not Action.KEEP
    names = {Cause.ENV_FINGERPRINT: (*rotated[0], *rotated[1]), Cause.FILE_CONTENT: _unseen(wanted, service)}
    return _described(wanted.release, service, action, causes, before, after, destructive=lost, names=names)


def _fields(wanted: Wanted, service: ServiceName, action: Action) -> tuple[Fields, Fields]:
    """The definition of what is made or changed, before and after."""
    if action is Action.CREATE:
        return {}, described(wanted.release.compose.services[service], wanted.hide)
    if action in (Action.KEEP, Action.DELETE):
        return {}, {}
    return definitions(wanted.release, wanted.observation.earlier, service, wanted.hide)


def _versions(
    wanted: Wanted, container: Container | None, causes: tuple[Cause, ...]
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Which Compose made a container and which one hashes it otherwise, where that is what is new."""
    if container is None or Cause.COMPOSE_VERSION not in causes:
        return {}, {}
    live = upstream_version(wanted.observation.identity.compose_version)
    return {"compose_version": upstream_version(container.compose_version)}, {"compose_version": live}


def _values(fingerprints: Mapping[str, str]) -> Mapping[str, Any]:
    """A list, as beside a name like PASSWORD whatever stands is taken for a secret."""
    return {"variables": [f"{name} {value}" for name, value in fingerprints.items()]} if fingerprints else {}


def _engine(drift: Mapping[str, tuple[Any, Any]], side: int) -> Mapping[str, Any]:
    """What was changed by hand, apart from what a release changes."""
    return {"engine": {field: values[side] for field, values in sorted(drift.items())}} if drift else {}


def _wanted(wanted: Wanted, service: ServiceName) -> Mapping[str, str]:
    """The hash is empty where Compose can not know it before the plan brings an env file."""
    image = wanted.image_of(service)
    return {
        "config_hash": wanted.observation.hashes.get(service, ""),
        "image": wanted.release.compose.services[service].image or "",
        "image_id": image.id if image else "",
        **_digest_of(image),
        "state": "running",
    }


def _seen(wanted: Wanted, container: Container) -> Mapping[str, str]:
    """What a plan says of a container; one in a crash loop is running or restarting by chance, so that is one state."""
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
    """By which digest a registry has it; there is none for an image that is on the host alone."""
    return {"image_digest": image.digest} if image and image.digest else {}


def _described(
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
    """Each cause in words, and by name what it is about, where that is known."""
    for cause in causes:
        told = ", ".join(sorted(set(names.get(cause, ()))))
        yield f"{_REASONS[cause]}: {told}" if told else _REASONS[cause]
