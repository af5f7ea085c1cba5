"""`platformctl history`."""

import click

from platformctl.cli import wiring
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import HistoryReport
from platformctl.workflows import status as workflow


@verb("history", ExitCode.NO_CHANGES, ExitCode.INVALID_INPUT, ExitCode.UNREACHABLE, ExitCode.WRONG_HOST)
@click.argument("module")
@click.pass_context
def command(context: click.Context, module: str) -> HistoryReport:
    """Say what was applied of MODULE, newest first."""
    return workflow.history(wiring.parts(context), module)
