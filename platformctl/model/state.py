"""What is remembered: receipts and the host record on the host, the status file in `.platform/state`."""

from collections.abc import Iterable, Mapping
from dataclasses import field

from platformctl.model.desired import NOTHING
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, GitSha, HostName, ModuleId
from platformctl.model.plan import PlannedFile, PlannedImage, Run, is_own
from platformctl.model.result import ContainerHealth

RECEIPT_PAYLOAD_TYPE = "application/vnd.platformctl.receipt.v1+json"
LIFT_PAYLOAD_TYPE = "application/vnd.platformctl.lift.v1+json"


@dataclass(frozen=True)
class RunningContainer:
    """A container as it was proven to run."""

    service: str
    id: str
    image_id: Digest


@dataclass(frozen=True)
class Computed:
    """What the host's orchestrator computed for a release, so that it is not asked again while nothing changed.

    `version` is the orchestrator's, `environment` the fingerprint of the host's env file that it read, `hashes` are by
    service. `variables` are fingerprints of what the env file sets, by name. `program` is the `compose_program` that
    told the version: while the host has the same one, it need not be asked again.
    """

    version: str
    environment: str | None
    hashes: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    program: str = ""


@dataclass(frozen=True)
class Receipt:
    """What an apply left behind. `outcome` is the name of its exit code; `up` are the words that bring the release up.

    `pull_request` is what the operator gave as `--approved-pr`. `containers` are those observed at the end. `computed`
    is None if it was not seen to hold. `failed` are those that were not healthy, with their last lines, cleaned.
    `host_files` are fingerprints of secrets and the like that only the host has, by path, as they were before.
    """

    module: ModuleId
    host: HostName
    outcome: str
    plan_digest: Digest
    source_sha: GitSha
    desired: Digest
    applied_at: str
    applied_by: str
    pull_request: int | None
    files: tuple[PlannedFile, ...]
    images: tuple[PlannedImage, ...]
    up: tuple[Run, ...]
    closure: tuple[str, ...]
    containers: tuple[RunningContainer, ...]
    computed: Computed | None = None
    failed: tuple[ContainerHealth, ...] = ()
    host_files: Mapping[str, str] = field(default_factory=dict)

    def left_behind(self, paths: Iterable[str]) -> tuple[PlannedFile, ...]:
        """Return files this release had delivered that are not among `paths`, without the tool's own."""
        kept = set(paths)
        return tuple(f for f in self.files if f.path not in kept and not is_own(f.path))

    @property
    def healthy(self) -> bool:
        """Whether this release was proven to work when it was applied, so that a rollback may go to it."""
        return self.outcome in ("APPLIED", "IMPORTED")


@dataclass(frozen=True)
class Quarantine:
    """A desired digest that failed on this host and is refused until somebody lifts it."""

    desired: Digest
    source_sha: GitSha
    reason: str
    at: str


@dataclass(frozen=True)
class Lift:
    """An approver's word that releases which are quarantined on a host may be planned there again."""

    module: ModuleId
    host: HostName
    reason: str
    at: str
    releases: tuple[Quarantine, ...]


@dataclass(frozen=True)
class TrustSeen:
    """The trust roots the host saw last; older or unrelated ones are refused."""

    commit: GitSha | None
    policy_digest: Digest
    hosts_digest: Digest
    signers_digest: Digest


@dataclass(frozen=True)
class SignedReceipt:
    """A receipt and the DSSE envelope (JSON text) it came in; the envelope is what is stored."""

    receipt: Receipt
    envelope: str


@dataclass(frozen=True)
class HostRecord:
    """What a host remembers of one module, newest receipt last. `serial` grows by one with every write."""

    module: ModuleId
    serial: int
    receipts: tuple[SignedReceipt, ...] = ()
    consumed: tuple[Digest, ...] = ()
    quarantine: tuple[Quarantine, ...] = ()
    trust: TrustSeen | None = None

    @property
    def current(self) -> Receipt | None:
        """The last release that was proven to work here; None before the first, and after it was removed."""
        last = next((s.receipt for s in reversed(self.receipts) if s.receipt.healthy), None)
        return None if last is not None and last.desired == NOTHING else last

    @property
    def latest(self) -> Receipt | None:
        """The last receipt, whatever its outcome; None before the first."""
        return self.receipts[-1].receipt if self.receipts else None

    def quarantine_of(self, desired: Digest) -> Quarantine | None:
        """The quarantine that holds for `desired`, if any."""
        return next((q for q in self.quarantine if q.desired == desired), None)


@dataclass(frozen=True)
class ModuleStatus:
    """`.platform/state/modules/<id>.status.json`: what this clone knows without asking the host.

    `last_apply_sha` and `files` are of the last release proven to work, `inputs` is as in `Release`, and `attempt` is
    the outcome of the last apply.
    """

    module: ModuleId
    host: HostName
    last_apply_sha: GitSha
    last_apply_pr: int | None
    plan_digest: Digest
    applied_at: str
    desired: Digest
    inputs: Digest
    files: tuple[PlannedFile, ...]
    images: tuple[PlannedImage, ...]
    containers: tuple[RunningContainer, ...]
    previous: GitSha | None
    attempt: Mapping[str, str] = field(default_factory=dict)
    serial: int = 0
