"""How an apply ended on its host. A step that failed is a value here, never an exception."""

from platformctl.errors import ExitCode
from platformctl.model.frozen import dataclass
from platformctl.model.observed import Container


@dataclass(frozen=True)
class ContainerHealth:
    """The verdict on one service; `log` has its container's last lines when it failed.

    It is empty when these might hold a secret.
    """

    service: str
    container: str
    state: str
    healthy: bool
    reason: str
    log: str = ""


@dataclass(frozen=True)
class CanaryResult:
    """How the canary ended. `ran` is False when there was none to run, and then `ok` is None."""

    ran: bool
    ok: bool | None
    url: str = ""
    status: int | None = None
    attempt: int = 0
    body: str = ""
    reason: str = ""

    @classmethod
    def not_run(cls, reason: str) -> "CanaryResult":
        """Return the result of a canary that was not sent, which is neither good nor bad."""
        return cls(ran=False, ok=None, reason=reason)


@dataclass(frozen=True)
class Proof:
    """What was observed after the steps: health, canary, images, and what changed without being planned."""

    containers: tuple[Container, ...]
    health: tuple[ContainerHealth, ...]
    canary: CanaryResult
    unplanned: tuple[str, ...]
    wrong_images: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether everything runs as planned and answers as expected."""
        return not self.unplanned and not self.complaint

    @property
    def complaint(self) -> str:
        """The first thing that is wrong with what was planned, in words; "" when nothing is."""
        if self.wrong_images:
            return f"another image than planned runs: {', '.join(self.wrong_images)}"
        sick = next((h for h in self.health if not h.healthy), None)
        if sick is not None:
            return f"{sick.service}: {sick.reason}"
        return f"canary: {self.canary.reason}" if self.canary.ok is False else ""


@dataclass(frozen=True)
class ApplyResult:
    """How an apply ended: the exit code, why, and what was seen.

    `undone` says how far the way back came, if it was taken; `unplanned` is what changed without being planned; `lost`
    is True when the end of something was not seen.
    """

    exit_code: ExitCode
    reason: str
    proof: Proof | None
    undone: str = ""
    unplanned: tuple[str, ...] = ()
    lost: bool = False
