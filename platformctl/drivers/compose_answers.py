"""Read a host's answers about Docker and Compose. Whatever does not fit the frame is garbage, never a guess."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from platformctl.drivers.compose_engine import CREATED, OK, Response, responses
from platformctl.drivers.compose_questions import Section, garbage, read_sections
from platformctl.drivers.compose_settings import seen_settings
from platformctl.errors import InvalidInput, PrepareFailed, Unreachable
from platformctl.model import strict_json
from platformctl.model.codec import decode
from platformctl.model.command import Completed, require_room
from platformctl.model.desired import HostEntry
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, ServiceName
from platformctl.model.observed import Container, Identity, ProjectSeen

T = TypeVar("T")
Reason = tuple[str, str, str]
"""The stable word, the summary and the hint of a refusal; `{user}` in that is who asked."""

_DOWN = ("docker_down", "the Docker Engine does not answer", "start it on the host: `systemctl start docker`")
_INSTALL = (
    "install the Compose v2 plugin on the host, as root: `apt-get install docker-compose` on Debian 13, "
    "`docker-compose-v2` on Ubuntu, `docker-compose-plugin` beside Docker's own packages"
)
_NO_COMPOSE = ("compose_missing", "Compose v2 is not installed as a plugin of docker", _INSTALL)
_ENGINE_REASONS: Mapping[str, Reason] = {
    "missing": (
        "compose_missing",
        "Docker is not installed",
        "install both on the host, as root: `apt-get install docker.io docker-cli docker-compose` on Debian 13, "
        "`docker.io docker-compose-v2` on Ubuntu",
    ),
    "permission": (
        "docker_permission",
        "the user may not use Docker",
        "add the user to the group docker, as root: `usermod -aG docker {user}`",
    ),
    "down": _DOWN,
    "": _DOWN,
}
_COMPOSE_REASONS: Mapping[str, Reason] = {
    "missing": _NO_COMPOSE,
    "v1": ("compose_v1", "Compose is version 1", _INSTALL),
    "": _NO_COMPOSE,
}
_A_PROGRAM = 1 << 20
"""The least size in bytes of a compiled Go program; a smaller file is a script."""
_VERSION = re.compile(r"v?(?:[2-9]|[1-9][0-9]+)(?:\.[0-9]+)+(?:[-+~][0-9A-Za-z.+~-]{1,64})?")
"""Matches versions from 2 on, as upstream writes them or with a distribution's suffix: 2.26.1-4."""
_ME = re.compile(r"uid=([0-9]+)(?:\((.+?)\))? gid=")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


@dataclass(frozen=True)
class _Attached:
    """A container's attachment to one network; `NetworkID` is empty before the container's first start."""

    NetworkID: str
    Aliases: tuple[str, ...] | None


@dataclass(frozen=True)
class _Inspected:
    """One container as `FORMS` asks for it; fields from Compose's labels are None where Compose did not make it."""

    id: str
    name: str
    project: str | None
    service: str | None
    image_id: Digest
    image_ref: str
    hash: str | None
    version: str | None
    oneoff: str | None
    state: str
    health: str | None
    exit_code: int
    restarts: int
    started_at: str
    folder: str | None
    files: str | None
    networks: Mapping[str, _Attached]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class _Engine:
    """The fields that are read of the engine's `/info`, under the engine's own names."""

    ID: str
    ServerVersion: str
    Architecture: str
    SwapLimit: bool


@dataclass(frozen=True)
class _Listed:
    """One entry of the engine's list of containers."""

    Id: str


@dataclass(frozen=True)
class _Image:
    Id: Digest


@dataclass(frozen=True)
class _Network:
    Name: str
    Id: str


@dataclass(frozen=True)
class _Volume:
    Name: str


