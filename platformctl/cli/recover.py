"""`platformctl recover`."""

import click

from platformctl.cli import wiring
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import RecoverReport
from platformctl.workflows import recover as workflow

_CODES = (ExitCode.REMOTE_FAILED, ExitCode.UNREACHABLE, ExitCode.LOCKED, ExitCode.WRONG_HOST)


@verb("recover", ExitCode.NO_CHANGES, *_CODES)
@click.pass_context
def command(context: click.Context) -> RecoverReport:
    """Settle applies whose end nobody saw, by looking at the hosts; no container is touched.

    Ends with 8 when what runs is neither what was planned nor what was there before.
    """
    return workflow.recover(wiring.parts(context))
