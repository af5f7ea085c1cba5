"""What a host's answers about Docker and Compose mean. Whatever does not fit the frame is garbage, never a guess."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from platformctl.drivers.compose_questions import Section, garbage, read_sections
from platformctl.drivers.compose_settings import seen_settings
from platformctl.errors import InvalidInput, PolicyViolation, Refusal, Unreachable
from platformctl.model import strict_json
from platformctl.model.codec import decode
from platformctl.model.desired import HostEntry, Release
from platformctl.model.names import Digest, RepoPath, ServiceName
from platformctl.model.observed import Container, FileSeen, Identity, ImageSeen, Observation, ResourceSeen, Source
from platformctl.model.plan import OWN_FOLDER

T = TypeVar("T")
Reason = tuple[str, str, str]
"""The stable word, the summary and the hint of a refusal."""

_DOWN = ("docker_down", "the Docker Engine does not answer", "start it on the host: `systemctl start docker`")
_NO_COMPOSE = ("compose_missing", "Compose v2 is not installed", "install the Compose v2 plugin on the host")
_ENGINE_REASONS: Mapping[str, Reason] = {
    "missing": ("compose_missing", "Docker is not installed", "install Docker Engine and Compose v2 on the host"),
    "permission": (
        "docker_permission",
        "the user may not use Docker",
        "add the user to the group docker: `usermod -aG docker USER`",
    ),
    "down": _DOWN,
    "": _DOWN,
}
_COMPOSE_REASONS: Mapping[str, Reason] = {
    "missing": _NO_COMPOSE,
    "v1": ("compose_v1", "Compose is version 1", "install the Compose v2 plugin on the host"),
    "": _NO_COMPOSE,
}
_WHOLE = ("files", "images", "image-ids", "networks", "volumes", "kept", "deciding", "environment")
"""Sections of a look that say nothing when they failed: an empty list would be a guess."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


@dataclass(frozen=True)
class _Attached:
    """A container's end in a network; the id is empty before its first start."""

    NetworkID: str


@dataclass(frozen=True)
class _Resource:
    """A network or volume; labels and options are None where there are none."""

    name: str
    driver: str
    labels: Mapping[str, str] | None
    options: Mapping[str, str] | None

    @property
    def definition(self) -> Mapping[str, Any]:
        """What a compose file could ask for, in its words; Compose's own labels are no part of that."""
        own = {k: v for k, v in (self.labels or {}).items() if not k.startswith("com.docker.compose.")}
        return {"driver": self.driver, "driver_opts": dict(self.options or {}), "labels": own}


@dataclass(frozen=True)
class _Network(_Resource):
    """A network in the words of the question."""

    id: str
    internal: bool
    attachable: bool
    enable_ipv6: bool
    subnets: tuple[Mapping[str, Any], ...] | None

    @property
    def definition(self) -> Mapping[str, Any]:
        """As for every resource, and what networks alone have."""
        flags = {name: getattr(self, name) for name in ("internal", "attachable", "enable_ipv6")}
        subnets = sorted(str(each.get("Subnet", "")) for each in self.subnets or ())
        return {**super().definition, **flags, "subnets": subnets}


@dataclass(frozen=True)
class _Inspected:
    """A container in the words of the question; labels are None where Compose did not make it."""

    id: str
    name: str
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
    files: str | None
    networks: Mapping[str, _Attached]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class _Local:
    """An image that the host has."""

    id: Digest
    digests: tuple[str, ...] | None


def identity(answer: bytes, entry: HostEntry) -> Identity:
    """Who answered; raises `Unreachable` when the engine or Compose v2 does not."""
    with _understood(entry.name):
        sections = read_sections(answer, entry.name)
        uid, user, machine_id, clock, home = _identity_lines(sections, entry)
        (path,) = sections["path"].lines
        engine_id, engine_version, machine = _answered(sections["engine"], _ENGINE_REASONS, entry).split(" ")
        return Identity(
            uid=int(uid),
            user=user,
            machine_id=machine_id,
            engine_id=engine_id,
            engine_version=engine_version,
            architecture=_ARCHITECTURES.get(machine, machine),
            compose_version=_answered(sections["compose"], _COMPOSE_REASONS, entry).removeprefix("v"),
            clock=int(clock),
            home=home,
            path=path,
        )


