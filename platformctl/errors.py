"""Every way to refuse or to fail, and what the process's exit status then says.

A refused precondition is raised (a `Refusal`); a step that failed on a host is a value (`model.result`); a mistake of
ours is any other exception and ends as `TOOL_ERROR`. The numbers are the contract of docs/exit-codes.md: 8 to 13 say
that a host may have been touched, every other code that no host was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import ClassVar, TypeVar

T = TypeVar("T")


class ExitCode(IntEnum):
    """What the exit status of platformctl means; each number has one meaning in every command."""

    NO_CHANGES = 0
    CHANGES_PRESENT = 1
    USAGE = 2
    TOOL_ERROR = 3
    POLICY_VIOLATION = 4
    APPROVAL_MISMATCH = 5
    DESTRUCTIVE_NEEDS_APPROVAL = 6
    STALE_PLAN = 7
    REMOTE_FAILED = 8
    APPLIED = 9
    UNHEALTHY = 10
    ROLLED_BACK = 11
    ROLLBACK_FAILED = 12
    PARTIAL = 13
    PREPARE_FAILED = 14
    INVALID_INPUT = 65
    UNREACHABLE = 69
    LOCKED = 75
    WRONG_HOST = 77
    INTERRUPTED = 130
    TERMINATED = 143


class Touched(Enum):
    """Whether a container, network, volume or delivered file may have changed."""

    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


@dataclass(frozen=True)
class CodeRow:
    """One row of the exit-code table: what a person is told about a code."""

    meaning: str
    touched: Touched
    reasons: tuple[str, ...] = ()


EXIT_CODES: Mapping[ExitCode, CodeRow] = {
    ExitCode.NO_CHANGES: CodeRow("nothing to do; also validate, verify, status fine", Touched.NO),
    ExitCode.CHANGES_PRESENT: CodeRow(
        "a successful plan or drift with changes; nothing else may ever exit 1", Touched.NO
    ),
    ExitCode.USAGE: CodeRow("wrong usage of the command line; a plan without a key", Touched.NO),
    ExitCode.TOOL_ERROR: CodeRow(
        "internal error, unreadable state, missing local program, journal not writable", Touched.NO
    ),
    ExitCode.POLICY_VIOLATION: CodeRow(
        "a rule, path or phase refused it; quarantined; another module's service; unknown target form",
        Touched.NO,
    ),
    ExitCode.APPROVAL_MISMATCH: CodeRow(
        "the plan is not what was approved, or not by whom it must be",
        Touched.NO,
        (
            "signature",
            "signer",
            "unsigned",
            "sha",
            "digest",
            "dirty",
            "speculative",
            "not_merged",
            "trust_ref_missing",
            "trust_older",
            "trust_changed",
            "approval_missing",
            "approval_expired",
            "approval_other_host",
            "created_in_future",
            "pr_missing",
            "pr_unknown",
            "pr_commit",
            "pr_checks",
            "pr_reviews",
        ),
    ),
    ExitCode.DESTRUCTIVE_NEEDS_APPROVAL: CodeRow("destructive change without an approval that allows it", Touched.NO),
    ExitCode.STALE_PLAN: CodeRow(
        "planning again gives a different answer; the message says exactly what differs",
        Touched.NO,
        ("plan_expired", "used", "superseded", "changed", "host_entry_changed", "tool_version"),
    ),
    ExitCode.REMOTE_FAILED: CodeRow(
        "a remote step failed with strategy none, something unplanned changed, or the outcome is unknown",
        Touched.MAYBE,
    ),
    ExitCode.APPLIED: CodeRow("applied and proven healthy", Touched.YES),
    ExitCode.UNHEALTHY: CodeRow("applied, health or canary failed, left in place (strategy none)", Touched.YES),
    ExitCode.ROLLED_BACK: CodeRow("failed; the previous release is back and healthy", Touched.YES),
    ExitCode.ROLLBACK_FAILED: CodeRow("failed, and so did the way back", Touched.YES),
    ExitCode.PARTIAL: CodeRow("some modules of an index applied, others not", Touched.YES),
    ExitCode.PREPARE_FAILED: CodeRow("pull, upload or readiness failed before the first change", Touched.NO),
    ExitCode.INVALID_INPUT: CodeRow("bytes that do not parse or fit the schema", Touched.NO),
    ExitCode.UNREACHABLE: CodeRow(
        "a host could not be asked",
        Touched.NO,
        (
            "connect",
            "docker_down",
            "docker_permission",
            "compose_missing",
            "compose_v1",
            "disk_full",
            "root_readonly",
            "clock_skew",
            "forge",
        ),
    ),
    ExitCode.LOCKED: CodeRow(
        "someone holds the lock (who, since when, why), or an earlier apply is unsettled",
        Touched.NO,
        ("held", "unsettled"),
    ),
    ExitCode.WRONG_HOST: CodeRow(
        "live host key, machine id, engine id or user (uid 0) is not what was pinned", Touched.NO
    ),
    ExitCode.INTERRUPTED: CodeRow("interrupted before the first mutation", Touched.NO),
    ExitCode.TERMINATED: CodeRow("terminated before the first mutation", Touched.NO),
}


APPLY_CODES = tuple(code for code in ExitCode if code is not ExitCode.CHANGES_PRESENT)
"""How an apply, in either direction, may end."""

_WORST_FIRST = (
    ExitCode.ROLLBACK_FAILED,
    ExitCode.REMOTE_FAILED,
    ExitCode.UNHEALTHY,
    ExitCode.ROLLED_BACK,
    ExitCode.TOOL_ERROR,
    ExitCode.INVALID_INPUT,
    ExitCode.POLICY_VIOLATION,
    ExitCode.WRONG_HOST,
    ExitCode.LOCKED,
    ExitCode.UNREACHABLE,
)
"""First what may have touched a host; then what a person must mend here, then there, then what may pass by itself."""


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code that speaks for several modules or hosts, `NO_CHANGES` where all ended so.

    One that is not in the order comes behind those that are, the first of them first.
    """
    bad = [code for code in codes if code is not ExitCode.NO_CHANGES]
    return next((code for code in (*_WORST_FIRST, *bad) if code in bad), ExitCode.NO_CHANGES)


