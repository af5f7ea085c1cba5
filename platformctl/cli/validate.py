"""`platformctl validate`."""

from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.options import modules_argument, sarif_option
from platformctl.cli.verb import chosen, verb
from platformctl.errors import ExitCode
from platformctl.model.reports import ValidateReport
from platformctl.workflows import validate as workflow


@verb("validate", ExitCode.NO_CHANGES, ExitCode.POLICY_VIOLATION, ExitCode.INVALID_INPUT)
@modules_argument
@sarif_option
@click.pass_context
def command(context: click.Context, modules: tuple[str, ...], sarif: Path | None) -> ValidateReport:
    """Check schemas, references and policy of the working tree; asks no host and no network."""
    chosen(context).leave("validate", sarif=sarif)
    return workflow.validate(wiring.parts(context), modules)
