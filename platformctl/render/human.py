"""A report for a person: one summary line first, then changes only, and what to do next. Nothing is decided here."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from platformctl.errors import ExitCode
from platformctl.model.reports import (
    ApplyReport,
    ApproveReport,
    AuditReport,
    DoctorReport,
    DriftReport,
    ErrorReport,
    ExitCodesReport,
    ExplainReport,
    FleetReport,
    HistoryReport,
    InitReport,
    NoteReport,
    PlanReport,
    Reason,
    RecoverReport,
    Report,
    ShowReport,
    StatusReport,
    StrayReport,
    TextReport,
    TrustReport,
    ValidateReport,
    VerifyReport,
)
from platformctl.render import plans

_COLORS = {"+": 32, "±": 33, "▸": 33, "~": 33, "-": 31, "✓": 32, "✗": 31, "!": 33}

Lines = Iterable[str]


def render(report: Report) -> str:
    """Return the report as text, not yet cleaned."""
    return "".join(line + "\n" for line in lines_of(_LINES[type(report)](report)))


def lines_of(lines: Lines) -> Lines:
    """Return lines of a report in which line breaks of values are replaced."""
    return map(_one, lines)


def _one(line: str) -> str:
    """Return a line in which a line break starts no line of ours: whatever follows it stands behind a bar."""
    return "\n    │ ".join(line.splitlines())


def colored(text: str) -> str:
    """Return cleaned text with the signs at the beginnings of lines coloured."""
    return "".join(_colored(line) + "\n" for line in text.splitlines())


def error(report: ErrorReport) -> Lines:
    """Yield the summary, then where, then detail and what to do."""
    place = report.file and (f"{report.file}:{report.line}" if report.line else report.file)
    yield f"✗ {report.summary}"
    for label, text in (("at", place), ("host", report.host), ("", report.detail), ("next", report.hint)):
        if text:
            yield f"  {label + ': ' if label else ''}{text}"
    yield f"  exit {report.code} {report.name}{f' ({report.reason})' if report.reason else ''}"


def init(report: InitReport) -> Lines:
    """Yield what was written, and the two keys."""
    yield from (f"+ {path}" for path in report.created)
    yield from (f"  {path} (kept)" for path in report.kept)
    yield f"planner {report.planner}, approver {report.approver}"
    yield from (f"! {warning}" for warning in report.warnings)
    yield "next: commit these files, then platformctl validate"


def validate(report: ValidateReport) -> Lines:
    """Yield findings, worst first, then one line for all."""
    order = {"error": 0, "deny": 1, "warn": 2}
    for finding in sorted(report.findings, key=lambda f: (order.get(f.severity, 3), f.file, f.line or 0)):
        place = f"{finding.file}:{finding.line}" if finding.line else finding.file
        sign = "!" if finding.severity == "warn" else "✗"
        in_line = finding.severity == "error" and finding.line and finding.field not in finding.message
        field = f" ({finding.field})" if in_line else ""
        yield f"{sign} {place} {finding.severity} {finding.rule}: {finding.message}{field}"
        if finding.hint:
            yield f"  {finding.hint}"
    count = len(report.modules)
    bad = sum(f.severity != "warn" for f in report.findings)
    yield f"{'✗' if bad else '✓'} {count} module{'s' * (count != 1)}: {f'{bad} to mend' if bad else 'valid'}"


def plan(report: PlanReport) -> Lines:
    """Yield a summary line for everything, then each module that changes."""
    changing = [p for p in report.plans if p.plan.has_changes]
    yield plan_summary(report)
    alike = plans.told_together(report)
    yield from plans.upgrades(alike)
    for planned in report.plans if report.long else [p for p in changing if p not in alike]:
        yield ""
        yield plans.heading(planned.plan)
        yield from plans.lines(planned, long=report.long)
    for failed in report.failed:
        yield f"✗ {failed.module}"
        yield from (f"  {line}" for line in error(failed.error))
    yield from (f"! {warning}" for warning in report.warnings)
    if report.index:
        yield f"index: {report.index}"
    if changing and changing[0].path and not changing[0].plan.speculative:
        yield f"next: platformctl approve {report.index or changing[0].path}"


def plan_summary(report: PlanReport) -> str:
    """Return one line about all modules."""
    changing = sum(planned.plan.has_changes for planned in report.plans)
    if not report.complete:
        return f"Plan: {changing} to change; only the run itself tells what got no plan"
    still = len(report.unchanged) + len(report.plans) - changing
    return f"Plan: {changing} to change, {still} unchanged, {len(report.failed)} failed"


def show(report: ShowReport) -> Lines:
    """Yield the plan, and what is known of its signatures."""
    yield plans.heading(report.plan.plan)
    yield from plans.lines(report.plan, long=True)
    yield from verify(report.verification)


def verify(report: VerifyReport) -> Lines:
    """Yield who signed, who approved, and every reason against the plan."""
    yield f"digest {report.digest}"
    yield f"signed by {report.signed_by or 'nobody'}; approved by {', '.join(report.approved_by) or 'nobody'}"
    yield from (f"✗ {reason.code.name} {reason.reason}: {reason.message}" for reason in report.reasons)
    if report.verified:
        yield "✓ verified"
    yield from _next(report.reasons)


def explain(report: ExplainReport) -> Lines:
    """Yield whether the plan would still be applied, every reason why not, and what differs."""
    refused = "not stale, but it would be refused" if report.reasons else "it would still be applied"
    about = f"{report.module} on {report.host} at {report.source_sha[:12]}, planned at {report.planned_at}"
    yield f"{'✗' if report.reasons else '✓'} {'stale' if report.stale else refused}: {about}"
    yield from (f"  ✗ {reason.code.name} {reason.reason}: {reason.message}" for reason in report.reasons)
    width = max((len(each.field) for each in report.differences), default=0) + 1
    for each in report.differences:
        yield f"      {each.field + ':':{width}} {plans.value(each.planned)} -> {plans.value(each.now)}"
    if report.stale:
        yield f"next: platformctl plan {report.module}"
    else:
        yield from _next(report.reasons)


def _next(reasons: Iterable[Reason]) -> Lines:
    """Yield what to do about the first of the reasons that has a hint."""
    return (f"next: {reason.hint}" for reason in [each for each in reasons if each.hint][:1])


def approve(report: ApproveReport) -> Lines:
    """Yield what was approved, and what to run now."""
    also = ", destructive changes allowed" if report.allows_destructive else ""
    yield f"✓ {report.approver} approved {report.plan_digest} until {report.expires_at}{also}"
    yield f"  {report.path}"
    yield f"next: platformctl apply {report.plan} --approved-sha {report.source_sha}"


def apply(report: ApplyReport) -> Lines:
    """Yield the verdict in one line, then what it rests on."""
    good = report.status in ("applied", "no_changes")
    yield f"{'✓' if good else '✗'} {report.status}: {report.module} on {report.host} at {report.source_sha[:12]}"
    if report.reason:
        yield f"  {report.reason}"
    for verdict in report.health:
        yield f"  {'✓' if verdict.healthy else '✗'} {verdict.service} {verdict.state} {verdict.reason}".rstrip()
        yield from (f"    {line}" for line in verdict.log.splitlines())
    if report.canary and report.canary.ran:
        yield f"  {'✓' if report.canary.ok else '✗'} canary {report.canary.url} {report.canary.reason}".rstrip()
    if report.rollback:
        yield f"  rollback: {report.rollback}"
    yield from (f"! {warning}" for warning in report.warnings)
    if step := _after_failure(report):
        yield f"  next: {step}"
    yield f"  exit {int(report.exit_code)} {report.exit_code.name}; host touched: {report.mutated}"


def _after_failure(report: ApplyReport) -> str:
    """Return what a person who was called because of the failure does now; "" if there is nothing to do."""
    module = report.module
    match report.exit_code:
        case ExitCode.REMOTE_FAILED if report.mutated == "unknown":
            return "platformctl recover"
        case ExitCode.REMOTE_FAILED | ExitCode.UNHEALTHY:
            return f"platformctl status {module}; then platformctl rollback {module}, or mend it and plan again"
        case ExitCode.ROLLED_BACK if report.quarantined:
            lift = f"platformctl unquarantine {module} --reason …"
            return f"mend the release and plan again; this one is quarantined ({lift})"
        case ExitCode.ROLLED_BACK:
            return "plan again: nothing is held against the release"
        case ExitCode.ROLLBACK_FAILED:
            return f"platformctl status {module}; somebody must look at {report.host}"
        case _:
            return ""


def fleet(report: FleetReport) -> Lines:
    """Yield each plan's own verdict, then one line each, then what to do about those that were not applied."""
    for result in report.results:
        yield from apply(result) if isinstance(result, ApplyReport) else error(result)
    yield ""
    for outcome in report.outcomes:
        good = outcome.status in ("applied", "no_changes")
        reason = f": {outcome.reason}" if outcome.reason else ""
        yield f"{'✓' if good else '✗'} {outcome.module} on {outcome.host} {outcome.status}{reason}"
    if report.skipped:
        yield f"! not tried: {', '.join(report.skipped)}; platformctl plan --all, and apply again"
    yield f"exit {int(report.exit_code)} {report.exit_code.name}; hosts touched: {report.mutated}"


