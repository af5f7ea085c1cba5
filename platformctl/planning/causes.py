"""Why a service changes, looked at by itself: each cause compares what is wanted with what was seen."""

import re
from collections.abc import Iterable, Mapping

from platformctl.model.desired import Delivery, Release
from platformctl.model.names import Digest, ServiceName
from platformctl.model.observed import Container
from platformctl.model.plan import Cause
from platformctl.model.state import Receipt
from platformctl.planning.drifted import drift_of, hash_differs, other_volumes, renamed_networks, scale_of
from platformctl.planning.inlined import differing
from platformctl.planning.rotated import Fingerprints, Kind, files, variables
from platformctl.planning.wanted import Wanted, is_used


def causes_of(wanted: Wanted, service: ServiceName) -> tuple[Cause, ...]:
    """Return every cause that holds for a service; empty where it may stay as it is."""
    containers = wanted.observation.of(service)
    if wanted.is_none(service):
        return (Cause.DEFINITION,) if containers else ()
    if not containers:
        return (Cause.MISSING, *_new_volume(wanted, service))
    checks = (
        *((cause, True) for cause in _hash_causes(wanted, service, containers)),
        (Cause.DEFINITION, bool(scale_of(wanted, service)) and not wanted.is_applied),
        (Cause.ENV_FINGERPRINT, any(rotated_values(wanted, service, files))),
        (Cause.IMAGE_DIGEST, _image_differs(wanted, service, containers)),
        (Cause.FILE_CONTENT, files_differ(wanted, service) or bool(unseen_files(wanted, service))),
        (Cause.NETWORK, _network_is_lost(wanted, containers) or bool(renamed_networks(wanted, service))),
        (Cause.VOLUME, bool(other_volumes(wanted, service))),
        (Cause.ENGINE_DRIFT, bool(drift_of(wanted, service))),
        (Cause.UNHEALTHY, _is_down(wanted, service, containers)),
    )
    causes = tuple(dict.fromkeys(cause for cause, holds in checks if holds))
    return (*causes, *_new_volume(wanted, service)) if causes else ()


def _new_volume(wanted: Wanted, service: ServiceName) -> tuple[Cause, ...]:
    """Return `NEW_VOLUME` if a volume would be made for the service, which is worth telling where a container is made.

    By itself it is no reason to make one.
    """
    new = wanted.driver.new_volumes(wanted.release, wanted.observation, service)
    return (Cause.NEW_VOLUME,) if new else ()


def _network_is_lost(wanted: Wanted, containers: Iterable[Container]) -> bool:
    release, observation = wanted.release, wanted.observation
    return any(wanted.driver.lost_networks(release, observation, container) for container in containers)


def _hash_causes(wanted: Wanted, service: ServiceName, containers: Iterable[Container]) -> tuple[Cause, ...]:
    """Return why the hashes of the service's containers differ from the wanted one; empty where they do not.

    It is the definition unless this release is the one applied last. Else it is the version of Compose, a container
    that the service borrows from, or a value that the host keeps, and the definition where none of these can be.
    """
    if not hash_differs(wanted, service, containers):
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
    """Whether Compose reads values for the service from files that only the host has."""
    read = release.compose.services[service].env_files
    return release.module.env.file is not None or not set(read).isdisjoint(release.host_files(service).values())


def _newer_or_rotated(wanted: Wanted, service: ServiceName, current: Receipt) -> tuple[Cause, ...]:
    """Return the causes for containers that another version of Compose made.

    It is the version alone if no value of the env file changed, and both if that is not known. A changed value that the
    service uses is the only cause told, because two versions may compute the same hash.
    """
    made, seen = current.computed, wanted.observation
    if wanted.release.module.env.file is None or (made and made.environment and made.environment == seen.environment):
        return (Cause.COMPOSE_VERSION,)
    if any(rotated_values(wanted, service, variables)):
        return (Cause.ENV_FINGERPRINT,)
    known = made is not None and made.variables and seen.variables
    return (Cause.COMPOSE_VERSION,) if known else (Cause.COMPOSE_VERSION, Cause.ENV_FINGERPRINT)


def rotated_values(wanted: Wanted, service: ServiceName, *kinds: Kind) -> tuple[Fingerprints, Fingerprints]:
    """Return the fingerprints, at the last apply and now, of values the host keeps for a service and that changed.

    Files of a `foreign` service are left out: its own module's plan tells them.
    """
    current = wanted.record.current
    if current is None:
        return {}, {}
    telling = (kind for kind in kinds if kind is not files or service not in wanted.foreign)
    found = [kind(wanted.release, current, wanted.observation, service) for kind in telling]
    return {n: f for then, _ in found for n, f in then.items()}, {n: f for _, now in found for n, f in now.items()}


