"""`platformctl unquarantine`."""

from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.options import Reason, key_option
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import NoteReport
from platformctl.workflows import quarantine as workflow


@verb(
    "unquarantine",
    ExitCode.NO_CHANGES,
    ExitCode.POLICY_VIOLATION,
    ExitCode.APPROVAL_MISMATCH,
    ExitCode.INVALID_INPUT,
    ExitCode.UNREACHABLE,
    ExitCode.LOCKED,
    ExitCode.WRONG_HOST,
)
@click.argument("module")
@click.option("--reason", type=Reason(), metavar="TEXT", required=True, help="Why it may be planned again.")
@key_option("Your key; you must be somebody who may approve.")
@click.pass_context
def command(context: click.Context, module: str, reason: str, key: Path | None) -> NoteReport:
    """Let releases of MODULE that were rolled back be planned again."""
    parts = wiring.parts(context)
    request = workflow.LiftRequest(module, reason, wiring.person_key(key, parts.repository))
    return workflow.unquarantine(parts, request)
