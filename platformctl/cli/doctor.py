"""`platformctl doctor`."""

import click

from platformctl.cli import wiring
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import DoctorReport
from platformctl.workflows import doctor as workflow


@verb("doctor", ExitCode.NO_CHANGES, ExitCode.POLICY_VIOLATION, ExitCode.UNREACHABLE, ExitCode.WRONG_HOST)
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.pass_context
def command(context: click.Context, hosts: tuple[str, ...]) -> DoctorReport:
    """Check hosts: key, user, machine, Docker, Compose, disk, root, clock, journal, lock, images and env files."""
    return workflow.doctor(wiring.parts(context), hosts)
