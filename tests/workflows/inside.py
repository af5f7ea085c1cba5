"""The parts of the program in this process, for what no process of its own can be made to meet: its hosts are real."""

from collections.abc import Callable
from dataclasses import replace

import click

from platformctl.cli import wiring
from platformctl.cli.verb import chosen
from platformctl.transports.interface import Transport
from platformctl.transports.table import transport_for
from platformctl.workflows.parts import Parts
from tests.platform_repo import PlatformRepo


def parts_of(repo: PlatformRepo, way: Callable[[Transport], Transport]) -> Parts:
    """As the command line builds them for the repository, but that `way` stands before what reaches a host."""
    context = click.Context(click.Command("inside"))
    chosen(context).directory = str(repo.root)
    parts, environment = wiring.parts(context), repo.environment
    return replace(parts, environment=environment, reach=lambda entry: way(transport_for(entry, environment)))
