"""From words to an exit code: parse, run one workflow, print its report. Every failure is a report too."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import click

from platformctl.cli.table import platformctl
from platformctl.cli.verb import GLOBAL
from platformctl.errors import ExitCode, OutcomeUnknown, Refusal, Usage
from platformctl.model.reports import ErrorReport, Report


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    chosen: dict[str, Any] = {"output": "json" if _wants_json(words) else "human"}
    try:
        report = _report(words, chosen)
    except click.exceptions.Exit as done:
        return done.exit_code
    if report is None:
        return int(ExitCode.NO_CHANGES)
    _write(report, chosen)
    return int(report.exit_code)


def _report(words: Sequence[str], chosen: dict[str, Any]) -> Report | None:
    try:
        command = platformctl()
        with command.make_context("platformctl", list(words)) as context:
            context.obj = chosen
            chosen.update(context.meta.setdefault(GLOBAL, chosen))
            context.meta[GLOBAL] = chosen
            result = command.invoke(context)
            return result if isinstance(result, Report) else None
    except click.exceptions.Exit:
        raise
    except click.Abort:
        return _failed(ExitCode.INTERRUPTED, "interrupted", "nothing was changed")
    except KeyboardInterrupt:
        return _failed(ExitCode.INTERRUPTED, "interrupted", "nothing was changed")
    except click.ClickException as error:
        return refused(
            Usage("the command line can not be understood", detail=error.format_message(), hint=_hint(error))
        )
    except Refusal as refusal:
        return refused(refusal)
    except OutcomeUnknown as lost:
        return _failed(ExitCode.REMOTE_FAILED, lost.summary, lost.detail, "platformctl recover", lost.host)
    except Exception as error:  # noqa: BLE001 - a mistake of ours is reported as one, never as a traceback
        return _failed(ExitCode.TOOL_ERROR, "platformctl made a mistake", _where(error), "report this with -v's output")


def refused(refusal: Refusal) -> ErrorReport:
    """The report of a refusal."""
    code = refusal.exit_code
    return ErrorReport(
        exit_code=code,
        code=int(code),
        name=code.name,
        reason=refusal.reason,
        summary=refusal.summary,
        detail=refusal.detail,
        hint=refusal.hint,
        file=refusal.file,
        line=refusal.line,
        host=refusal.host,
    )


def _failed(code: ExitCode, summary: str, detail: str, hint: str = "", host: str | None = None) -> ErrorReport:
    return ErrorReport(
        exit_code=code, code=int(code), name=code.name, reason="", summary=summary, detail=detail, hint=hint, host=host
    )


def _where(error: BaseException) -> str:
    """Kind and place of an unexpected exception; its text may hold anything, so it is not shown."""
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    code = place.tb_frame.f_code if place else None
    where = f" in {code.co_filename.rpartition('/')[2]}:{place.tb_lineno}" if code and place else ""
    return f"{type(error).__name__}{where}"


def _hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{context.command_path if context else 'platformctl'} --help"


def _wants_json(words: Sequence[str]) -> bool:
    """Whether the words ask for JSON, read before parsing so that a usage error comes in the asked form too."""
    pairs = pairwise(words)
    return "--json" in words or "-ojson" in words or any(pair in _JSON_PAIRS for pair in pairs)


_JSON_PAIRS = (("-o", "json"), ("--output", "json"))


def _write(report: Report, chosen: Mapping[str, Any]) -> None:
    """Print the report: the result on stdout, a person's error on stderr, JSON always on stdout."""
    from platformctl.cli import printing

    json = chosen.get("as_json") or chosen.get("output") == "json"
    with suppress(BrokenPipeError):
        printing.write(report, json=bool(json), color=not chosen.get("no_color"))
        return
    _forget(sys.stdout)


def _forget(stream: Any) -> None:
    """The reader went away: what is left in the buffer goes nowhere, and the exit code stays what it was."""
    import os

    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
