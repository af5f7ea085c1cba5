"""`platformctl import`."""

from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.options import key_option
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import NoteReport
from platformctl.workflows import adopt as workflow


@verb(
    "import",
    ExitCode.NO_CHANGES,
    ExitCode.POLICY_VIOLATION,
    ExitCode.STALE_PLAN,
    ExitCode.INVALID_INPUT,
    ExitCode.UNREACHABLE,
    ExitCode.LOCKED,
    ExitCode.WRONG_HOST,
)
@click.argument("module")
@key_option("Your key, for the receipt; default as with approve.")
@click.pass_context
def command(context: click.Context, module: str, key: Path | None) -> NoteReport:
    """Adopt what already runs of MODULE, when it is exactly what HEAD says."""
    parts = wiring.parts(context)
    return workflow.import_module(parts, workflow.ImportRequest(module, wiring.person_key(key, parts.repository)))
