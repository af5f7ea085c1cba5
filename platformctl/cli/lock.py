"""`platformctl lock`."""

import click

from platformctl.cli import wiring
from platformctl.cli.options import Reason
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import NoteReport
from platformctl.workflows import upkeep as workflow

HOST_CODES = (
    ExitCode.NO_CHANGES,
    ExitCode.POLICY_VIOLATION,
    ExitCode.UNREACHABLE,
    ExitCode.LOCKED,
    ExitCode.WRONG_HOST,
)
"""How a command about one named host may end."""


@verb("lock", *HOST_CODES)
@click.argument("host")
@click.option("--reason", type=Reason(), metavar="TEXT", required=True, help="Why, for whoever finds it locked.")
@click.pass_context
def command(context: click.Context, host: str, reason: str) -> NoteReport:
    """Keep everybody from applying on HOST until somebody unlocks it."""
    return workflow.lock(wiring.parts(context), host, reason)