def identity(answer: bytes, entry: HostEntry) -> Identity:
    """Return the identity of the host that answered.

    Raises `Unreachable` when the engine does not answer, when Compose v2 was asked and does not, and for garbage.
    """
    with understood(entry.name):
        sections = read_sections(answer, entry.name)
        uid, user, machine_id, clock, home, path = _identity_lines(sections, entry)
        engine = _engine(sections["engine"], entry)
        return Identity(
            uid=int(uid),
            user=user,
            machine_id=machine_id,
            engine_id=engine.ID,
            engine_version=engine.ServerVersion,
            architecture=_ARCHITECTURES.get(engine.Architecture, engine.Architecture),
            compose_version=compose_version(sections["compose"], entry),
            compose_program=_program(sections["program"]),
            clock=int(clock),
            home=home,
            path=path,
            swap_limit=engine.SwapLimit,
        )


def compose_version(section: Section, entry: HostEntry) -> str:
    """Return the version Compose reports, without a leading `v`; empty where it was not asked.

    Raises `Unreachable` when Compose is missing, is version 1 or reports something that is no version.
    """
    word = section.lines[-1].strip() if section.lines else ""
    if word in _COMPOSE_REASONS or section.status:
        raise _unreachable(_COMPOSE_REASONS.get(word, _NO_COMPOSE), entry)
    if word == "unasked":
        return ""
    if _VERSION.fullmatch(word) is None:
        raise garbage(entry.name, "what Compose says is not the version of one")
    return word.removeprefix("v")


def _engine(section: Section, entry: HostEntry) -> _Engine:
    word = section.lines[-1] if section.lines else ""
    if word in _ENGINE_REASONS or section.status:
        raise _unreachable(_ENGINE_REASONS.get(word, _DOWN), entry)
    (response,) = responses(section.body)
    if response.status != OK:
        raise _unreachable(_DOWN, entry)
    return decode(_Engine, {"SwapLimit": False, **response.data}, "an answer", ignore_unknown=True)


def _program(section: Section) -> str:
    """Return a digest that changes when one of the files that may be Compose's program changes.

    Empty where there is no such file, or where one is so small that it must be a script, which may run any other
    program. Each line of the section begins with the size of its file.
    """
    if section.status:
        raise ValueError("the program files could not be looked at")
    sizes = [int(line.split(" ", 1)[0]) for line in section.lines]
    return Digest.of(section.body).hexadecimal if min(sizes, default=0) >= _A_PROGRAM else ""


def containers(answer: Completed, entry: HostEntry) -> tuple[Container, ...]:
    """The project's containers."""
    with understood(entry.name):
        return _watched(answer, entry)[0]


def whole(answer: Completed, entry: HostEntry) -> ProjectSeen:
    """The project's containers, networks and volumes; what could not be listed is not taken for none."""
    with understood(entry.name):
        found, (networks, volumes) = _watched(answer, entry)
        ids = {f"network {each.Name}": each.Id for each in every(_Network, networks.data)}
        none = {f"volume {each.Name}": "" for each in every(_Volume, volumes.data["Volumes"] or [])}
        return ProjectSeen(found, ids | none)


def images(answer: bytes, entry: HostEntry) -> frozenset[Digest]:
    """The ids of the host's images; raises `Unreachable` where the engine did not list them."""
    with understood(entry.name):
        section = read_sections(answer, entry.name)["engine"]
        if section.status:
            raise _unreachable(_DOWN, entry)
        (listing,) = responses(section.body)
        return frozenset(each.Id for each in every(_Image, listing.data))


def kept(answer: Completed, entry: HostEntry) -> frozenset[str]:
    """The ids of a project's containers; raises `PrepareFailed` unless each image has its name."""
    require_room(answer, entry.name)
    with understood(entry.name):
        sections = read_sections(answer.stdout, entry.name)
        if sections["asked"].status:
            raise _unreachable(_DOWN, entry)
        *tagged, listing = responses(sections["engine"].body)
        refused = next((each for each in tagged if each.status != CREATED), None)
        if refused is not None:
            raise PrepareFailed(
                "a previous image can not be kept",
                detail=f"{entry.name}: the engine answers with status {refused.status}",
                hint="look at the host, then plan again",
                host=entry.name,
            )
        return ids_of(listing)


def ids_of(listing: Response) -> frozenset[str]:
    """Return the ids in the engine's list of containers; raises `ValueError` where the engine refused to list them."""
    return frozenset(each.Id for each in every(_Listed, listing.data))


