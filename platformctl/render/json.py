"""A report as one JSON object: sorted keys, `schema_version`, `kind`, `exit_code`, `status` and its own fields.

New fields may appear; old ones keep their meaning.
"""

import json
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

from platformctl.model.codec import encode
from platformctl.model.reports import (
    SCHEMA_VERSION,
    ErrorReport,
    FleetReport,
    NotPlanned,
    PlannedModule,
    PlanReport,
    Report,
    ShowReport,
    TextReport,
)
from platformctl.redaction import Redactor

_ERROR_FIELDS = ("code", "name", "reason", "summary", "detail", "file", "line", "host", "hint")


def render(report: Report, redactor: Redactor) -> str:
    """Return the report as one line of JSON, with every string cleaned."""
    clean = cache(redactor.clean)  # names of fields, modules and hosts are repeated often
    return json.dumps(cleaned(data(report), clean), sort_keys=True, ensure_ascii=False) + "\n"


def data(report: Report) -> dict[str, Any]:
    """Return the report as JSON data, not yet cleaned."""
    head = {
        "schema_version": SCHEMA_VERSION,
        "kind": report.kind,
        "exit_code": int(report.exit_code),
        "status": report.status,
    }
    return {**head, **_own(report)}


def _own(report: Report) -> dict[str, Any]:
    match report:
        case ErrorReport():
            return {"error": {name: getattr(report, name) for name in _ERROR_FIELDS}}
        case PlanReport():
            own = _fields(report, "plans", "failed", "long", "complete")
            plans = [_planned(plan) for plan in report.plans]
            return {**own, "plans": plans, "failed": [_failed(failed) for failed in report.failed]}
        case ShowReport():
            return {**_planned(report.plan), "verification": data(report.verification)}
        case FleetReport():
            return {**_fields(report, "results"), "results": [data(result) for result in report.results]}
        case TextReport():
            return {"text": report.text}
        case _:
            return _fields(report)


def _fields(report: Report, *without: str) -> dict[str, Any]:
    skipped = {"exit_code", "status", *without}
    return {each.name: encode(getattr(report, each.name)) for each in fields(report) if each.name not in skipped}


def _planned(planned: PlannedModule) -> dict[str, Any]:
    return {
        "module": planned.module,
        "digest": planned.digest,
        "path": planned.path,
        "signed": planned.signed,
        "plan": planned.payload,
    }


def _failed(failed: NotPlanned) -> dict[str, Any]:
    return {"module": failed.module, **data(failed.error)}


def cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """Return JSON data with every string cleaned on its own: cleaning the finished text could break its quoting."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): cleaned(item, clean) for key, item in value.items()}
    return [cleaned(item, clean) for item in value] if isinstance(value, list | tuple) else value
