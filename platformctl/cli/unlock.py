"""`platformctl unlock`."""

import click

from platformctl.cli import wiring
from platformctl.cli.lock import HOST_CODES
from platformctl.cli.verb import verb
from platformctl.model.reports import NoteReport
from platformctl.workflows import upkeep as workflow


@verb("unlock", *HOST_CODES)
@click.argument("host")
@click.option("--reason", default="", help="Why, for the audit chain.")
@click.pass_context
def command(context: click.Context, host: str, reason: str) -> NoteReport:
    """Take back the lock that a person put on HOST; a running apply's is not touched."""
    return workflow.unlock(wiring.parts(context), host, reason)
