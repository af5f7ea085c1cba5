"""Everything a report has to say about files, as findings: annotations and SARIF are made of these."""

from collections.abc import Iterator

from platformctl.model.finding import Finding
from platformctl.model.reports import ErrorReport, PlannedModule, PlanReport, Report, ValidateReport

_WORST_FIRST = {"error": 0, "deny": 1, "warn": 2}


def found(report: Report) -> tuple[Finding, ...]:
    """Return the findings of a report, worst first; none for a report that says nothing about files."""
    return tuple(sorted(_found(report), key=lambda each: _WORST_FIRST.get(each.severity, len(_WORST_FIRST))))


def _found(report: Report) -> Iterator[Finding]:
    match report:
        case ValidateReport():
            yield from report.findings
        case PlanReport():
            for failed in report.failed:
                yield _of_error(failed.error, failed.module)
            for planned in report.plans:
                yield from _of_plan(planned)
        case ErrorReport():
            yield _of_error(report, "")


def _of_error(error: ErrorReport, module: str) -> Finding:
    file = error.file or (_manifest(module) if module else "")
    message = f"{error.summary}: {error.detail}".removesuffix(": ")
    return Finding(module, error.reason or error.name, "error", file, error.line, "", message, error.hint)


def _of_plan(planned: PlannedModule) -> Iterator[Finding]:
    """Yield the findings of a plan. They have no line any more, so they are reported at the manifest."""
    for note in planned.plan.policy:
        yield Finding(
            planned.module, note.rule, note.severity, _manifest(planned.module), None, "", note.message, "", note.waiver
        )


def _manifest(module: str) -> str:
    return f"modules/{module}/module.yaml"
