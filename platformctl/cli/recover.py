"""`platformctl recover`."""

from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.options import key_option
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import RecoverReport
from platformctl.workflows import recover as workflow

_CODES = (ExitCode.REMOTE_FAILED, ExitCode.UNREACHABLE, ExitCode.LOCKED, ExitCode.WRONG_HOST)


@verb("recover", ExitCode.NO_CHANGES, *_CODES)
@key_option("Your key, for the receipt of what was applied; default as with approve.")
@click.pass_context
def command(context: click.Context, key: Path | None) -> RecoverReport:
    """Settle applies whose end nobody saw, by looking at the hosts; no container is touched.

    What was applied gets its receipt where it is exactly what its commit says, and works. Ends with 8 when what runs is
    neither what was planned nor what was there before.
    """
    parts = wiring.parts(context)
    return workflow.recover(parts, lambda: wiring.person_key(key, parts.repository))
