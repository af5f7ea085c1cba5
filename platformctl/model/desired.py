"""What people wrote down: modules, hosts, and the release they add up to at one commit.

Durations are whole seconds. Paths of files are `RepoPath`s: the same path below the repository and below the host's
root.
"""

from collections.abc import Mapping
from dataclasses import field, replace
from enum import Enum
from functools import cached_property

from platformctl.model.compose import ComposeModel
from platformctl.model.frozen import dataclass
from platformctl.model.names import (
    Digest,
    GitSha,
    HostName,
    ModuleId,
    ProjectName,
    RepoPath,
    ServiceName,
    VariableName,
)


class ModuleKind(Enum):
    """A service runs on; a job is a one-shot whose success is exit status 0."""

    SERVICE = "service"
    JOB = "job"


class Delivery(Enum):
    """How files reach the host: pushed by digest, or only compared with the copy that is there."""

    PUSH = "push"
    VERIFY = "verify"


class FileChange(Enum):
    """What new contents of a mounted file mean for the containers that use it."""

    RECREATE = "recreate"
    IGNORE = "ignore"


class Strategy(Enum):
    """What happens after a failing apply: back to the previous release, or nothing."""

    PREVIOUS = "previous"
    NONE = "none"


@dataclass(frozen=True)
class Runtime:
    """What runs the module: the driver's name and where its service stands."""

    orchestrator: str
    compose_file: RepoPath
    compose_service: ServiceName
    project: ProjectName


@dataclass(frozen=True)
class Environment:
    """Variables for interpolation. `set` is signed in the plan; values of `file` stay on the host."""

    set: Mapping[VariableName, str] = field(default_factory=dict)
    file: RepoPath | None = None
    required: tuple[VariableName, ...] = ()


@dataclass(frozen=True)
class Health:
    """How long to wait for health, and for how long it must hold; seconds."""

    timeout: int = 120
    stable_for: int = 30


@dataclass(frozen=True)
class ServedVersion:
    """What an answer of this release must bear, and the header it stands in; None for its body."""

    expect: str
    header: str | None = None


@dataclass(frozen=True)
class Canary:
    """A request from the operator's side that must be answered as expected; `timeout` in seconds per attempt."""

    url: str
    expect_status: int = 200
    expect_body: str | None = None
    version: ServedVersion | None = None
    attempts: int = 3
    timeout: int = 20


@dataclass(frozen=True)
class Module:
    """One module manifest, checked. `path` is the manifest's own path in the repository."""

    id: ModuleId
    path: RepoPath
    description: str
    owner: str
    host: HostName
    kind: ModuleKind
    runtime: Runtime
    depends_on: tuple[ModuleId, ...] = ()
    delivery: Delivery = Delivery.PUSH
    on_file_change: FileChange = FileChange.RECREATE
    env: Environment = field(default_factory=Environment)
    health: Health = field(default_factory=Health)
    canary: Canary | None = None
    rollback: Strategy = Strategy.PREVIOUS


@dataclass(frozen=True)
class Timeouts:
    """Seconds after which waiting ends: for a connection (None: as the transport does), a step, a pull, and the run.

    The run is the whole run of a plan; None: it has no limit of its own.
    """

    connect: int | None = None
    step: int = 300
    pull: int = 600
    run: int | None = None


@dataclass(frozen=True)
class HostEntry:
    """One entry of the allow-list: where a host is and how it is recognised.

    `host_key` are OpenSSH fingerprints (`SHA256:…`). At least one of `machine_id` and `engine_id` is set. A peer of a
    tailnet is found by its stable id `node_id` and its `dns_name`, both pinned.
    """

    name: HostName
    transport: str
    root: str
    address: str | None = None
    port: int = 22
    user: str | None = None
    host_key: tuple[str, ...] = ()
    machine_id: str | None = None
    engine_id: str | None = None
    node_id: str | None = None
    dns_name: str | None = None
    allow_root: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)
    provider: str | None = None
    size: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class InputFile:
    """A file of a release: what it holds, and its permission bits (0o644 or 0o755)."""

    path: RepoPath
    content: bytes
    digest: Digest
    mode: int = 0o644


