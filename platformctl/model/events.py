"""What an apply reports while it happens. The screen, the log and the journal listen; nobody answers."""

from platformctl.model.frozen import dataclass


@dataclass(frozen=True)
class HostReached:
    """The pinned machine answered as itself."""

    host: str


@dataclass(frozen=True)
class LockTaken:
    """Nobody else applies on this host now; `token` grows with every holder."""

    host: str
    token: int


@dataclass(frozen=True)
class IntentWritten:
    """The plan is consumed: its intent is durable here and on the host."""

    plan_digest: str


@dataclass(frozen=True)
class Preparing:
    """Bytes or images travel; nothing is touched yet."""

    what: str


@dataclass(frozen=True)
class OperationStarted:
    """An operation of a step that is about to run; `words` are what runs, or the file that is placed.

    All operations of a step are told of before the first begins, and all ends behind the last (ADR 0018).
    """

    step: str
    words: str
    undoing: bool = False


@dataclass(frozen=True)
class OperationEnded:
    """How an operation ended; `detail` is a failing command's last words, not yet redacted."""

    step: str
    words: str
    succeeded: bool
    detail: str = ""


@dataclass(frozen=True)
class Watching:
    """The containers are watched, for `seconds` at most."""

    what: str
    seconds: int


@dataclass(frozen=True)
class HealthSeen:
    """What the services show, each in a few words; sent only when it differs from the last time."""

    services: tuple[str, ...]


@dataclass(frozen=True)
class CanaryAnswered:
    """One attempt of the canary ended."""

    attempt: int
    passed: bool
    detail: str


@dataclass(frozen=True)
class Undoing:
    """Something failed and the way back begins."""

    reason: str


@dataclass(frozen=True)
class RollbackStub:
    """Something failed and, as the manifest says, nothing is undone: a person has to."""

    module: str
    host: str
    reason: str


@dataclass(frozen=True)
class Settled:
    """The apply ended, and that was written down as far as it could be; `outcome` is the name of its exit code."""

    outcome: str


@dataclass(frozen=True)
class OfModule:
    """Another event, with its module, while several modules are applied side by side."""

    module: str
    event: "Event"


Event = (
    HostReached
    | LockTaken
    | IntentWritten
    | Preparing
    | OperationStarted
    | OperationEnded
    | Watching
    | HealthSeen
    | CanaryAnswered
    | Undoing
    | RollbackStub
    | Settled
    | OfModule
)
