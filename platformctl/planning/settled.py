"""Reuse the hashes of the last receipt while nothing that the host's orchestrator reads for them has changed."""

from collections.abc import Iterable
from dataclasses import replace

from platformctl.drivers.interface import Driver
from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Container, Identity, Observation
from platformctl.model.state import Computed, Receipt


def computed(
    release: Release, observation: Observation, containers: Iterable[Container], driver: Driver
) -> Computed | None:
    """Return what the orchestrator made of `release`, from the containers it made.

    `observation` is from before the apply. Its fingerprints are known to be of the env file that the orchestrator read
    only if the hashes are those computed then. None where they are not, or where a service has no or several hashes.
    """
    labels = {service: {c.config_hash for c in containers if c.service == service} for service in release.closure}
    if any(len(hashes) != 1 for hashes in labels.values()):
        return None
    made = {str(service): hashes.pop() for service, hashes in labels.items()}
    if any(observation.hashes.get(s) != made[s] for s in release.closure if not _may_differ(release, s, driver)):
        return None
    who = observation.identity
    return Computed(who.compose_version, observation.environment, made, observation.variables, who.compose_program)


def known_version(identity: Identity, receipts: Iterable[Receipt | None]) -> str:
    """Return the orchestrator's version from a receipt made with the same program; empty if there is none."""
    made = (receipt.computed for receipt in receipts if receipt is not None and receipt.computed is not None)
    return next((each.version for each in made if each.program == identity.compose_program != ""), "")


def is_expected(release: Release, identity: Identity, current: Receipt | None) -> bool:
    """Whether the last receipt is likely to have the hashes, so that the orchestrator is not asked for them first."""
    made = current.computed if current else None
    return (
        current is not None
        and made is not None
        and current.desired == release.digest
        and made.version == identity.compose_version
        and all(service in made.hashes for service in release.closure)
        and all(_reads_only_ours(release, service) for service in release.closure)
    )


def settled(release: Release, observation: Observation, current: Receipt | None, driver: Driver) -> Observation | None:
    """Return `observation` with the hashes of the last receipt; None where what they rest on has changed.

    They rest on the files of the release, the host's env file, and the containers that services borrow from.
    """
    made = current.computed if current else None
    if current is None or made is None or not is_expected(release, observation.identity, current):
        return None
    files = {file.path: file.digest for file in observation.files}
    if any(files[file.path] != file.digest for file in release.files if file.path in files):
        return None
    needs_environment = release.module.env.file is not None
    if made.environment != observation.environment or (needs_environment and made.environment is None):
        return None
    lenders = (each for each in release.closure if driver.borrowers(release, each))
    if any(_ids(observation, each) != {c.id for c in current.containers if c.service == each} for each in lenders):
        return None
    return replace(observation, hashes={service: made.hashes[service] for service in release.closure})


def _reads_only_ours(release: Release, service: ServiceName) -> bool:
    """Whether each env file of a service is a file of the release or the module's `env.file`."""
    used = release.compose.services[service]
    known = {release.module.env.file, *(file.path for file in release.files)}
    return known.issuperset(used.env_files) and len(used.env_files) == len(used.definition.get("env_file") or ())


def _ids(observation: Observation, service: ServiceName) -> set[str]:
    return {container.id for container in observation.of(service)}


def _may_differ(release: Release, service: ServiceName, driver: Driver) -> bool:
    """Whether the hash of a service may rightly be another one than was computed before the apply.

    It may if the service borrows from a container that was made anew, or has env files that came with the plan. With an
    `env.file` it may not: another hash could mean that the file changed meanwhile.
    """
    if release.module.env.file is not None:
        return False
    borrows = any(service in driver.borrowers(release, each) for each in release.closure)
    return borrows or bool(release.compose.services[service].env_files)