def observation(answer: bytes, release: Release, who: Identity, at: str) -> Observation:
    """All that was seen; raises `InvalidInput` when Compose refuses the release."""
    host = release.host.name
    with _understood(host):
        sections = read_sections(answer, host)
        unreadable = _unreadable(sections, release)
    if unreadable is not None:
        raise unreadable
    with _understood(host):
        return Observation(
            source=Source.LIVE,
            at=at,
            identity=who,
            containers=_containers(sections["containers"], host),
            files=_files(sections["files"], release),
            images=tuple(_image(line, who.architecture) for line in sections["images"].lines),
            hashes=_hashes(sections, release),
            networks=tuple(
                ResourceSeen(network.name, network.definition, network.id)
                for network in sorted(_all(_Network, sections["networks"]), key=lambda each: each.name)
            ),
            volumes=tuple(
                ResourceSeen(volume.name, volume.definition)
                for volume in sorted(_all(_Resource, sections["volumes"]), key=lambda each: each.name)
            ),
            missing_variables=tuple(n for n in sections["variables"].lines if n not in release.module.env.set),
            overriding_variables=sections["deciding"].lines,
            environment=_fingerprint(sections["environment"]),
            kept=frozenset(Digest("sha256:" + name) for name in sections["kept"].lines),
            image_ids=frozenset(Digest.parse(line) for line in sections["image-ids"].lines),
        )


def containers(answer: bytes, entry: HostEntry) -> tuple[Container, ...]:
    """The project's containers."""
    with _understood(entry.name):
        return _containers(read_sections(answer, entry.name)["containers"], entry.name)


@contextmanager
def _understood(host: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError, TypeError, AttributeError, InvalidInput) as error:
        raise garbage(host, f"an answer does not have the expected form ({type(error).__name__})") from error


def _identity_lines(sections: Mapping[str, Section], entry: HostEntry) -> tuple[str, ...]:
    lines = sections["me"].lines if "me" in sections else ()
    if len(lines) != 5 or not (lines[0].isdecimal() and lines[3].isdecimal()):
        raise Unreachable(
            "the host does not say who it is",
            detail=f"{entry.name}: id, machine-id or clock could not be read",
            hint=f"platformctl doctor {entry.name}",
            reason="connect",
            host=entry.name,
        )
    return lines


def _answered(section: Section, reasons: Mapping[str, Reason], entry: HostEntry) -> str:
    """The last line, unless it is one of the words the script says instead of an answer."""
    word = section.lines[-1].strip() if section.lines else ""
    if word in reasons or section.status:
        reason, summary, hint = reasons.get(word, reasons[""])
        raise Unreachable(summary, detail=f"on host {entry.name}", hint=hint, reason=reason, host=entry.name)
    return word


def _unreadable(sections: Mapping[str, Section], release: Release) -> Refusal | None:
    """Why the host could look, but not at this release; None when it could."""
    host, module = release.host.name, release.module
    if "root" in sections:
        return Unreachable(
            "the host's root folder can not be entered",
            detail=f"{host}: {release.host.root}",
            hint=f"platformctl host prepare {host}",
            reason="root_readonly",
            host=host,
        )
    if sections["variables"].status:
        return PolicyViolation(
            "the environment file is not on the host",
            detail=f"{host}: {release.host.root}/{module.env.file} (spec.env.file of {module.id}) can not be read",
            hint="place it there: owner the agent user, mode 0600",
            file=module.path,
            host=host,
        )
    failed = next((name for name in _WHOLE if sections[name].status), None)
    if failed is not None:
        return garbage(host, f"{failed}: status {sections[failed].status}")
    if sections["hashes"].status and not _other_hashes(sections):
        return InvalidInput(
            "Compose does not accept the file",
            detail=_complaint(sections["hashes"], release),
            hint=f"docker compose -f {module.runtime.compose_file} config -q",
            file=module.runtime.compose_file,
            host=host,
        )
    return None


