"""What a command has to say: one report per command. Renderers turn it into text; its exit code is the process's.

The field names are those of the JSON output. A report holds no secret and decides nothing.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar

from platformctl.errors import ExitCode, Refusal
from platformctl.model.finding import Finding
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest
from platformctl.model.plan import Change, Plan
from platformctl.model.result import CanaryResult, ContainerHealth

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Report:
    """What every report has: how the process ends, as an exit code and in a word."""

    kind: ClassVar[str] = "Report"
    exit_code: ExitCode = ExitCode.NO_CHANGES
    status: str = "ok"


@dataclass(frozen=True, kw_only=True)
class ErrorReport(Report):
    """A refusal or a failure of the tool. `code` repeats the exit code inside the error object."""

    kind: ClassVar[str] = "Error"
    status: str = "blocked"
    code: int
    name: str
    reason: str
    summary: str
    detail: str
    hint: str
    file: str | None = None
    line: int | None = None
    host: str | None = None

    @classmethod
    def of(cls, refusal: Refusal) -> "ErrorReport":
        """Return the report of a refusal, in its own words."""
        code = refusal.exit_code
        fields = ("reason", "summary", "detail", "hint", "file", "line", "host")
        values = {name: getattr(refusal, name) for name in fields}
        return cls(exit_code=code, code=int(code), name=code.name, **values)


@dataclass(frozen=True, kw_only=True)
class TextReport(Report):
    """Text that is the result itself: a script, a schema, exact bytes. `raw` bytes are written as they are."""

    kind: ClassVar[str] = "Text"
    text: str = ""
    raw: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class InitReport(Report):
    """What `init` wrote and what it found there already."""

    kind: ClassVar[str] = "Init"
    created: tuple[str, ...]
    kept: tuple[str, ...]
    planner: str
    approver: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ValidateReport(Report):
    """Every finding about every module that was looked at."""

    kind: ClassVar[str] = "Validate"
    modules: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class PlannedModule:
    """One module's plan: the signed file (if one was written), the payload's digest and the payload itself."""

    module: str
    digest: Digest
    path: str | None
    signed: bool
    plan: Plan
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class NotPlanned:
    """A module that got no plan, with what an `Error` report would say."""

    module: str
    error: ErrorReport


@dataclass(frozen=True, kw_only=True)
class PlanReport(Report):
    """Plans of one or many modules; none is dropped silently.

    `unchanged` are modules that recorded state settles without planning them, `failed` those that got no plan. A report
    that is not `complete` is made of files of plans, which tell of neither.
    """

    kind: ClassVar[str] = "Plan"
    plans: tuple[PlannedModule, ...]
    unchanged: tuple[str, ...] = ()
    failed: tuple[NotPlanned, ...] = ()
    index: str | None = None
    warnings: tuple[str, ...] = ()
    long: bool = False
    complete: bool = True

    @property
    def has_changes(self) -> bool:
        """Whether anything would change, of what could be planned."""
        return any(planned.plan.has_changes for planned in self.plans)


@dataclass(frozen=True)
class Reason:
    """Why a plan would not be applied: the exit code, a stable word, a sentence, and what to do."""

    code: ExitCode
    reason: str
    message: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class VerifyReport(Report):
    """Whether a plan would be accepted, and every reason why not. `show` adds the plan itself."""

    kind: ClassVar[str] = "Verify"
    verified: bool
    digest: Digest
    signed_by: str | None
    approved_by: tuple[str, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Difference:
    """A field of a plan, by its dotted name, that planning again gives otherwise; None where a side lacks it."""

    field: str
    planned: Any
    now: Any


@dataclass(frozen=True, kw_only=True)
class ExplainReport(Report):
    """Whether a plan would still be applied, every reason why not, and each field in which planning now differs."""

    kind: ClassVar[str] = "Explain"
    module: str
    host: str
    plan_digest: Digest
    source_sha: str
    planned_at: str
    stale: bool
    reasons: tuple[Reason, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, kw_only=True)
class ShowReport(Report):
    """A plan as it is, with what is known of its signatures."""

    kind: ClassVar[str] = "Show"
    plan: PlannedModule
    verification: VerifyReport


@dataclass(frozen=True, kw_only=True)
class ApproveReport(Report):
    """The approval that was signed, its path, and the plan's file and commit that it is about."""

    kind: ClassVar[str] = "Approve"
    plan: str
    source_sha: str
    plan_digest: Digest
    approver: str
    allows_destructive: bool
    expires_at: str
    path: str


@dataclass(frozen=True)
class AppliedService:
    """What `applied` lists: the module, its host and the Compose service."""

    module: str
    host: str
    compose_service: str


