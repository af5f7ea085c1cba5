"""The plan: a small program, complete in its signed bytes, which applying interprets.

The field names are those of the plan's file; `trust.plan_document` has the rest of its form. Times are
`YYYY-MM-DDTHH:MM:SSZ`. Nothing here is secret.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, GitSha, HostName, ModuleId, RepoPath, ServiceName
from platformctl.model.observed import Source

FORMAT = "platformctl/plan"
FORMAT_VERSION = "1.0"
PAYLOAD_TYPE = "application/vnd.platformctl.plan.v1+json"
INDEX_PAYLOAD_TYPE = "application/vnd.platformctl.index.v1+json"
OWN_FOLDER = ".platformctl"
"""The folder below a host's root that holds what platformctl remembers there; nothing else is kept on a host."""
TARGET_PREFIX = "compose.service."


def is_own(path: str) -> bool:
    """Whether a path below a root is of platformctl's own folder, and so none that a module delivers."""
    return path.startswith(f"{OWN_FOLDER}/")


class Action(Enum):
    """What would happen to one container. Update changes files that it uses, while the container stays."""

    CREATE = "create"
    RECREATE = "recreate"
    START = "start"
    UPDATE = "update"
    DELETE = "delete"
    KEEP = "keep"

    @property
    def touches_container(self) -> bool:
        """Whether there would be another container, or it would not run as before."""
        return self not in (Action.KEEP, Action.UPDATE)


class Cause(Enum):
    """Why a change has its action; several may hold at once."""

    MISSING = "missing"
    DEFINITION = "definition"
    IMAGE_DIGEST = "image-digest"
    FILE_CONTENT = "file-content"
    ENV_FINGERPRINT = "env-fingerprint"
    DEPENDENCY = "dependency"
    COMPOSE_VERSION = "compose-version"
    ENGINE_DRIFT = "engine-drift"
    UNHEALTHY = "unhealthy"
    NEW_VOLUME = "new-volume"
    NETWORK = "network"
    VOLUME = "volume"

    @property
    def seen_by_compose(self) -> bool:
        """Whether Compose recreates a container for this on its own.

        It does not look into mounted files (compose#11900), nor at what was done to a container by hand.
        """
        return self in _SEEN_BY_COMPOSE


_SEEN_BY_COMPOSE = (
    Cause.DEFINITION,
    Cause.ENV_FINGERPRINT,
    Cause.COMPOSE_VERSION,
    Cause.IMAGE_DIGEST,
    Cause.DEPENDENCY,
)


_FORCING = (Cause.FILE_CONTENT, Cause.ENGINE_DRIFT, Cause.NETWORK, Cause.VOLUME, Cause.ENV_FINGERPRINT)
SCALE = "scale"
"""Names the number of containers among settings changed by hand: Compose mends it, and keeps those that fit."""
_SEEN_BY_HASH = (Cause.DEFINITION, Cause.ENV_FINGERPRINT)


def is_seen_by_compose(causes: tuple[Cause, ...], *, hash_differs: bool) -> bool:
    """Return whether Compose makes the containers anew on its own.

    It keeps those there are if only their number changes, and does not read the file of a secret.
    """
    return any(cause.seen_by_compose for cause in causes if hash_differs or cause not in _SEEN_BY_HASH)


@dataclass(frozen=True)
class Change:
    """One container that would change, with its reason. `before` and `after` are small, comparable and not secret."""

    address: str
    service: ServiceName
    action: Action
    causes: tuple[Cause, ...]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    destructive: bool
    reason: str

    @property
    def is_forced(self) -> bool:
        """Whether only causes that Compose does not see ask for a new container, so it must be told to make one."""
        before, after = self.before or {}, self.after or {}
        differs = before.get("config_hash") != after.get("config_hash")
        rescaled = (before.get("engine") or {}).keys() == {SCALE}
        unseen = any(cause in _FORCING for cause in self.causes if not (rescaled and cause is Cause.ENGINE_DRIFT))
        return unseen and not is_seen_by_compose(self.causes, hash_differs=differs)

    @property
    def keeps_container(self) -> bool:
        """Whether there would be the same container afterwards."""
        return self.action in (Action.KEEP, Action.UPDATE, Action.START)

    @property
    def target(self) -> str:
        """What the change is about, in the form a policy can match."""
        return TARGET_PREFIX + self.service