def _complaint(section: Section, release: Release) -> str:
    """Compose's own words, unless it has read the host's env file: they may repeat a value of it."""
    if release.module.env.file is None:
        return section.complaint.strip()[:2000]
    return f"what it says may repeat a value of {release.module.env.file}; run the command below on the host to see it"


def _other_hashes(sections: Mapping[str, Section]) -> bool:
    return "other-hashes" in sections and sections["other-hashes"].status == 0


def _hashes(sections: Mapping[str, Section], release: Release) -> Mapping[ServiceName, str]:
    """Hash by service; services with an env file are left out when one of those files was not there to be read."""
    partial = bool(sections["hashes"].status)
    lines = sections["other-hashes" if partial else "hashes"].lines
    pairs = (line.split(" ", 1) for line in lines if " " in line)
    hashes = {ServiceName(name): value.strip() for name, value in pairs}
    services = release.compose.services
    return {name: h for name, h in hashes.items() if name in services and not (partial and services[name].env_files)}


def _fingerprint(section: Section) -> str | None:
    return Digest.parse(f"sha256:{section.lines[0]}").hexadecimal if section.lines else None


def _containers(section: Section, host: str) -> tuple[Container, ...]:
    if section.status:
        raise Unreachable(
            "the Docker Engine does not answer",
            detail=f"on host {host}: listing containers ended with status {section.status}",
            hint=f"platformctl doctor {host}",
            reason="docker_down",
            host=host,
        )
    return tuple(sorted((_container(_read(_Inspected, line)) for line in section.lines), key=lambda c: c.name))


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
        compose_file=seen.files or "",
    )


def _all(cls: type[T], section: Section) -> Iterator[T]:
    return (_read(cls, line) for line in section.lines)


def _read(cls: type[T], text: str) -> T:
    return decode(cls, strict_json.load(text.encode(), "an answer"), "an answer", ignore_unknown=True)


def _files(section: Section, release: Release) -> tuple[FileSeen, ...]:
    seen = tuple(_file(*line.split(" ", 2)) for line in section.lines)
    asked = {file.path for file in release.files if not file.path.startswith(OWN_FOLDER + "/")}
    if not asked <= {file.path for file in seen}:
        raise ValueError("a file was not looked at")
    return seen


def _file(digest: str, mode: str, path: str) -> FileSeen:
    if digest == "-":
        return FileSeen(RepoPath(path), None, None)
    return FileSeen(RepoPath(path), Digest.parse("sha256:" + digest), int(mode, 8))


def _image(line: str, architecture: str) -> ImageSeen:
    where, ref, found = line.split(" ", 2)
    if where == "local":
        local = _read(_Local, found)
        return ImageSeen(ref, local.id, local.digests or ())
    return _registry_image(ref, strict_json.load(found.encode(), "an answer"), architecture)


def _registry_image(ref: str, data: Any, architecture: str) -> ImageSeen:
    """What a registry says of a reference the host does not have: `docker manifest inspect -v`.

    One manifest, or one per platform; an image's id is the digest of its configuration.
    """
    manifests = data if isinstance(data, list) else [data] if data else []
    for manifest in manifests:
        platform = manifest["Descriptor"].get("platform") or {"os": "linux", "architecture": architecture}
        if (platform["os"], platform["architecture"]) == ("linux", architecture):
            body = manifest.get("SchemaV2Manifest") or manifest.get("OCIManifest") or {}
            repository = ref.partition("@")[0].rpartition(":")[0] or ref
            digest = f"{repository}@{Digest.parse(manifest['Descriptor']['digest'])}"
            return ImageSeen(ref, Digest.parse(body["config"]["digest"]), (digest,), present=False)
    return ImageSeen(ref, None, present=False)
