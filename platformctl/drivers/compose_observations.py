"""Read a host's answer to a look into one observation for each module, or the reason why there is none.

The sections about the host must all be complete, or there is no observation at all. An error in what is about one
module does not affect the observations of the others.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from platformctl.drivers.compose_answers import compose_version, every, listed, read, require_looked_at, understood
from platformctl.drivers.compose_complaints import not_accepted, not_read
from platformctl.drivers.compose_engine import OK, Response, responses
from platformctl.drivers.compose_look import images_of, paths_of
from platformctl.drivers.compose_questions import PROJECT, Section, garbage, read_sections
from platformctl.drivers.compose_resources import bind_sources, external_networks, lent_names
from platformctl.drivers.interface import Question
from platformctl.errors import PolicyViolation, Refusal, Unreachable
from platformctl.model import strict_json
from platformctl.model.codec import decode
from platformctl.model.desired import HostEntry, Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, RepoPath, ServiceName
from platformctl.model.observed import (
    Container,
    FileSeen,
    Identity,
    ImageSeen,
    Observation,
    ResourceSeen,
    Source,
    short_name,
)
from platformctl.model.plan import is_own

T = TypeVar("T")
R = TypeVar("R", bound="_Resource")
Sections = Mapping[str, Section]
_HASHED = re.compile(r"(\S+) ([0-9a-f]{64})")
_HASH, _KEY = "com.docker.compose.config-hash", "com.docker.compose.network"
_OF_HOST = ("names", "engine", "present", "digests", "modes", "images", "kept", "linked")
_OF_MODULE = ("deciding", "environment", "host-files")
"""Sections, of the host and of each module, that must have ended with status 0: an empty one would be a guess."""


@dataclass(frozen=True)
class _Resource:
    """A network or volume under the engine's own field names; labels and options are None where there are none."""

    Name: str
    Driver: str
    Labels: Mapping[str, str] | None
    Options: Mapping[str, str] | None

    @property
    def project(self) -> str | None:
        """The Compose project it belongs to, None where it belongs to none."""
        return (self.Labels or {}).get(PROJECT)

    @property
    def definition(self) -> Mapping[str, Any]:
        """What a compose file can declare, under the file's own keys, and without the labels that Compose adds."""
        own = {k: v for k, v in (self.Labels or {}).items() if not k.startswith("com.docker.compose.")}
        return {"driver": self.Driver, "driver_opts": dict(self.Options or {}), "labels": own}


@dataclass(frozen=True)
class _Mounting:
    """One entry of the engine's list of containers: the mounts, which are not asked for container by container."""

    Id: str
    Mounts: tuple[Mapping[str, Any], ...] | None

    @property
    def volumes(self) -> Mapping[str, str]:
        """The names of the volumes it mounts, by their path in the container; other mounts have no names."""
        return {str(each["Destination"]): str(each["Name"]) for each in self.Mounts or () if each["Type"] == "volume"}


@dataclass(frozen=True)
class _Addresses:
    """A network's IPAM, of which the subnets are read."""

    Config: tuple[Mapping[str, Any], ...] | None


@dataclass(frozen=True)
class _Network(_Resource):
    """A network, with the fields that only networks have."""

    Id: str
    Internal: bool
    Attachable: bool
    EnableIPv6: bool
    IPAM: _Addresses

    @property
    def definition(self) -> Mapping[str, Any]:
        """The definition as of every resource, with flags and sorted subnets."""
        flags = {"internal": self.Internal, "attachable": self.Attachable, "enable_ipv6": self.EnableIPv6}
        subnets = sorted(str(each.get("Subnet", "")) for each in self.IPAM.Config or ())
        return {**super().definition, **flags, "subnets": subnets}

    @property
    def seen(self) -> ResourceSeen:
        """The network as an observation of its own project has it."""
        written = self.Labels or {}
        return ResourceSeen(self.Name, self.definition, self.Id, written.get(_HASH, ""), written.get(_KEY, ""))


@dataclass(frozen=True)
class _Image:
    """An image that the host has."""

    Id: Digest
    RepoDigests: tuple[str, ...] | None


@dataclass(frozen=True)
class _Host:
    """What was seen of a host, shared by the observations of all its modules."""

    containers: tuple[tuple[str | None, Container], ...]
    names: frozenset[str]
    files: Mapping[RepoPath, FileSeen]
    unread: frozenset[str]
    images: Mapping[str, ImageSeen]
    networks: tuple[_Network, ...]
    volumes: tuple[_Resource, ...]
    kept: frozenset[Digest]
    image_ids: frozenset[Digest]
    linked: frozenset[str]


def observations(
    answer: bytes, questions: Sequence[Question], who: Identity, at: str
) -> tuple[Observation | Refusal, ...]:
    """Return what was seen for each question, or the refusal of its release.

    Raises `Unreachable` when the root can not be entered, the engine or Compose does not answer, or for garbage.
    """
    entry = questions[0].release.host
    with understood(entry.name):
        sections = read_sections(answer, entry.name)
        _require_root(sections, entry)
        who = replace(who, compose_version=compose_version(sections["compose"], entry) or who.compose_version)
        host = _host(sections, questions, who)
        return tuple(
            _of(question, host, _numbered(sections, number), who, at) for number, question in enumerate(questions)
        )