def status(report: StatusReport) -> Lines:
    """Yield one line for each module, and one for each container."""
    for row in report.modules:
        sign = "✓" if row.in_step else "!"
        release = row.source_sha[:12] or "never applied"
        yield f"{sign} {row.module} on {row.host}: {release} {row.outcome} {row.applied_at}".rstrip()
        yield from (f"    {c['service']}  {c['id'][:12]}  {c['state']}  {c['image']}" for c in row.containers)
        if row.note:
            yield f"    {row.note}"
    yield from (f"! {warning}" for warning in report.warnings)


def drift(report: DriftReport) -> Lines:
    """Yield, for each module, what it would take to have again what was applied."""
    for row in report.modules:
        drifted = bool(row.changes or (row.note and row.source_sha))
        sign = "!" if drifted or not row.source_sha else "✓"
        yield f"{sign} {row.module} on {row.host}: {row.source_sha[:12]} {row.applied_at}".rstrip()
        for change in row.changes:
            yield from plans.change_lines(change)
        if row.note:
            yield f"    {row.note}"
        if drifted:
            yield f"    next: platformctl plan {row.module}"
    yield from (f"! {warning}" for warning in report.warnings)


def stray(report: StrayReport) -> Lines:
    """Yield one line for each container."""
    for each in report.strays:
        yield f"! {each.host} {each.container}  {each.project}.{each.service}  {each.state}  {each.image}"
        if each.module:
            yield f"    its module has no manifest any more: platformctl plan {each.module}"
    if not report.strays and not report.warnings:
        yield "✓ every container belongs to a module"
    yield from (f"! {warning}" for warning in report.warnings)


