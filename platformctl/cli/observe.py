"""`platformctl observe`."""

from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.options import PATH, key_option
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import NoteReport
from platformctl.workflows import observe as workflow


@verb("observe", ExitCode.NO_CHANGES, ExitCode.UNREACHABLE)
@click.option("--out", type=PATH, metavar="F", help="Write it to F; default .platform/observation.json.")
@key_option("The planner's key; default PLATFORMCTL_PLANNER_KEY, or the one that init made.")
@click.pass_context
def command(context: click.Context, out: Path | None, key: Path | None) -> NoteReport:
    """Look at all hosts and sign what was seen, for plans that are made where no host may be reached."""
    request = workflow.ObserveRequest(key=wiring.planner_key(key), out=out)
    return workflow.observe(wiring.parts(context), request)