def _host(sections: Sections, questions: Sequence[Question], who: Identity) -> _Host:
    entry = questions[0].release.host
    containers = listed(sections["containers"], entry.name)
    _require_whole(sections, _OF_HOST, entry)
    *found, images, networks, volumes, running = responses(sections["engine"].body)
    require_looked_at(running, (container for _, container in containers))
    mounted = {each.Id: each.volumes for each in every(_Mounting, running.data)}
    return _Host(
        containers=tuple((project, replace(each, volumes=mounted[each.id])) for project, each in containers),
        names=frozenset(name for line in sections["names"].lines for name in line.split(",")),
        files={file.path: file for file in _files(paths_of(questions), sections)},
        unread=frozenset(_marked("!", paths_of(questions), sections)),
        images=_images(images_of(questions), found, sections["images"], who.architecture),
        networks=_named(every(_Network, networks.data)),
        volumes=_named(every(_Resource, volumes.data["Volumes"] or [])),
        kept=frozenset(Digest("sha256:" + name) for name in sections["kept"].lines),
        image_ids=frozenset(each.Id for each in every(_Image, images.data)),
        linked=frozenset(sections["linked"].lines),
    )


def _numbered(sections: Sections, number: int) -> Sections:
    """Return the sections of one module, by their names without its number."""
    suffix = f".{number}"
    return {name.removesuffix(suffix): section for name, section in sections.items() if name.endswith(suffix)}


def _of(question: Question, host: _Host, sections: Sections, who: Identity, at: str) -> Observation | Refusal:
    release, module = question.release, question.release.module
    if unread := [file.path for file in release.files if file.path in host.unread]:
        return _without_files(release, unread)
    if sections["variables"].status:
        return _without_environment(release)
    _require_whole(sections, _OF_MODULE, release.host)
    if question.hashes and sections["hashes"].status and not _other_hashes(sections):
        return not_accepted(release, sections["refused"].text)
    if question.hashes and "taken" in sections and sections["taken"].status:
        return not_read(release, sections["taken"].text)
    project = module.runtime.project
    services = (release.compose.services[name] for name in release.closure)
    return Observation(
        source=Source.LIVE,
        at=at,
        identity=who,
        containers=tuple(container for of, container in host.containers if of == project),
        files=tuple(host.files[f.path] for f in release.files if not is_own(f.path)),
        images=tuple(host.images[ref] for ref in sorted({each.image for each in services if each.image})),
        hashes=_hashes(sections, release) if question.hashes else {},
        networks=tuple(n.seen for n in host.networks if n.project == project),
        volumes=tuple(ResourceSeen(v.Name, v.definition) for v in host.volumes if v.project == project),
        lent=tuple(ResourceSeen(v.Name, v.definition) for v in host.volumes if v.Name in lent_names(release)),
        external=tuple(_external(host.networks, external_networks(release))),
        taken=tuple(sorted(_taken(release, host))),
        missing_variables=tuple(name for name in sections["variables"].lines if name not in module.env.set),
        overriding_variables=sections["deciding"].lines,
        environment=_fingerprint(sections["environment"]),
        kept=host.kept,
        image_ids=host.image_ids,
        linked=tuple(sorted(host.linked & bind_sources(release))),
        host_files=dict(_host_files(sections["host-files"])),
        lacking=tuple(path for path in release.read_beside if host.files[path].digest is None),
    )


def _require_root(sections: Sections, entry: HostEntry) -> None:
    if "root" in sections:
        raise Unreachable(
            "the host's root folder can not be entered",
            detail=f"{entry.name}: {entry.root}",
            hint=f"platformctl host prepare {entry.name}",
            reason="root_readonly",
            host=entry.name,
        )


def _require_whole(sections: Sections, names: Sequence[str], entry: HostEntry) -> None:
    failed = next((name for name in names if sections[name].status), None)
    if failed is not None:
        raise garbage(entry.name, f"{failed}: status {sections[failed].status}")


def _named(resources: Iterable[R]) -> tuple[R, ...]:
    return tuple(sorted(resources, key=lambda each: each.Name))


def _external(networks: Sequence[_Network], wanted: Iterable[str]) -> Iterator[ResourceSeen]:
    """Yield those of the `wanted` networks that exist; a file may name a network by its id too.

    In a swarm a network may exist on other machines only, until a container here joins it. So there none counts as
    missing: one that is not seen gets an empty id.
    """
    ids = {**{network.Id: network.Id for network in networks}, **{network.Name: network.Id for network in networks}}
    swarm = any(network.Driver == "overlay" for network in networks)
    return (ResourceSeen(name, id=ids.get(name, "")) for name in sorted(wanted) if swarm or name in ids)


def _taken(release: Release, host: _Host) -> frozenset[str]:
    """Return the names that the release's containers are to have and that containers outside its project have."""
    project = release.module.runtime.project
    beside = {container.name for of, container in host.containers if of != project}
    wanted = (name for service in release.closure for name in release.container_names(service))
    return (host.names | beside).intersection(wanted)


