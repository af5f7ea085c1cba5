"""`platformctl recover`."""

import click

from platformctl.cli import wiring
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import RecoverReport
from platformctl.workflows import recover as workflow


@verb("recover", ExitCode.NO_CHANGES, ExitCode.UNREACHABLE, ExitCode.LOCKED, ExitCode.WRONG_HOST)
@click.pass_context
def command(context: click.Context) -> RecoverReport:
    """Settle applies whose end nobody saw, by looking at the hosts; no container is touched."""
    return workflow.recover(wiring.parts(context))
