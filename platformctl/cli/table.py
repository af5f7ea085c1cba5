"""The table of verbs. A verb's file is imported when that verb is used, never for the list of verbs."""

import gc
import os
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from platformctl import __version__
from platformctl.cli.verb import global_options

VERBS: Mapping[str, tuple[str, str]] = {
    "init": ("init", "Scaffold a platform repository."),
    "validate": ("validate", "Check manifests, references and policy; needs no host."),
    "plan": ("plan", "Say what would change, and sign it."),
    "show": ("show", "Render a plan."),
    "verify": ("verify", "Check a plan without applying it."),
    "explain": ("explain", "Say what differs from a plan by now."),
    "approve": ("approve", "Sign an approval of a plan."),
    "apply": ("apply", "Verify, plan again, run, and prove."),
    "rollback": ("rollback", "Plan and apply the way back."),
    "import": ("import_", "Adopt what already runs."),
    "status": ("status", "Say what runs."),
    "observe": ("observe", "Sign what hosts look like, to plan from elsewhere."),
    "drift": ("drift", "Say where hosts are no longer what was applied."),
    "stray": ("stray", "List containers that belong to no module."),
    "history": ("history", "Say what was applied."),
    "recover": ("recover", "Settle an apply whose end nobody saw."),
    "unquarantine": ("unquarantine", "Let a rolled back release be planned again."),
    "lock": ("lock", "Keep everybody from applying on a host."),
    "unlock": ("unlock", "Take back a lock made by hand."),
    "doctor": ("doctor", "Check hosts."),
    "host": ("host", "Pin a host, or prepare a new one."),
    "audit": ("audit", "Show or verify the audit chain."),
    "ci": ("ci", "Write the workflow files of a pipeline."),
    "comment": ("comment", "Show plans below a pull request."),
    "status-check": ("status_check", "Set the status of a commit."),
    "redact": ("redact", "Take secrets out of a log: stdin to stdout."),
    "schema": ("schema", "Print the schemas of the files people write."),
    "exit-codes": ("exit_codes", "Print the table of exit codes."),
    "completion": ("completion", "Print the shell's completion script."),
}


class Table(click.Group):
    """A group whose commands are loaded when used."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.params.extend(global_options())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs, in the order in which they are used."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one verb's file; None for an unknown verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"platformctl.cli.{VERBS[cmd_name][0]}").command
        gc.freeze()
        gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in VERBS.items()])


def platformctl() -> Table:
    """Return the whole command line."""
    return Table(
        name="platformctl",
        params=[click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version)],
        help="Plan, approve, apply and prove Docker Compose services on your own hosts.",
        context_settings={"help_option_names": ["-h", "--help"], "terminal_width": _help_width()},
        no_args_is_help=True,
    )


def _help_width() -> int:
    """Return COLUMNS, or else the terminal's width, within reason.

    Click would ask shutil, which imports every archive format.
    """
    columns = 80
    with suppress(OSError, ValueError):
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
    return max(50, min(columns, 110) - 2)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"platformctl {__version__}")
        ctx.exit()