TAG = "{tag}"
"""Stands in `canary.version.expect` for the tag of the service's image."""

_MOST_NAMES = 100
NOTHING = Digest.of(b"")
"""The desired digest of a module whose manifest is gone: nothing of it shall be left."""


@dataclass(frozen=True)
class Release:
    """A module at one commit with everything that travels: enough to plan without reading anything else.

    `files` are every repository file the closure mounts, reads or is defined by, the compose file first, and one of the
    tool's own for `env.set`. `digest` covers what the host will be made to look like: a comment in a file does not
    count. `inputs` covers the bytes it was made from, by git's own object ids: equal inputs need not be read again.
    `deciding` are variables without a value in `env.set` that decide more than values of `environment:`; nothing on a
    host may set them, as policy judged their defaults. With `gone` there is no manifest any more, and all else is of
    the release that was applied last: what is wanted is that nothing of it is left.
    """

    module: Module
    host: HostEntry
    source_sha: GitSha
    source_dirty: bool
    files: tuple[InputFile, ...]
    compose: ComposeModel
    digest: Digest
    inputs: Digest
    deciding: tuple[str, ...] = ()
    gone: bool = False

    @cached_property
    def closure(self) -> tuple[ServiceName, ...]:
        """Every service that `up -d` of this module's service would start, dependencies first."""
        return self.compose.closure(self.module.runtime.compose_service)

    def container_names(self, service: ServiceName) -> tuple[str, ...]:
        """Return the names that containers of a service are made with; of very many only the first."""
        wanted, project = self.compose.services[service], self.module.runtime.project
        given = wanted.definition.get("container_name")
        numbers = range(1, min(wanted.replicas, _MOST_NAMES) + 1)
        return tuple(str(given or f"{project}-{service}-{number}") for number in numbers)

    def host_files(self, service: ServiceName) -> Mapping[str, RepoPath]:
        """Return secrets, configs and env files of a service that only the host has, by their names.

        The module's `env.file` is left out, as its variables stand for it; used as a secret it is one more file.
        """
        used, brought = self.compose.services[service], {file.path for file in self.files}
        read = {str(path): path for path in used.env_files if path != self.module.env.file}
        return {name: path for name, path in {**used.granted, **read}.items() if path not in brought}

    @property
    def beside(self) -> tuple[ServiceName, ...]:
        """The services that Compose loads with the closure and does not start."""
        loaded = self.compose.brought_by(self.module.runtime.compose_service)
        return tuple(sorted(loaded.difference(self.closure)))

    @property
    def read_beside(self) -> tuple[RepoPath, ...]:
        """Env files of services beside the closure that must be there where all of a compose file is read at once."""
        services = [self.compose.services[name] for name in self.beside]
        read = {path for service in services for path in service.env_files if path not in service.may_be_absent}
        return tuple(sorted(read.difference(file.path for file in self.files)))

    @property
    def required(self) -> tuple[str, ...]:
        """Variables that must have a value on the host: those that the manifest names.

        If the host has a file of variables, those are included that values of `environment:` name without a default.
        """
        environments = tuple(f"services.{service}.environment." for service in self.closure)
        named = {name for name, place in self.compose.left_to_host if place.startswith(environments)}
        return tuple(sorted({*self.module.env.required, *(named if self.module.env.file else ())}))

    @property
    def canary(self) -> Canary | None:
        """The module's canary, expecting the version of this release: `{tag}` becomes its image's tag."""
        canary = self.module.canary
        if canary is None or canary.version is None:
            return canary
        tag = self.compose.services[self.module.runtime.compose_service].tag
        version = replace(canary.version, expect=canary.version.expect.replace(TAG, tag))
        return replace(canary, version=version)
