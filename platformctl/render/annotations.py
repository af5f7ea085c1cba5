"""Findings as a runner's workflow commands (`::error file=…,line=…::…`), so that they stand at the lines of a change.

The commands are ours alone: what others wrote is cleaned first and then escaped as runners ask for it.
"""

from platformctl.model.desired import Finding
from platformctl.model.reports import Report
from platformctl.redaction import Redactor
from platformctl.render.findings import found

MOST = 10
"""Runners show no more of one step."""
LONGEST = 1000
"""Characters of one message."""


def render(report: Report, redactor: Redactor) -> str:
    """One line for each finding that counts, worst first; a waived one needs nobody's eyes here."""
    counting = [finding for finding in found(report) if finding.waiver is None]
    return "".join(_line(finding, redactor) + "\n" for finding in counting[:MOST])


def _line(finding: Finding, redactor: Redactor) -> str:
    command = "warning" if finding.severity == "warn" else "error"
    place = {"file": finding.file, "line": str(finding.line or ""), "title": f"{finding.rule} {finding.module}".strip()}
    told = ",".join(f"{key}={_property(value, redactor)}" for key, value in place.items() if value)
    return f"::{command} {told}::{_data(f'{finding.message} {finding.hint}'.strip(), redactor)}"


def _data(text: str, redactor: Redactor) -> str:
    """Cleaned before it is cut: half of a secret could not be recognised any more."""
    clean = redactor.clean(text)
    cut = clean if len(clean) <= LONGEST else f"{clean[:LONGEST]}…"
    return cut.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str, redactor: Redactor) -> str:
    return _data(text, redactor).replace(":", "%3A").replace(",", "%2C")
