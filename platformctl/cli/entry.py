"""From words to an exit code: parse, run one workflow, print its report. Every failure is a report too.

Reports and the sink are imported when there is something to report: `--help` and `--version` end before that.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from platformctl.cli.table import platformctl
from platformctl.cli.verb import Chosen, global_options

if TYPE_CHECKING:
    from platformctl.model.reports import Report


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    chosen = Chosen()
    try:
        report = _report(words, chosen)
    except click.exceptions.Exit as done:
        return done.exit_code
    if report is None:
        return 0
    try:
        _write(_with_outcome(report, chosen), chosen)
    except Exception as error:  # noqa: BLE001 - what became of a host is known by now, and no mistake of ours changes it
        print(f"the report could not be written: {type(error).__name__}", file=sys.stderr)  # noqa: T201
    applied = report.exit_code.name == "APPLIED"
    return 0 if applied and chosen.exit_zero else int(report.exit_code)


def _report(words: Sequence[str], chosen: Chosen) -> "Report | None":
    try:
        return _answer(words, chosen)
    except click.exceptions.Exit:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every failure becomes a report, never a traceback
        if isinstance(error, BrokenPipeError) and _only_prints(words):
            _forget(sys.stdout)
            return None
        from platformctl.cli import failures

        if isinstance(error, click.UsageError):
            _read_global(words, chosen)
        return failures.report_of(error)


def _only_prints(words: Sequence[str]) -> bool:
    """Return whether the words ask for something that is written at once; elsewhere a broken pipe is a failure."""
    return not words or not {"-h", "--help", "--version", "redact"}.isdisjoint(words)


def _answer(words: Sequence[str], chosen: Chosen) -> "Report | None":
    command = platformctl()
    with command.make_context("platformctl", list(words), obj=chosen) as context:
        result: Report | None = command.invoke(context)
        return result


def _read_global(words: Sequence[str], chosen: Chosen) -> None:
    """Read the global options among words that are no command line, as click does: a usage error comes in the form that
    was asked for, however that was spelled.
    """
    rest = {"ignore_unknown_options": True, "allow_extra_args": True, "resilient_parsing": True}
    alone = click.Command("platformctl", rest, params=global_options(), add_help_option=False)
    with alone.make_context("platformctl", list(words), obj=chosen):
        pass


def _with_outcome(report: "Report", chosen: Chosen) -> "Report":
    """The verbs that pipelines are made of leave more than what they print."""
    if not chosen.verb:
        return report
    from platformctl.cli import pipeline

    return pipeline.told(report, chosen)


def _write(report: "Report", chosen: Chosen) -> None:
    """Print the report: the result on stdout, a person's error on stderr, what programs take always on stdout."""
    from platformctl.cli import printing

    try:
        printing.write(report, form=chosen.form, color=not chosen.no_color)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the exit code says what became of the host
        _forget(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            why = getattr(error, "strerror", None) or type(error).__name__
            printing.progress(f"the report could not be written: {why}")


def _forget(stream: Any) -> None:
    """Send what is left in the stream's buffer nowhere, as nobody reads it; the exit code stays what it was."""
    with suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
