"""Rules about a compose file outside its services: volumes, configs and secrets, its name, variables and other files.

A file may be shared by several modules, so only what the closure uses is judged, and the networks and volumes that
come along with it. Networks are judged in `platformctl.policy.networks`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from platformctl.errors import InvalidInput
from platformctl.model.compose import GIVEN, is_made
from platformctl.model.finding import SHARED_VOLUME
from platformctl.model.names import RepoPath
from platformctl.policy.mounts import normal
from platformctl.policy.rules import Candidate, Look, Rule, Sighting, is_off, shown

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_MADE = ("networks", "volumes")
_VOLUME_OPTIONS = frozenset({"type", "o", "device", "size"})
_SHARED_FILE_SYSTEMS = {"nfs": ":", "nfs4": ":", "cifs": "//", "smb3": "//"}
_ORDERS = ("COMPOSE_", "DOCKER_", "BUILDKIT_", "BUILDX_", "LD_", "OTEL_")
_MOUNT_FLAGS = frozenset({"bind", "rbind", "remount", "move", "shared", "rshared"})


def used(candidate: Candidate, section: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield name and definition of everything in `section` that the closure uses, in the file's order.

    Networks and volumes of services beside it are included unless they are external: the first `up` of any service
    makes them too, with those of all services that it loads (seen with Compose 2.26.1).
    """
    names = {name for service in candidate.services for name in _names(service.definition, section)}
    beside = {name for service in candidate.beside for name in _names(service.definition, section)}
    for name, definition in candidate.section(section).items():
        comes_along = name in beside and section in _MADE and is_made(definition or {})
        if name in names or comes_along:
            yield name, definition or {}


def _names(definition: Mapping[str, Any], section: str) -> Iterator[str]:
    if section == "networks":
        yield from definition.get("networks") or ("default",)
    else:
        yield from (item["source"] for item in definition.get(section, ()) if item.get("source"))


def _volume_options(candidate: Candidate) -> Iterator[Sighting]:
    for name, volume in used(candidate, "volumes"):
        if not is_off(volume.get("driver_opts")) and not _is_harmless(volume["driver_opts"]):
            yield Sighting(f"volumes.{name}.driver_opts", f"volume {shown(name)} mounts what its options say")


def _is_harmless(options: Any) -> bool:
    """Whether options of Docker's local driver mount a tmpfs or a network file system, nothing of the host.

    The option `bind` wins over any type. Option names with capitals are not accepted: a name could come in two
    spellings with two values.
    """
    if not isinstance(options, dict) or not options.keys() <= _VOLUME_OPTIONS:
        return False
    given = {key: str(value) for key, value in options.items()}
    flags = {flag.strip().lower() for flag in given.get("o", "").split(",")}
    if flags & _MOUNT_FLAGS:
        return False
    kind = given.get("type", "")
    start = _SHARED_FILE_SYSTEMS.get(kind)
    return kind == "tmpfs" or (start is not None and given.get("device", "").startswith(start))


def _volume_drivers(candidate: Candidate) -> Iterator[Sighting]:
    for name, volume in used(candidate, "volumes"):
        if volume.get("driver") not in (None, "", "local"):
            yield Sighting(f"volumes.{name}.driver", f"volume {shown(name)} has a driver of its own")


def _shared_volumes(candidate: Candidate) -> Iterator[Sighting]:
    for name, volume in used(candidate, "volumes"):
        if volume.get("name") is not None or not is_off(volume.get("external")):
            yield Sighting(f"volumes.{name}", f"volume {shown(name)} may be another project's")


def _odd_names(candidate: Candidate) -> Iterator[Sighting]:
    for section in ("volumes", "networks"):
        for name, definition in used(candidate, section):
            there = called(name, definition)
            if not isinstance(there, str) or not _NAME.match(there):
                yield Sighting(f"{section}.{name}", f"what {shown(name)} in {section} is called on the host is no name")


def called(name: str, definition: Mapping[str, Any]) -> Any:
    """Return the name of a network or volume on the host, without the project's name in front."""
    external = definition.get("external")
    legacy = external.get("name") if isinstance(external, Mapping) else None
    return definition.get("name") or legacy or name


def _outside_files(candidate: Candidate) -> Iterator[Sighting]:
    for service in candidate.compose.services.values():  # Compose reads the env files of all services with the file
        for path in (file["path"] for file in service.definition.get("env_file", ())):
            if not _is_inside(candidate, path):
                yield Sighting(f"services.{service.name}.env_file", f"service {service.name} reads {shown(path)}")
    for section in ("configs", "secrets"):
        for name, definition in used(candidate, section):
            file = definition.get("file")
            if file is not None and not _is_inside(candidate, file):
                yield Sighting(f"{section}.{name}.file", f"{shown(name)} in {section} reads {shown(file)}")


def _is_inside(candidate: Candidate, file: Any) -> bool:
    """Whether a file is a relative path that stays below the repository, which on the host is the root."""
    if not isinstance(file, str) or file.startswith(("/", "~")):
        return False
    top = normal(candidate.host.root)
    path = normal(f"{top}/{candidate.compose.path.parent}/{file}")
    try:
        return path.startswith(top.rstrip("/") + "/") and bool(RepoPath.parse(path[len(top) :].lstrip("/")))
    except InvalidInput:
        return False


