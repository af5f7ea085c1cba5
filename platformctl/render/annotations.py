"""Findings as a runner's workflow commands (`::error file=…,line=…::…`), so that they show at the lines of a change.

Nobody else can put commands there: what others wrote is cleaned first and then escaped as runners ask for it.
"""

from platformctl.model.finding import Finding
from platformctl.model.reports import Report
from platformctl.redaction import Redactor
from platformctl.render.findings import found

MOST = 10
"""How many annotations a step has; runners show no more."""
LONGEST = 1000
"""How many characters one message has at most."""


def render(report: Report, redactor: Redactor) -> str:
    """Return one line for each finding that counts, worst first; a waived one needs nobody's attention here."""
    counting = [finding for finding in found(report) if finding.waiver is None]
    return "".join(_line(finding, redactor) + "\n" for finding in counting[:MOST])


def _line(finding: Finding, redactor: Redactor) -> str:
    command = "warning" if finding.severity == "warn" else "error"
    place = {"file": finding.file, "line": str(finding.line or ""), "title": f"{finding.rule} {finding.module}".strip()}
    told = ",".join(f"{key}={_property(value, redactor)}" for key, value in place.items() if value)
    return f"::{command} {told}::{_data(f'{finding.message} {finding.hint}'.strip(), redactor)}"


def _data(text: str, redactor: Redactor) -> str:
    """Return a message, cleaned and escaped. It is cleaned before it is cut, as half a secret is not recognised."""
    clean = redactor.clean(text)
    cut = clean if len(clean) <= LONGEST else f"{clean[:LONGEST]}…"
    return cut.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str, redactor: Redactor) -> str:
    return _data(text, redactor).replace(":", "%3A").replace(",", "%2C")
