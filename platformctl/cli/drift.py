"""`platformctl drift`."""

import click

from platformctl.cli import wiring
from platformctl.cli.options import modules_argument
from platformctl.cli.verb import chosen, verb
from platformctl.errors import ExitCode
from platformctl.model.reports import DriftReport
from platformctl.workflows import drift as workflow


@verb("drift", ExitCode.NO_CHANGES, ExitCode.CHANGES_PRESENT, ExitCode.INVALID_INPUT, ExitCode.UNREACHABLE)
@modules_argument
@click.option("--all", "everything", is_flag=True, help="Every module; the same as naming none.")
@click.pass_context
def command(context: click.Context, modules: tuple[str, ...], everything: bool) -> DriftReport:
    """Say where hosts are no longer what was applied last: containers, engine settings, files, images and values."""
    chosen(context).leave("drift")
    return workflow.drift(wiring.parts(context), () if everything else modules)
