"""`platformctl unlock`."""

import click

from platformctl.cli import wiring
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import NoteReport
from platformctl.workflows import upkeep as workflow


@verb("unlock", ExitCode.NO_CHANGES, ExitCode.UNREACHABLE, ExitCode.LOCKED, ExitCode.WRONG_HOST)
@click.argument("host")
@click.pass_context
def command(context: click.Context, host: str) -> NoteReport:
    """Take back the lock that a person put on HOST; a running apply's is not touched."""
    return workflow.unlock(wiring.parts(context), host)
