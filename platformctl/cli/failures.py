"""What went wrong, as a report: refusals in their own words, mistakes of ours by kind and place alone."""

import click

from platformctl.errors import ExitCode, OutcomeUnknown, Refusal, Usage
from platformctl.model.reports import ErrorReport


def report_of(error: BaseException) -> ErrorReport:
    """Return the report of anything that was raised."""
    match error:
        case click.ClickException():
            detail = error.format_message()
            return ErrorReport.of(Usage("the command line can not be understood", detail=detail, hint=_help(error)))
        case Refusal():
            return ErrorReport.of(error)
        case OutcomeUnknown():
            return _failed(ExitCode.REMOTE_FAILED, error.summary, error.detail, "platformctl recover", error.host)
        case click.Abort() | KeyboardInterrupt():
            return _failed(ExitCode.INTERRUPTED, "interrupted", "no container was touched")
        case _:
            hint = "run it again with -v, and report what it says"
            return _failed(ExitCode.TOOL_ERROR, "platformctl made a mistake", _where(error), hint)


def _failed(code: ExitCode, summary: str, detail: str, hint: str = "", host: str | None = None) -> ErrorReport:
    return ErrorReport(
        exit_code=code, code=int(code), name=code.name, reason="", summary=summary, detail=detail, hint=hint, host=host
    )


def _where(error: BaseException) -> str:
    """Return kind and place of an unexpected exception; its text may hold anything, so it is not shown."""
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    code = place.tb_frame.f_code if place else None
    where = f" in {code.co_filename.rpartition('/')[2]}:{place.tb_lineno}" if code and place else ""
    return f"{type(error).__name__}{where}"


def _help(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{context.command_path if context else 'platformctl'} --help"