@dataclass(frozen=True)
class Run:
    """Run these words in the host's root, in an emptied environment; `timeout` is in seconds until they are killed."""

    argv: tuple[str, ...]
    timeout: int


@dataclass(frozen=True)
class Place:
    """Put the kept bytes of this digest at `path` (below the root), by rename."""

    path: RepoPath
    digest: Digest
    mode: int


@dataclass(frozen=True)
class Remove:
    """Remove the file at `path` (below the root)."""

    path: RepoPath


Operation = Run | Place | Remove


@dataclass(frozen=True)
class Step:
    """Operations that belong together, and those that take them back; both run in the order given."""

    id: str
    do: tuple[Operation, ...]
    undo: tuple[Operation, ...]


@dataclass(frozen=True)
class PlannedFile:
    """A file the host will have, by digest. Paths under `.platformctl/` are the tool's own."""

    path: RepoPath
    digest: Digest
    mode: int


@dataclass(frozen=True)
class PlannedImage:
    """An image by its name in the compose file, its digest in the registry if that is known, and its id."""

    ref: str
    digest: str | None
    id: Digest


@dataclass(frozen=True)
class PlannedHost:
    """The host that the plan is for, as the allow-list had it when the plan was made."""

    name: HostName
    transport: str
    address: str | None
    port: int
    user: str | None
    root: str
    host_key: tuple[str, ...]
    machine_id: str | None
    engine_id: str | None
    allow_root: bool


@dataclass(frozen=True)
class PlannedObservation:
    """What the plan was made from. `digest` is of the observation in its canonical form."""

    at: str
    source: Source
    digest: Digest
    compose_version: str
    engine_version: str


@dataclass(frozen=True)
class PlannedTrust:
    """The trust roots in force when the plan was made."""

    commit: GitSha | None
    policy_digest: Digest
    hosts_digest: Digest
    signers_digest: Digest


@dataclass(frozen=True)
class Rollback:
    """Whether there is a way back, to which commit, and why or why not."""

    ready: bool
    to: GitSha | None
    reason: str


@dataclass(frozen=True)
class Bystander:
    """What the plan leaves alone although somebody could think otherwise: a container, volume or file, and why."""

    kind: str
    name: str
    why: str


@dataclass(frozen=True)
class PolicyNote:
    """A finding the plan carries: a warning, or a denial that a waiver lifted."""

    rule: str
    severity: str
    message: str
    waiver: str | None


@dataclass(frozen=True)
class Plan:
    """One module on one host: what would change, why, and the steps there and back."""

    module: ModuleId
    host: PlannedHost
    source_sha: GitSha
    source_dirty: bool
    source_repo: str
    source_ref: str
    created_at: str
    expires_at: str
    tool_version: str
    drivers: Mapping[str, str]
    observed: PlannedObservation
    speculative: bool
    trust: PlannedTrust
    desired: Digest
    kind: str
    files: tuple[PlannedFile, ...]
    images: tuple[PlannedImage, ...]
    closure: tuple[ServiceName, ...]
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    rollback: Rollback
    policy: tuple[PolicyNote, ...]
    untouched: tuple[Bystander, ...] = ()

    @property
    def has_changes(self) -> bool:
        """Whether applying would do anything."""
        return any(change.action is not Action.KEEP for change in self.changes)

    @property
    def destructive(self) -> bool:
        """Whether something would be lost or could not be taken back; such a plan needs an approval that allows it."""
        return self.has_changes and (any(c.destructive for c in self.changes) or not self.rollback.ready)

    @property
    def touched_services(self) -> tuple[ServiceName, ...]:
        """The services whose containers may change; a change of any other was not planned."""
        return tuple(c.service for c in self.changes if c.action.touches_container)

    @property
    def changes_by_action(self) -> Mapping[Action, int]:
        """How many changes there are of each action that does something."""
        counts: dict[Action, int] = {}
        for change in self.changes:
            if change.action is not Action.KEEP:
                counts[change.action] = counts.get(change.action, 0) + 1
        return counts
