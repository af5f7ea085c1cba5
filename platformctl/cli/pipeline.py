"""What a run in a pipeline leaves beside its output: outcome and outputs, a step summary, annotations, SARIF.

All of it is made of the report that is printed. Nothing here changes how the command ends: what can not be written is
said on stderr.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from platformctl.cli import printing, result_file
from platformctl.cli.verb import Chosen
from platformctl.model.reports import Report
from platformctl.store.files import write_atomically

SUMMARY = 1 << 20
"""How many bytes of a step summary runners take."""
_SUMMARIES = ("GITHUB_STEP_SUMMARY", "FORGEJO_STEP_SUMMARY")


def told(report: Report, chosen: Chosen) -> Report:
    """Leave everything that was asked for; the report is returned, with a warning where its outcome was lost."""
    if chosen.verb != "validate":
        report = result_file.written(report, chosen.verb, chosen.result_file, chosen.plan)
    try:
        _leave(report, chosen.sarif, os.environ)
    except Exception as error:  # noqa: BLE001 - the report itself is still to be printed, whatever goes wrong here
        why = getattr(error, "strerror", None) or type(error).__name__
        printing.progress(f"! the pipeline could not be told: {why}")
    return report


def _leave(report: Report, sarif: Path | None, environment: Mapping[str, str]) -> None:
    if environment.get("GITHUB_ACTIONS") == "true":  # Forgejo's and Gitea's runners say so too
        printing.log_line(printing.annotations(report))
    if sarif is not None:
        write_atomically(sarif, printing.sarif(report).encode("utf-8", "backslashreplace"), 0o644)
    for path in dict.fromkeys(environment[name] for name in _SUMMARIES if environment.get(name)):  # Forgejo's: one file
        _summarise(Path(path), printing.markdown_of(report).encode("utf-8", "backslashreplace"))


def _summarise(path: Path, text: bytes) -> None:
    """Add to the summary, unless it would become too long: a runner then drops all of it."""
    size = path.stat().st_size if path.exists() else 0
    if size + len(text) >= SUMMARY:
        printing.progress("! the step summary is full")
        return
    with path.open("ab") as summary:
        summary.write(text)
