"""`platformctl stray list`."""

import click

from platformctl.cli import wiring
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import StrayReport
from platformctl.workflows import stray as workflow


@click.group("stray")
def command() -> None:
    """Containers that belong to no module."""


@verb("list", ExitCode.NO_CHANGES, ExitCode.UNREACHABLE)
@click.pass_context
def list_(context: click.Context) -> StrayReport:
    """List containers made from below a host's root that no module names or needs; none is ever touched."""
    return workflow.strays(wiring.parts(context))


command.add_command(list_)
