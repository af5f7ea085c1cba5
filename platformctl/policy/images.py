"""Rules about where images come from and how precisely they are named, and warnings about health checks and limits."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from platformctl.model.compose import ComposeService
from platformctl.model.desired import ModuleKind
from platformctl.policy.rules import Candidate, Rule, Sighting, is_off, shown

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*(@sha256:[0-9a-f]{64})?\Z")
_BY_DIGEST = re.compile(r"(.*@)?sha256:[0-9a-f]{64}\Z")


def allows(pattern: str, image: str) -> bool:
    """Whether a pattern of `images.allow` covers an image, with or without its tag.

    Each part between slashes is matched by itself, so that `ghcr.io*` never covers another registry whose name merely
    begins so; a last part `*` covers everything below. `redis`, `library/redis` and `docker.io/library/redis` are one
    image.
    """
    wanted = [part for part in pattern.split("/") if part]
    name = image.partition("@")[0]
    plain = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return any(_fits(wanted, spelling.split("/")) for one in (image, name, plain) for spelling in _spellings(one))


def _fits(wanted: list[str], parts: list[str]) -> bool:
    if wanted[-1:] == ["*"] and len(parts) >= len(wanted):
        parts = parts[: len(wanted)]
    return len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted))


def _spellings(image: str) -> Iterator[str]:
    """Yield the names that an image can be written by, from the short one to the full one."""
    short = image.removeprefix("docker.io/").removeprefix("library/") if _is_on_docker_hub(image) else image
    yield short
    if _is_on_docker_hub(image):
        yield short if "/" in short else f"library/{short}"
        yield f"docker.io/{short}" if "/" in short else f"docker.io/library/{short}"


def _is_on_docker_hub(image: str) -> bool:
    """Whether an image is on Docker Hub: its first part names no other registry.

    Docker takes the first part for a registry if it has a dot, a colon or a capital, or is `localhost`.
    """
    first, slash, _ = image.partition("/")
    is_registry = "." in first or ":" in first or first == "localhost" or first != first.lower()
    return not slash or first == "docker.io" or not is_registry


def _unresolved(candidate: Candidate) -> Iterator[Sighting]:
    unset = {place for _, place in candidate.compose.unset}
    for service in candidate.services:
        place = f"services.{service.name}.image"
        if place in unset:
            yield Sighting(place, f"the image of service {service.name} has a variable without a value")
        elif service.image is None:  # the name that Compose would give a built image is in no file
            yield Sighting(f"services.{service.name}", f"service {service.name} has no image")
        elif service.image is not None and not _REFERENCE.match(service.image):
            yield Sighting(place, f"the image of service {service.name} is not a reference")


def _named(candidate: Candidate) -> Iterator[tuple[ComposeService, str, str]]:
    for service in candidate.services:
        if service.image:
            yield service, service.image, f"services.{service.name}.image"


def _not_allowed(candidate: Candidate) -> Iterator[Sighting]:
    for service, image, place in _named(candidate):
        if not any(allows(pattern, image) for pattern in candidate.policy.images_allow):
            yield Sighting(place, f"service {service.name} uses {shown(image)}")


def _without_digest(candidate: Candidate, *, required: bool) -> Iterator[Sighting]:
    if candidate.policy.require_digest is not required:
        return
    for service, image, place in _named(candidate):
        if not _BY_DIGEST.match(image):
            yield Sighting(place, f"service {service.name} names {shown(image)} without a digest")


def _without_health_check(candidate: Candidate) -> Iterator[Sighting]:
    service = candidate.compose.services[candidate.module.runtime.compose_service]
    if candidate.module.kind is ModuleKind.SERVICE and not service.has_healthcheck:
        yield Sighting(f"services.{service.name}", f"service {service.name} has no health check")


def _without_limits(candidate: Candidate) -> Iterator[Sighting]:
    for service in candidate.services:
        deploy = service.definition.get("deploy")
        resources = deploy.get("resources") if isinstance(deploy, dict) else None
        limits = resources.get("limits") if isinstance(resources, dict) else None
        if is_off(service.definition.get("mem_limit")) and not (isinstance(limits, dict) and limits.get("memory")):
            yield Sighting(f"services.{service.name}", f"service {service.name} has no memory limit")


IMAGE_RULES = (
    Rule(
        "image-unresolved",
        why="what would run can not be told",
        instead="name an image; set the variable in spec.env.set or give it a default",
        look=_unresolved,
        waivable=False,
        plans_only=True,
    ),
    Rule(
        "image-not-allowed",
        why="no pattern of images.allow in policy.yaml covers it",
        instead="use an image of an allowed registry, or add a pattern",
        look=_not_allowed,
    ),
    Rule(
        "image-digest",
        why="policy.yaml has images.require_digest, and a tag can be moved",
        instead="write name:tag@sha256:…",
        look=lambda candidate: _without_digest(candidate, required=True),
    ),
    Rule(
        "image-tag",
        why="a tag can be moved; the plan pins what it is today",
        instead="write name:tag@sha256:…",
        look=lambda candidate: _without_digest(candidate, required=False),
        only_warns=True,
    ),
    Rule(
        "no-health-check",
        why="running without a restart is then all that can be proven",
        instead="add a healthcheck, or a canary to the manifest",
        look=_without_health_check,
        only_warns=True,
    ),
    Rule(
        "no-limits",
        why="it can take all the memory of its host",
        instead="set mem_limit or deploy.resources.limits.memory",
        look=_without_limits,
        only_warns=True,
    ),
)
