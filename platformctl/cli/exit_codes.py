"""`platformctl exit-codes`."""

from platformctl.cli.verb import verb
from platformctl.errors import EXIT_CODES, ExitCode
from platformctl.model.reports import ExitCodesReport


@verb("exit-codes", ExitCode.NO_CHANGES)
def command() -> ExitCodesReport:
    """Print the table of exit codes."""
    rows = (
        {
            "code": int(code),
            "name": code.name,
            "meaning": row.meaning,
            "touched": row.touched.value,
            "reasons": list(row.reasons),
        }
        for code, row in EXIT_CODES.items()
    )
    return ExitCodesReport(codes=tuple(rows))
