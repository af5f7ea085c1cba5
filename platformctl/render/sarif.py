"""Findings as SARIF 2.1.0, which code-scanning pages and editors read."""

import json
from typing import Any
from urllib.parse import quote

from platformctl import __version__
from platformctl.model.finding import Finding
from platformctl.model.reports import Report
from platformctl.redaction import Redactor
from platformctl.render.findings import found

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST = 5000
"""How many results one run has at most; readers refuse more."""
LONGEST = 1000
"""How many characters one text has at most."""
_LEVELS = {"error": "error", "deny": "error", "warn": "warning"}


def render(report: Report, redactor: Redactor) -> str:
    """Return the findings of a report as one SARIF log with one run, cleaned."""
    findings = found(report)[:MOST]
    rules = sorted({_text(finding.rule, redactor) for finding in findings})
    driver = {"name": "platformctl", "version": __version__, "rules": [{"id": rule} for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, rules, redactor) for finding in findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _result(finding: Finding, rules: list[str], redactor: Redactor) -> dict[str, Any]:
    rule = _text(finding.rule, redactor)
    result: dict[str, Any] = {
        "ruleId": rule,
        "ruleIndex": rules.index(rule),
        "level": _LEVELS.get(finding.severity, "note"),
        "message": {"text": _text(f"{finding.message} {finding.hint}".strip(), redactor) or rule},
    }
    if finding.file:
        result["locations"] = [{"physicalLocation": _place(finding, redactor)}]
    if finding.waiver is not None:
        result["suppressions"] = [{"kind": "external", "justification": _text(finding.waiver, redactor)}]
    return result


def _place(finding: Finding, redactor: Redactor) -> dict[str, Any]:
    place: dict[str, Any] = {
        "artifactLocation": {"uri": quote(_text(finding.file, redactor), safe="/"), "uriBaseId": "%SRCROOT%"}
    }
    if finding.line and finding.line > 0:
        place["region"] = {"startLine": finding.line}
    return place


def _text(text: str, redactor: Redactor) -> str:
    """Return a text, cleaned and cut. It is cleaned before it is cut, as half a secret is not recognised."""
    return redactor.clean(text)[:LONGEST]
