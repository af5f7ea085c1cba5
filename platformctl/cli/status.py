"""`platformctl status`."""

import click

from platformctl.cli import wiring
from platformctl.cli.options import modules_argument
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import StatusReport
from platformctl.workflows import status as workflow


@verb("status", ExitCode.NO_CHANGES, ExitCode.INVALID_INPUT, ExitCode.UNREACHABLE)
@modules_argument
@click.pass_context
def command(context: click.Context, modules: tuple[str, ...]) -> StatusReport:
    """Say what runs of each module and what was applied last, as the hosts themselves tell it."""
    return workflow.status(wiring.parts(context), modules)