def require_looked_at(listing: Response, found: Iterable[Container]) -> None:
    """Raise `ValueError` unless `found` has exactly the containers of the engine's list, each once."""
    if sorted(each.Id for each in every(_Listed, listing.data)) != sorted(container.id for container in found):
        raise ValueError("not every container that is listed was looked at, or one twice")


def every(cls: type[T], told: Any) -> tuple[T, ...]:
    """Decode a list from the engine into `cls`; fields that `cls` does not have are ignored."""
    return decode(tuple[cls, ...], told, "an answer", ignore_unknown=True)  # type: ignore[valid-type]


def _watched(answer: Completed, entry: HostEntry) -> tuple[tuple[Container, ...], Sequence[Response]]:
    """Containers, and what else the engine was asked for."""
    require_room(answer, entry.name)
    sections = read_sections(answer.stdout, entry.name)
    found = tuple(container for _, container in listed(sections["containers"], entry.name))
    *others, listing = responses(sections["engine"].body)
    if listing.status != OK:
        raise _unreachable(_DOWN, entry)
    require_looked_at(listing, found)
    return found, others


@contextmanager
def understood(host: str) -> Iterator[None]:
    """Turn errors raised while an answer is read into `Unreachable`: they mean that the answer is malformed."""
    try:
        yield
    except (KeyError, ValueError, TypeError, AttributeError, InvalidInput) as error:
        raise garbage(host, f"an answer does not have the expected form ({type(error).__name__})") from error


def _identity_lines(sections: Mapping[str, Section], entry: HostEntry) -> tuple[str, ...]:
    """Return uid, user, machine id, clock, home and PATH; the user is the uid where the uid has no name.

    Raises `Unreachable` when one of them can not be read.
    """
    who, *lines = sections["me"].lines if "me" in sections else ("",)
    ids = _ME.match(who)
    if ids is None or len(lines) != 4 or not lines[1].isdecimal():
        raise Unreachable(
            "the host does not say who it is",
            detail=f"{entry.name}: id, machine-id or clock could not be read",
            hint=f"platformctl doctor {entry.name}",
            reason="connect",
            host=entry.name,
        )
    return (ids[1], ids[2] or ids[1], *lines)


def _unreachable(why: Reason, entry: HostEntry) -> Unreachable:
    reason, summary, hint = why
    told = hint.format(user=entry.user or "USER")
    return Unreachable(summary, detail=f"on host {entry.name}", hint=told, reason=reason, host=entry.name)


def listed(section: Section, host: str) -> tuple[tuple[str | None, Container], ...]:
    """Return the containers sorted by name, each with its project, which is None where Compose did not make it.

    Raises `Unreachable` when they could not be listed.
    """
    if section.status:
        raise Unreachable(
            "the Docker Engine does not answer",
            detail=f"on host {host}: listing containers ended with status {section.status}",
            hint=f"platformctl doctor {host}",
            reason="docker_down",
            host=host,
        )
    found = (read(_Inspected, line) for line in section.lines)
    return tuple(sorted(((each.project, _container(each)) for each in found), key=lambda pair: pair[1].name))


def _container(seen: _Inspected) -> Container:
    return Container(
        id=seen.id,
        name=seen.name.removeprefix("/"),
        service=ServiceName(seen.service or ""),
        image_id=seen.image_id,
        image_ref=seen.image_ref,
        config_hash=seen.hash or "",
        compose_version=seen.version or "",
        state=seen.state,
        health=seen.health,
        exit_code=seen.exit_code,
        restarts=seen.restarts,
        started_at=seen.started_at,
        oneoff=seen.oneoff == "True",
        settings=seen_settings(seen.settings),
        networks={name: attached.NetworkID for name, attached in seen.networks.items()},
        aliases={name: attached.Aliases or () for name, attached in seen.networks.items()},
        project=seen.project or "",
        folder=seen.folder or "",
        compose_file=seen.files or "",
    )


def read(cls: type[T], text: str) -> T:
    """Decode one line of JSON into `cls`; fields that `cls` does not have are ignored."""
    return decode(cls, strict_json.load(text.encode(), "an answer"), "an answer", ignore_unknown=True)
