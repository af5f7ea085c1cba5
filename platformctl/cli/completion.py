"""`platformctl completion`."""

import click
from click.shell_completion import get_completion_class

from platformctl.cli.verb import verb
from platformctl.errors import ExitCode, ToolError
from platformctl.model.reports import TextReport


@verb("completion", ExitCode.NO_CHANGES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> TextReport:
    """Print the completion script for SHELL; source it."""
    from platformctl.cli.table import platformctl

    kind = get_completion_class(shell)
    if kind is None:
        raise ToolError("click does not complete for this shell", detail=shell)
    return TextReport(text=kind(platformctl(), {}, "platformctl", "_PLATFORMCTL_COMPLETE").source())
