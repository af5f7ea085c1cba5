"""The one place that writes to stdout and stderr, through the one sink."""

import os
import sys
import time
from contextlib import suppress
from typing import Any

from platformctl.cli.live import LiveLine
from platformctl.model.reports import ErrorReport, Report, TextReport
from platformctl.redaction import Redactor
from platformctl.render import annotations as as_annotations
from platformctl.render import human, markdown
from platformctl.render import json as as_json
from platformctl.render import sarif as as_sarif

_redactor = Redactor()


def _columns() -> int:
    with suppress(OSError, AttributeError, ValueError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    return 80


def learn(redactor: Redactor) -> None:
    """Take the secrets of this redactor out of everything that is written from now on."""
    global _redactor
    _redactor = redactor


def write(report: Report, *, form: str, color: bool) -> None:
    """Write a report and flush, so that a closed pipe is found out here. The live line ends."""
    live.end()
    if isinstance(report, TextReport) and report.raw is not None:
        sys.stdout.buffer.write(report.raw)
        sys.stdout.buffer.flush()
        return
    stream = sys.stderr if isinstance(report, ErrorReport) and form == "human" else sys.stdout
    if stream is None:
        return  # the caller closed it before we began: nobody reads
    stream.write(_text(report, form, color=color and _shows(stream)))
    stream.flush()


def _text(report: Report, form: str, *, color: bool) -> str:
    match form:
        case "json":
            return as_json.render(report, _redactor)
        case "markdown":
            return markdown.render(report, _redactor)
        case _:
            return _for_people(report, color=color)


def markdown_of(report: Report, limit: int = markdown.LIMIT) -> str:
    """The report as it may be posted."""
    return markdown.render(report, _redactor, limit)


def annotations(report: Report) -> str:
    """Return the report's findings as commands for the runner."""
    return as_annotations.render(report, _redactor)


def sarif(report: Report) -> str:
    """Return the report's findings as SARIF."""
    return as_sarif.render(report, _redactor)


def cleaned(value: Any) -> Any:
    """Return JSON data with every string cleaned."""
    return as_json.cleaned(value, _redactor.clean)


def clean(text: str) -> str:
    """Return a text cleaned by the sink with everything it has learnt so far."""
    return _redactor.clean(text)


def log_line(line: str) -> None:
    """Write one line on stderr that was cleaned already."""
    live.above(line)


def _on_stderr(text: str) -> None:
    """Write to stderr, ignoring a reader that went away or has no room.

    Ignored are also a stream that was closed before we began (`2>&-`), one that lacks a letter, and a signal in the
    middle of a line.
    """
    with suppress(OSError, AttributeError, ValueError, RuntimeError):
        sys.stderr.write(text)
        sys.stderr.flush()


live = LiveLine(_on_stderr, clean=clean, clock=time.monotonic, columns=_columns)
"""What is under way, for a person at a terminal."""


def progress(line: str) -> None:
    """Clean one line and write it on stderr."""
    log_line(clean(line) + "\n")


def _for_people(report: Report, *, color: bool) -> str:
    """Return the report as text: cleaned first and coloured last, as the sink would make our colours visible.

    The text is cleaned as a whole, as a secret may be spread over lines.
    """
    text = clean(human.render(report))
    return human.colored(text) if color else text


def _shows(stream: object) -> bool:
    return bool(getattr(stream, "isatty", bool)()) and "NO_COLOR" not in os.environ