class Refusal(Exception):
    """A precondition that does not hold: nothing was changed, and the caller is told what to do.

    `summary` never changes with the data, `detail` names the address and what was found, `hint` names the next
    command. `reason` is a stable word for programs. `line` is 1-based. None of them may carry a secret.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.TOOL_ERROR

    def __init__(
        self,
        summary: str,
        *,
        detail: str = "",
        hint: str = "",
        reason: str = "",
        file: str | None = None,
        line: int | None = None,
        host: str | None = None,
    ) -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.hint = hint
        self.reason = reason
        self.file = file
        self.line = line
        self.host = host


class ToolError(Refusal):
    """This tool or this machine can not do its part: unreadable state, a missing program, a full disk."""


class Usage(Refusal):
    """The command line asks for something that can not be meant."""

    exit_code = ExitCode.USAGE


class PolicyViolation(Refusal):
    """A rule, a path rule or the phase gate forbids it."""

    exit_code = ExitCode.POLICY_VIOLATION


class ApprovalMismatch(Refusal):
    """What is to run is not what was approved, or not by whom; `reason` says which."""

    exit_code = ExitCode.APPROVAL_MISMATCH


class DestructiveNeedsApproval(Refusal):
    """Something would be lost and no approval allows that."""

    exit_code = ExitCode.DESTRUCTIVE_NEEDS_APPROVAL


class StalePlan(Refusal):
    """Planning again gives a different answer; `reason` says why."""

    exit_code = ExitCode.STALE_PLAN


class PrepareFailed(Refusal):
    """A pull, an upload or the readiness of the way back failed before the first change."""

    exit_code = ExitCode.PREPARE_FAILED


class InvalidInput(Refusal):
    """Bytes that do not parse or do not fit their schema."""

    exit_code = ExitCode.INVALID_INPUT


class Unreachable(Refusal):
    """A host could not be asked; `reason` says what was in the way."""

    exit_code = ExitCode.UNREACHABLE


class Locked(Refusal):
    """Somebody else is at work on the host, or an earlier apply was never settled."""

    exit_code = ExitCode.LOCKED


class WrongHost(Refusal):
    """The machine that answered is not the machine that was pinned, or the user is uid 0."""

    exit_code = ExitCode.WRONG_HOST


class Interrupted(Refusal):
    """A person or a supervisor asked us to stop before anything was touched."""

    exit_code = ExitCode.INTERRUPTED


class Terminated(Interrupted):
    """As `Interrupted`, by SIGTERM."""

    exit_code = ExitCode.TERMINATED


class OutcomeUnknown(Exception):
    """A command was sent and its end was not seen (connection lost, deadline): it may or may not have run.

    Not a `Refusal`: only the caller knows whether the command could change anything. Raised by transports.
    """

    def __init__(self, summary: str, *, host: str, detail: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.host = host
        self.detail = detail


def or_raise(seen: T | Refusal) -> T:
    """What there is; raises what there is instead."""
    if isinstance(seen, Refusal):
        raise seen
    return seen
