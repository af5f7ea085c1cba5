"""What a host's answers about Docker and Compose mean. Whatever does not fit the frame is garbage, never a guess."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from platformctl.drivers.compose_questions import Section, garbage, read_sections
from platformctl.errors import InvalidInput, PolicyViolation, Unreachable
from platformctl.model.desired import HostEntry, Release
from platformctl.model.names import Digest, RepoPath, ServiceName
from platformctl.model.observed import Container, FileSeen, Identity, ImageSeen, Observation, Source

_ENGINE_REASONS = {
    "missing": ("compose_missing", "Docker is not installed", "install Docker Engine and Compose v2 on the host"),
    "permission": (
        "docker_permission",
        "the user may not use Docker",
        "add the user to the group docker: `usermod -aG docker USER`",
    ),
    "down": ("docker_down", "the Docker Engine does not answer", "start it on the host: `systemctl start docker`"),
}
_COMPOSE_REASONS = {
    "missing": ("compose_missing", "Compose v2 is not installed", "install the Compose v2 plugin on the host"),
    "v1": ("compose_v1", "Compose is version 1", "install the Compose v2 plugin on the host"),
}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def identity(answer: bytes, entry: HostEntry) -> Identity:
    """Who answered; raises `Unreachable` when the engine or Compose v2 does not."""
    with _understood(entry.name):
        sections = read_sections(answer, entry.name)
        uid, user, machine_id, clock, home = _identity_lines(sections, entry)
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
            path=sections["path"].body.decode().strip(),
        )


def observation(answer: bytes, release: Release, who: Identity, at: str) -> Observation:
    """All that was seen; raises `InvalidInput` when Compose refuses the release."""
    host = release.host.name
    with _understood(host):
        sections = read_sections(answer, host)
        _refuse_unreadable(sections, release)
        return Observation(
            source=Source.LIVE,
            at=at,
            identity=who,
            containers=_containers(sections["containers"], host),
            files=_files(sections["files"]),
            images=tuple(_image(line, who.architecture) for line in sections["images"].lines),
            hashes=_hashes(sections, release),
            networks=sections["networks"].lines,
            volumes=sections["volumes"].lines,
            missing_variables=tuple(n for n in sections["variables"].lines if n not in release.module.env.set),
            overriding_variables=sections["deciding"].lines,
            kept=frozenset(Digest("sha256:" + name) for name in sections["kept"].lines),
            image_ids=frozenset(Digest(line) for line in sections["image-ids"].lines),
        )


def containers(answer: bytes, entry: HostEntry) -> tuple[Container, ...]:
    """The project's containers."""
    with _understood(entry.name):
        return _containers(read_sections(answer, entry.name)["containers"], entry.name)


@contextmanager
def _understood(host: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError, TypeError, AttributeError) as error:
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


def _answered(section: Section, reasons: Mapping[str, tuple[str, str, str]], entry: HostEntry) -> str:
    """The first line, unless it is one of the words the script says instead of an answer."""
    word = section.lines[-1].strip() if section.lines else "down"
    if word in reasons or section.status:
        reason, summary, hint = reasons.get(word) or reasons["missing"]
        raise Unreachable(summary, detail=f"on host {entry.name}", hint=hint, reason=reason, host=entry.name)
    return word


def _refuse_unreadable(sections: Mapping[str, Section], release: Release) -> None:
    host, module = release.host.name, release.module
    if "root" in sections:
        raise Unreachable(
            "the host's root folder can not be entered",
            detail=f"{host}: {release.host.root}",
            hint=f"platformctl host prepare {host}",
            reason="root_readonly",
            host=host,
        )
    if sections["variables"].status:
        raise PolicyViolation(
            "the environment file is not on the host",
            detail=f"{host}: {release.host.root}/{module.env.file} (spec.env.file of {module.id}) can not be read",
            hint="place it there: owner the agent user, mode 0600",
            file=module.path,
            host=host,
        )
    if sections["hashes"].status and not _other_hashes(sections):
        raise InvalidInput(
            "Compose does not accept the file",
            detail=sections["hashes"].complaint.strip()[:2000],
            hint=f"docker compose -f {module.runtime.compose_file} config -q",
            file=module.runtime.compose_file,
            host=host,
        )


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


def _containers(section: Section, host: str) -> tuple[Container, ...]:
    if section.status:
        raise Unreachable(
            "the Docker Engine does not answer",
            detail=f"on host {host}: listing containers ended with status {section.status}",
            hint=f"platformctl doctor {host}",
            reason="docker_down",
            host=host,
        )
    return tuple(sorted((_container(json.loads(line)) for line in section.lines), key=lambda c: c.name))


def _container(data: Mapping[str, Any]) -> Container:
    return Container(
        id=data["id"],
        name=data["name"].removeprefix("/"),
        service=ServiceName(data["service"] or ""),
        image_id=Digest(data["image_id"]),
        image_ref=data["image_ref"],
        config_hash=data["hash"] or "",
        compose_version=data["version"] or "",
        state=data["state"],
        health=data["health"],
        exit_code=data["exit_code"],
        restarts=data["restarts"],
        started_at=data["started_at"],
        oneoff=data["oneoff"] == "True",
    )


def _files(section: Section) -> tuple[FileSeen, ...]:
    return tuple(_file(*line.split(" ", 2)) for line in section.lines)


def _file(digest: str, mode: str, path: str) -> FileSeen:
    if digest == "-":
        return FileSeen(RepoPath(path), None, None)
    return FileSeen(RepoPath(path), Digest("sha256:" + digest), int(mode, 8))


def _image(line: str, architecture: str) -> ImageSeen:
    where, ref, found = line.split(" ", 2)
    data = json.loads(found)
    if where == "local":
        return ImageSeen(ref, Digest(data["id"]), tuple(data["digests"] or ()))
    return _registry_image(ref, data, architecture)


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
            digest = f"{repository}@{manifest['Descriptor']['digest']}"
            return ImageSeen(ref, Digest(body["config"]["digest"]), (digest,), present=False)
    return ImageSeen(ref, None, present=False)