def _without_files(release: Release, unread: Sequence[str]) -> Refusal:
    return Unreachable(
        "a file on the host can not be read",
        detail=f"{release.host.name}: {release.host.root}: {', '.join(unread)}",
        hint="give it to the agent user",
        reason="root_readonly",
        host=release.host.name,
    )


def _without_environment(release: Release) -> Refusal:
    host, module = release.host.name, release.module
    return PolicyViolation(
        "the environment file is not on the host",
        detail=f"{host}: {release.host.root}/{module.env.file} (spec.env.file of {module.id}) can not be read",
        hint="place it there: owner the agent user, mode 0600",
        file=module.path,
        host=host,
    )


def _other_hashes(sections: Sections) -> bool:
    return "other-hashes" in sections and sections["other-hashes"].status == 0


def _hashes(sections: Sections, release: Release) -> Mapping[ServiceName, str]:
    """Return the hash of each service of the closure.

    Services with env files are left out when one of those files could not be read. Raises `Unreachable` for a line that
    is no hash, and when one of the remaining services has none.
    """
    partial = bool(sections["hashes"].status)
    lines = [_HASHED.fullmatch(line) for line in sections["other-hashes" if partial else "hashes"].lines]
    hashes = {line[1]: line[2] for line in lines if line is not None}
    services = [release.compose.services[name] for name in release.closure]
    wanted = [each for each in services if not (partial and each.env_files)]
    if len(hashes) != len(lines) or not hashes.keys() >= {each.name for each in wanted}:
        raise garbage(release.host.name, f"hashes of {release.module.id}: not one for each of its services")
    return {each.name: hashes[each.name] for each in wanted}


def _fingerprint(section: Section) -> str | None:
    return Digest.parse(f"sha256:{section.lines[0]}").hexadecimal if section.lines else None


def _host_files(section: Section) -> Iterator[tuple[str, str]]:
    for line in section.lines:
        fingerprint, path = line.split(" ", 1)
        yield RepoPath.parse(path), Digest.parse(f"sha256:{fingerprint}").hexadecimal


def _marked(mark: str, paths: Sequence[str], sections: Sections) -> list[str]:
    """The paths that are there (+), that are not (-), or that are and can not be read (!)."""
    return [path for path, found in zip(paths, sections["present"].lines, strict=True) if found == mark]


def _files(paths: Sequence[str], sections: Sections) -> Iterator[FileSeen]:
    """Each path with what is there; digests and modes are those of the paths that are there, in the same order."""
    there = _marked("+", paths, sections)
    digests = [entry[:64].decode() for entry in sections["digests"].body.split(b"\0")[:-1]]
    read = {p: (d, int(m, 8)) for p, d, m in zip(there, digests, sections["modes"].lines, strict=True)}
    for path in paths:
        digest, mode = read.get(path, (None, None))
        yield FileSeen(RepoPath(path), Digest.parse(f"sha256:{digest}") if digest else None, mode)


def _images(
    refs: Sequence[str], found: Sequence[Response], others: Section, architecture: str
) -> Mapping[str, ImageSeen]:
    """Return each image by its reference, from the engine's responses `found`, one for each of `refs`.

    `others` has what docker and the registries said, where the engine lacked an image or one is moving. An image that a
    registry was asked about is taken from the engine only if it is the one that the registry has.
    """
    looked_for = {image.ref: image for image in (_image(line, architecture) for line in others.lines)}
    seen = {}
    for ref, response in zip(refs, found, strict=True):
        if response.status != OK:
            seen[ref] = looked_for[ref]
            continue
        local = decode(_Image, response.data, "an answer", ignore_unknown=True)
        there = ImageSeen(ref, local.Id, local.RepoDigests or ())
        told = looked_for.get(ref, there)
        is_same = told.id == there.id or not {*told.repo_digests}.isdisjoint(there.repo_digests)
        seen[ref] = there if told.present or is_same else told
    return seen


def _image(line: str, architecture: str) -> ImageSeen:
    where, ref, found = line.split(" ", 2)
    if where == "local":
        local = read(_Image, found)
        return ImageSeen(ref, local.Id, local.RepoDigests or ())
    return _registry_image(ref, strict_json.load(found.encode(), "an answer"), architecture)


def _registry_image(ref: str, data: Any, architecture: str) -> ImageSeen:
    """Return the image that a registry has for a reference, from the output of `docker manifest inspect -v`.

    That is one manifest, or one for each platform. The image's id is the digest of its configuration, None where there
    is no image for Linux and this architecture.
    """
    manifests = data if isinstance(data, list) else [data] if data else []
    for manifest in manifests:
        platform = manifest["Descriptor"].get("platform") or {"os": "linux", "architecture": architecture}
        if (platform["os"], platform["architecture"]) == ("linux", architecture):
            body = manifest.get("SchemaV2Manifest") or manifest.get("OCIManifest") or {}
            digest = f"{short_name(ref)}@{Digest.parse(manifest['Descriptor']['digest'])}"
            return ImageSeen(ref, Digest.parse(body["config"]["digest"]), (digest,), present=False)
    return ImageSeen(ref, None, present=False)