def history(report: HistoryReport) -> Lines:
    """Yield one line for each receipt, newest first."""
    yield f"{report.module}: {len(report.rows)} applies, from {report.source}"
    for row in report.rows:
        request = f" #{row.pull_request}" if row.pull_request else ""
        yield f"  {row.applied_at}  {row.source_sha[:12]}{request}  {row.outcome}  {row.applied_by}"


def doctor(report: DoctorReport) -> Lines:
    """Yield one line for each check, with what to do about it."""
    for check in report.checks:
        sign = {"ok": "✓", "warn": "!"}.get(check.level, "✗")
        yield f"{sign} {check.host} {check.name}: {check.found}"
        if check.hint and check.level != "ok":
            yield f"    {check.hint}"


def trust(report: TrustReport) -> Lines:
    """Yield the keys a host offers, and the entry to write."""
    yield from (f"  {report.host} {key['type']} {key['fingerprint']}" for key in report.keys)
    yield from (f"+ {line}" for line in report.written)


def recover(report: RecoverReport) -> Lines:
    """Yield how each unsettled apply was settled."""
    if not report.settled and not report.warnings:
        yield "✓ nothing is unsettled"
    for row in report.settled:
        where = row["host"] or "no host"
        yield f"{_recovered(row['outcome'])} {where} {row['plan']}: {row['outcome']} {row['why']}"
    yield from (f"! {warning}" for warning in report.warnings)


def _recovered(outcome: str) -> str:
    return "!" if outcome == "needs_person" else "✓"


def audit(report: AuditReport) -> Lines:
    """The chain, or what is wrong with it; that it is whole is said where it was compared, and so has heads."""
    yield from (f"  {record['seq']} {record['at']} {_event(record)}" for record in report.records)
    yield from (f"✗ {problem}" for problem in report.problems)
    yield from (f"  head {name}: {head}" for name, head in sorted(report.heads.items()))
    if report.heads and not report.problems:
        yield "✓ the audit chain is whole"


def _event(record: Mapping[str, Any]) -> str:
    """What happened, to what, where, by whom, and what came of it or why."""
    about = (("of", "module"), ("on", "host"), ("by", "by"))
    words = " ".join((record["event"], *(f"{word} {record[key]}" for word, key in about if record.get(key))))
    rest = " ".join(str(record.get("outcome") or record.get("reason") or "").split())
    unheard = " (whether the host was told is not known)" if "heard" in record else ""
    return (f"{words}: {rest}" if rest else words) + unheard


def note(report: NoteReport) -> Lines:
    """Yield one line, and details if there are any."""
    yield report.message
    yield from (f"  {name}: {value}" for name, value in report.details.items())


def exit_codes(report: ExitCodesReport) -> Lines:
    """Yield the table."""
    for row in report.codes:
        yield f"{row['code']:>3}  {row['name']:<28} touched: {row['touched']:<6} {row['meaning']}"


def text(report: TextReport) -> Lines:
    """Return the lines of the text as it is."""
    return report.text.splitlines()


def _colored(line: str) -> str:
    stripped = line.lstrip()
    code = _COLORS.get(stripped[:1])
    return line if code is None else line.replace(stripped[0], f"\x1b[{code}m{stripped[0]}\x1b[0m", 1)


_LINES: dict[type[Report], Callable[..., Lines]] = {
    ErrorReport: error,
    InitReport: init,
    ValidateReport: validate,
    PlanReport: plan,
    ShowReport: show,
    VerifyReport: verify,
    ExplainReport: explain,
    ApproveReport: approve,
    ApplyReport: apply,
    FleetReport: fleet,
    StatusReport: status,
    DriftReport: drift,
    StrayReport: stray,
    HistoryReport: history,
    DoctorReport: doctor,
    TrustReport: trust,
    RecoverReport: recover,
    AuditReport: audit,
    NoteReport: note,
    ExitCodesReport: exit_codes,
    TextReport: text,
}
