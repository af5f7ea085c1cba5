"""What a host said about itself: facts, containers, files and what it remembers. Reading it changed nothing."""

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import Any

from platformctl.model.compose import ComposeModel
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, RepoPath, ServiceName


class Source(Enum):
    """Where an observation came from; only a plan from a live one may be applied."""

    LIVE = "live"
    OBSERVATION = "observation"
    STATE = "state"


@dataclass(frozen=True)
class Identity:
    """Who answered: enough to tell one machine from another, read before anything else is said to it.

    `compose_version` is empty until it is known. `compose_program` changes as soon as the version may have changed; it
    is empty if that can not be told. `clock` is the host's own time in seconds since the epoch. `swap_limit` says
    whether its kernel can limit the swap of a container.
    """

    uid: int
    user: str
    machine_id: str
    engine_id: str
    engine_version: str
    architecture: str
    compose_version: str
    compose_program: str
    clock: int
    home: str
    path: str
    swap_limit: bool = False


@dataclass(frozen=True)
class Container:
    """One container of a project. `health` is None if it has no health check; `exit_code` counts once it ended.

    `settings` are what the engine runs it with, in the driver's words; `networks` are ids by name, `aliases` the names
    that it is found by there, `volumes` the names of those it mounts, by their place in it. `project`, `folder` and
    `compose_file` are what it was made from, by its own labels. `config_hash` is empty if no orchestrator made it.
    """

    id: str
    name: str
    service: ServiceName
    image_id: Digest
    image_ref: str
    config_hash: str
    compose_version: str
    state: str
    health: str | None
    exit_code: int
    restarts: int
    started_at: str
    oneoff: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    folder: str = ""
    compose_file: str = ""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether it runs now; one that restarts or is paused does not."""
        return self.state == "running"


@dataclass(frozen=True)
class ProjectSeen:
    """What there is of a project: its containers, networks and volumes.

    `resources` has the ids of networks by names such as `network web_default`; a volume goes by its name and has no id.
    """

    containers: tuple[Container, ...]
    resources: Mapping[str, str]


@dataclass(frozen=True)
class FileSeen:
    """A delivered file as it lies on the host; `digest` is None if there is none."""

    path: RepoPath
    digest: Digest | None
    mode: int | None


@dataclass(frozen=True)
class ImageSeen:
    """An image reference as the host resolves it. `id` is None if nobody knows it; `present`: the host has it."""

    ref: str
    id: Digest | None
    repo_digests: tuple[str, ...] = ()
    present: bool = True

    @property
    def digest(self) -> str | None:
        """The digest by which it can be pulled under its own name; it may have been pulled under others too."""
        mine, exactly = repository(self.ref), self.ref.partition("@")[2]
        return next((d for d in self.repo_digests if repository(d) == mine and d.endswith(exactly)), None)


def repository(reference: str) -> str:
    """Return the full name of an image without tag and digest, as Docker reads what people write.

    `redis`, `library/redis:7` and `docker.io/library/redis@sha256:…` are the same.
    """
    name = short_name(reference)
    first, slash, rest = name.partition("/")
    names_registry = "." in first or ":" in first or first == "localhost" or first != first.lower()
    registry, rest = (first, rest) if slash and names_registry else ("docker.io", name)
    registry = "docker.io" if registry == "index.docker.io" else registry
    return f"{registry}/library/{rest}" if registry == "docker.io" and "/" not in rest else f"{registry}/{rest}"


def short_name(reference: str) -> str:
    """The name of an image without tag and digest, as it was written; a registry's port is no tag."""
    path, slash, last = reference.partition("@")[0].rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}"


@dataclass(frozen=True)
class ResourceSeen:
    """A network or volume of the project as the engine has it; a volume goes by its name and has no id.

    `config_hash` and `key` are what the orchestrator wrote on a network that it made: the hash of its definition, and
    what the file called it. Both are empty if it wrote none.
    """

    name: str
    definition: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    config_hash: str = ""
    key: str = ""


@dataclass(frozen=True)
class Earlier:
    """The earlier release, as the host has kept it: its compose file resolved, its files, and what some of them hold.

    Contents have the digests that a signed receipt gives them, so that each clone gets the same.
    """

    compose: ComposeModel
    files: tuple[FileSeen, ...]
    contents: Mapping[Digest, bytes]


@dataclass(frozen=True)
class Observation:
    """All that was seen of one project on one host, in one look.

    `hashes` are what the host's own Compose says of the desired release with the flags apply uses; empty when Compose
    was not asked. `lent` are volumes that may be another project's, `external` networks that somebody else makes: with
    an empty id where that is not known, as another machine may have one. `taken` are names that its containers would
    have and that containers beside the project have. `missing_variables` are required ones that neither
    file nor manifest sets, `overriding_variables` those the file sets although they decide more than environment
    values. `environment` is a fingerprint of that file, keyed on the host; None where there is no file or no key yet.
    `variables` are fingerprints of what it sets, where that may be needed, and `host_files` of secrets and the like
    that only the host has, by path; one that can not be read is left out, and all where there is no key yet. `lacking`
    are env files of services beside the closure that are not there. `kept` and `image_ids` are what a way back could
    use, `earlier` is the release that would be replaced, where it is another one and was kept. `linked` are mounted
    paths that are links on the host, or lie below one.
    """

    source: Source
    at: str
    identity: Identity
    containers: tuple[Container, ...]
    files: tuple[FileSeen, ...]
    images: tuple[ImageSeen, ...]
    hashes: Mapping[ServiceName, str]
    networks: tuple[ResourceSeen, ...] = ()
    volumes: tuple[ResourceSeen, ...] = ()
    lent: tuple[ResourceSeen, ...] = ()
    external: tuple[ResourceSeen, ...] = ()
    taken: tuple[str, ...] = ()
    missing_variables: tuple[str, ...] = ()
    overriding_variables: tuple[str, ...] = ()
    environment: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[Digest] = field(default_factory=frozenset)
    image_ids: frozenset[Digest] = field(default_factory=frozenset)
    earlier: Earlier | None = None
    linked: tuple[str, ...] = ()
    host_files: Mapping[str, str] = field(default_factory=dict)
    lacking: tuple[RepoPath, ...] = ()

    @property
    def resources(self) -> Mapping[str, str]:
        """The project's networks and volumes as a `ProjectSeen` has them."""
        seen = (*(("network", each) for each in self.networks), *(("volume", each) for each in self.volumes))
        return {f"{kind} {each.name}": each.id for kind, each in seen}

    def of(self, service: ServiceName) -> tuple[Container, ...]:
        """Return the containers of one service that its orchestrator made, without one-off runs."""
        return tuple(c for c in self.containers if c.service == service and c.config_hash and not c.oneoff)
