"""`platformctl audit show` and `platformctl audit verify`."""

import click

from platformctl.cli import wiring
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import AuditReport
from platformctl.workflows import upkeep as workflow


@click.group("audit")
def command() -> None:
    """Show or verify the audit chain."""


@verb("show", ExitCode.NO_CHANGES)
@click.pass_context
def show(context: click.Context) -> AuditReport:
    """Show the records of this clone's chain."""
    return workflow.audit_show(wiring.parts(context))


@verb("verify", ExitCode.NO_CHANGES, ExitCode.UNREACHABLE)
@click.pass_context
def verify(context: click.Context) -> AuditReport:
    """Check this clone's chain and every host's, and name what was changed, removed or added."""
    return workflow.audit_verify(wiring.parts(context))


command.add_command(show)
command.add_command(verify)