@dataclass(frozen=True, kw_only=True)
class ApplyReport(Report):
    """What an apply did and how that is known. `mutated` is no, yes or unknown; `rollback` says how an undo ended.

    `quarantined` says whether the release is refused on that host from now on.
    """

    kind: ClassVar[str] = "Apply"
    mutated: str
    module: str
    host: str
    plan_digest: Digest
    source_sha: str
    reason: str = ""
    applied: tuple[AppliedService, ...] = ()
    containers: tuple[Mapping[str, str], ...] = ()
    unplanned: tuple[str, ...] = ()
    health: tuple[ContainerHealth, ...] = ()
    canary: CanaryResult | None = None
    rollback: str = ""
    quarantined: bool = False
    state_artifact: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanOutcome:
    """One plan of an index: how its apply ended, or why it was not tried (`skipped`, without an exit code)."""

    module: str
    host: str
    plan_digest: Digest
    status: str
    exit_code: int | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class FleetReport(Report):
    """What became of each plan of an index, in its order: in a line and, if it was tried, in full.

    `skipped` are the modules that were not tried; `plan_digest` is the index's.
    """

    kind: ClassVar[str] = "ApplyIndex"
    mutated: str
    plan_digest: Digest
    source_sha: str
    outcomes: tuple[PlanOutcome, ...]
    results: tuple[ApplyReport | ErrorReport, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModuleRow:
    """One module as `status` sees it: what was applied, and what runs.

    `outcome` is of the release `source_sha`, the last one that was proven; `attempt` is the last apply where that was
    of another one: its `source_sha`, `at` and `outcome`.
    """

    module: str
    host: str
    source_sha: str
    applied_at: str
    outcome: str
    containers: tuple[Mapping[str, str], ...]
    in_step: bool
    attempt: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class StatusReport(Report):
    """What runs now, module by module."""

    kind: ClassVar[str] = "Status"
    modules: tuple[ModuleRow, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DriftRow:
    """One module as `drift` sees it: what it would take to have the release of `source_sha` again.

    `source_sha` is "" if the module was never applied. `note` is why the drift can not be told change by change.
    """

    module: str
    host: str
    source_sha: str
    applied_at: str
    changes: tuple[Change, ...]
    note: str = ""

    @property
    def has_drifted(self) -> bool:
        """Whether there is a release that is not there any more as it was applied."""
        return bool(self.source_sha and (self.changes or self.note))


@dataclass(frozen=True, kw_only=True)
class DriftReport(Report):
    """Where hosts are no longer what was applied last, module by module."""

    kind: ClassVar[str] = "Drift"
    modules: tuple[DriftRow, ...]
    warnings: tuple[str, ...] = ()

    @property
    def has_changes(self) -> bool:
        """Whether anything drifted, of what could be compared."""
        return any(row.has_drifted for row in self.modules)


@dataclass(frozen=True)
class Stray:
    """A container below the root of a host that belongs to no module now.

    `module` is the module without a manifest that it belonged to, if this clone knows.
    """

    host: str
    container: str
    project: str
    service: str
    image: str
    state: str
    module: str = ""


@dataclass(frozen=True, kw_only=True)
class StrayReport(Report):
    """Containers that no module names or needs."""

    kind: ClassVar[str] = "Stray"
    strays: tuple[Stray, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class HistoryRow:
    """One receipt: when, what, by whom, and how it ended."""

    applied_at: str
    source_sha: str
    outcome: str
    applied_by: str
    plan_digest: Digest
    pull_request: int | None


@dataclass(frozen=True, kw_only=True)
class HistoryReport(Report):
    """A module's receipts, newest first. `source` says whether they are the host's or this clone's."""

    kind: ClassVar[str] = "History"
    module: str
    source: str
    rows: tuple[HistoryRow, ...]


@dataclass(frozen=True)
class Check:
    """One thing `doctor` looked at. `level` is ok, warn or fail."""

    host: str
    name: str
    level: str
    found: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class DoctorReport(Report):
    """Every check of every host that was asked."""

    kind: ClassVar[str] = "Doctor"
    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True)
class TrustReport(Report):
    """The keys a host offers, and the entry to write once one was confirmed."""

    kind: ClassVar[str] = "HostTrust"
    host: str
    keys: tuple[Mapping[str, str], ...]
    written: tuple[str, ...] = ()
    machine_id: str = ""
    engine_id: str = ""


@dataclass(frozen=True, kw_only=True)
class RecoverReport(Report):
    """How unsettled applies were settled: applied, not_applied or needs_person, by host and plan digest.

    `warnings` say which hosts could not be asked and what could not be settled.
    """

    kind: ClassVar[str] = "Recover"
    settled: tuple[Mapping[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AuditReport(Report):
    """Records of the audit chain, or what is wrong with it."""

    kind: ClassVar[str] = "Audit"
    records: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[str, ...] = ()
    heads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NoteReport(Report):
    """A command that did one small thing, said in one line."""

    kind: ClassVar[str] = "Note"
    message: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ExitCodesReport(Report):
    """The table of exit codes."""

    kind: ClassVar[str] = "ExitCodes"
    codes: tuple[Mapping[str, Any], ...]