def _lender_was_replaced(wanted: Wanted, service: ServiceName, current: Receipt) -> bool:
    """Whether a container that the service borrows from is not the one in the receipt."""
    then = {container.id for container in current.containers}
    release, driver = wanted.release, wanted.driver
    lenders = (each for each in release.closure if service in driver.borrowers(release, each))
    return any(not {c.id for c in wanted.observation.of(each)} & then for each in lenders)


def upstream_version(version: str) -> str:
    """Return a version without a distribution's suffix: `docker compose version` says 2.26.1-4, its labels 2.26.1."""
    return re.split(r"[-+~]", version, maxsplit=1)[0]


def _image_differs(wanted: Wanted, service: ServiceName, containers: Iterable[Container]) -> bool:
    image = wanted.image_of(service)
    return any(image is None or container.image_id != image.id for container in containers)


def files_differ(wanted: Wanted, service: ServiceName) -> bool:
    """Whether a file that the service mounts or reads is not as the release has it: other contents, or another mode.

    A file that the release no longer has counts too, as it is to go from the host. For a `foreign` service that is left
    to the plan of its own module, which may have removed the file by now. The file on the host may also be right
    already because another module brought it, while the containers were made with an older one.
    """
    used = wanted.release.compose.services[service]
    seen = {str(file.path): (file.digest, file.mode) for file in wanted.observation.files}
    mounted = {str(f.path): (f.digest, f.mode) for f in wanted.release.files if is_used(f.path, used.mounted)}
    return (
        any(seen.get(path) != file for path, file in mounted.items())
        or _was_made_with_others(wanted, service, mounted)
        or (service not in wanted.foreign and bool(wanted.deleted(used.mounted)))
        or environment_differs(wanted, service)
    )


def _was_made_with_others(wanted: Wanted, service: ServiceName, mounted: Mapping[str, tuple[Digest, int]]) -> bool:
    """Whether the service's containers were made by a release that had other files than are mounted now.

    That release is the last proven one whose receipt names one of them. A file that it did not have counts if it lies
    in a mounted folder; one that is mounted by itself may have been on the host all the same. A `foreign` service is
    left to the plan of its own module.
    """
    there = set() if service in wanted.foreign else {container.id for container in wanted.observation.of(service)}
    receipts = (signed.receipt for signed in reversed(wanted.record.receipts) if signed.receipt.healthy)
    made = next((each for each in receipts if any(container.id in there for container in each.containers)), None)
    if made is None:
        return False
    then = {str(file.path): (file.digest, file.mode) for file in made.files}
    alone = wanted.release.compose.services[service].mounted
    return any(path not in alone if path not in then else then[path] != file for path, file in mounted.items())


def environment_differs(wanted: Wanted, service: ServiceName) -> bool:
    """Whether an env file that Compose reads for the service differs; its values are part of the definition."""
    used = wanted.release.compose.services[service].env_files
    seen = {file.path: file.digest for file in wanted.observation.files}
    return any(seen.get(file.path) != file.digest for file in wanted.release.files if file.path in used)


def inlined_configs(wanted: Wanted, service: ServiceName) -> tuple[str, ...]:
    """Return the inlined configs whose content its containers may hold otherwise.

    Empty for a `foreign` service: its own module's plan tells them.
    """
    if service in wanted.foreign:
        return ()
    there, earlier = wanted.observation.of(service), wanted.observation.earlier
    return differing(wanted.release, earlier, wanted.record, service, there)


def _edited(wanted: Wanted, service: ServiceName) -> tuple[str, ...]:
    """Return the compose file's path if the host has neither this release's nor the recorded one; else empty.

    No container changes for it: only the file is written again. It is a cause of the module's own service alone, so
    that it is told once. Another module of the project may have brought a newer file; the host has that among its kept
    files. With delivery `verify` somebody else delivers the file, so it may be newer without any apply.
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


def unseen_files(wanted: Wanted, service: ServiceName) -> tuple[str, ...]:
    """Return the names of what differs and is no file that the service mounts or reads: configs, the compose file."""
    return (*inlined_configs(wanted, service), *_edited(wanted, service))


def _is_down(wanted: Wanted, service: ServiceName, containers: Iterable[Container]) -> bool:
    """Whether a container has ended or was never started; a one-shot that ended with 0 is done, not down."""
    done = service in wanted.driver.one_shots(wanted.release)
    return any(
        container.state in ("created", "exited", "dead") and not (done and container.exit_code == 0)
        for container in containers
    )