def _host_values(candidate: Candidate) -> Iterator[Sighting]:
    for section in ("configs", "secrets"):
        for name, definition in used(candidate, section):
            for key in ("environment", "driver", "template_driver"):
                if definition.get(key) is not None:
                    yield Sighting(f"{section}.{name}.{key}", f"{shown(name)} in {section} has {key}")


def _reserved_labels(candidate: Candidate) -> Iterator[Sighting]:
    for section in ("volumes", "networks"):
        for name, definition in used(candidate, section):
            labels = definition.get("labels") or ()
            labels = labels if isinstance(labels, list | dict) else (labels,)
            if any(str(label).lower().startswith("com.docker.compose.") for label in labels):
                yield Sighting(f"{section}.{name}.labels", f"{shown(name)} sets a label of Compose's own")


def _top_level(key: str) -> Look:
    def look(candidate: Candidate) -> Iterator[Sighting]:
        if not is_off(candidate.compose.document.get(key)):
            yield Sighting(key, f"the compose file has {key}")

    return look


def _project_name(candidate: Candidate) -> Iterator[Sighting]:
    name = candidate.compose.document.get("name")
    if name is not None and name != candidate.module.runtime.project:
        yield Sighting("name", f"the compose file calls its project {shown(name)}")


def _compose_variables(candidate: Candidate) -> Iterator[Sighting]:
    """Yield variables that Compose, Docker or their loader have or obey on a host, in `env.set` or in the file.

    What Compose is given in its environment wins over `env.set` and over any default.
    """
    for name in candidate.module.env.set:
        if name.startswith(_ORDERS) or GIVEN.match(name):
            yield Sighting(f"spec.env.set.{name}", f"env.set has {name}", in_manifest=True)
    for variable, place in candidate.compose.deciding:
        if GIVEN.match(variable) and _concerns(candidate, place):
            yield Sighting(place, f"the variable {variable} is used")


def _unset_variables(candidate: Candidate) -> Iterator[Sighting]:
    images = {f"services.{service.name}.image" for service in candidate.services}
    for name, place in candidate.compose.unset:
        if place not in images and _concerns(candidate, place):
            yield Sighting(place, f"the variable {name} has neither a value nor a default")
    for name, place in candidate.compose.left_to_host if candidate.module.env.file is None else ():
        if _concerns(candidate, place):
            yield Sighting(place, f"the variable {name} has no value, no default, and no spec.env.file to set it")


def _concerns(candidate: Candidate, place: str) -> bool:
    if not place.startswith("services."):
        return True
    return any(place.startswith(f"services.{service.name}.") for service in candidate.services)


SECTION_RULES = (
    Rule(
        "include",
        why="other files are not judged, and may be fetched from elsewhere",
        instead="write the services into this file",
        look=_top_level("include"),
        waivable=False,
    ),
    Rule(
        "file-models",
        why="it has the engine fetch and run a model",
        instead="run the model as a service with an image",
        look=_top_level("models"),
    ),
    Rule(
        "project-name",
        why="another name could take over a neighbour's containers",
        instead="leave name out, or set spec.runtime.project to the same",
        look=_project_name,
        waivable=False,
    ),
    Rule(
        "compose-variable",
        why="Compose, Docker or their loader have a variable of that name on the host, or take orders from it",
        instead="use another name",
        look=_compose_variables,
        waivable=False,
    ),
    Rule(
        "unset-variable",
        why="a host could then decide what was not judged, or nobody does and it is empty",
        instead="set it in spec.env.set of the manifest, or give it a default: ${NAME:-default}",
        look=_unset_variables,
        waivable=False,
        plans_only=True,
    ),
    Rule(
        "outside-file",
        why="env files, configs and secrets are delivered from the repository or lie below the host's root",
        instead="give a path relative to the compose file that stays inside",
        look=_outside_files,
        waivable=False,
    ),
    Rule(
        "host-value",
        why="its value would come from the environment of whoever applies, or from a driver",
        instead="use file, with a file below the host's root",
        look=_host_values,
        waivable=False,
    ),
    Rule(
        "volume-options",
        why="they can mount any folder of the host",
        instead="leave driver_opts out; tmpfs and network file systems need no waiver",
        look=_volume_options,
    ),
    Rule(
        "volume-driver",
        why="a plugin decides what is mounted",
        instead="leave driver out",
        look=_volume_drivers,
    ),
    Rule(
        SHARED_VOLUME,
        why="what is in it, and what its options mount, is not decided by this file",
        instead="leave name and external out; without a waiver it may not lead to the host's own files",
        look=_shared_volumes,
        only_warns=True,
    ),
    Rule(
        "odd-name",
        why="Docker could take it for a path",
        instead="use letters, digits, dots, dashes and underscores",
        look=_odd_names,
        waivable=False,
    ),
    Rule(
        "reserved-resource-label",
        why="Compose and platformctl recognise volumes and networks by labels beginning with com.docker.compose.",
        instead="use a label of your own",
        look=_reserved_labels,
        waivable=False,
    ),
)
