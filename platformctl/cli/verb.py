"""What all verbs share: global options that also stand after the verb, and the exit codes in the help."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from platformctl.errors import ExitCode

FORMS = ("human", "json", "markdown")
"""The forms in which a report can be printed."""


class Chosen:
    """What a command line asks for beside its workflow: the global options, and what a pipeline is left.

    Filled in while the words are read; made by the standard library it would cost `--help` an import.
    """

    directory: str = "."
    output: str = "human"
    as_json: bool = False
    no_color: bool = False
    verbose: bool = False
    quiet: bool = False
    log_format: str = "text"
    verb: str = ""
    plan: "Path | None" = None
    result_file: "Path | None" = None
    sarif: "Path | None" = None
    exit_zero: bool = False

    @property
    def form(self) -> str:
        """One of `FORMS`."""
        return "json" if self.as_json else self.output

    def leave(
        self,
        verb: str,
        *,
        plan: "Path | None" = None,
        result_file: "Path | None" = None,
        sarif: "Path | None" = None,
        exit_zero: bool = False,
    ) -> None:
        """Have the outcome of this verb left for pipelines too, and in these files; `exit_zero` turns 9 into 0."""
        self.verb, self.plan, self.result_file, self.sarif, self.exit_zero = verb, plan, result_file, sarif, exit_zero


def chosen(context: click.Context) -> Chosen:
    """What the command line that is being read asks for."""
    return context.ensure_object(Chosen)


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Remember a global option wherever it stood; the last one counts, as with most programs."""
    source = context.get_parameter_source(parameter.name or "")
    if source is not None and source.name == "COMMANDLINE":
        setattr(chosen(context), str(parameter.name), value)


def _option(*names: str, **settings: Any) -> click.Option:
    return click.Option(list(names), expose_value=False, callback=_keep, is_eager=True, **settings)


def global_options() -> list[click.Parameter]:
    """Return the options that every verb has."""
    return [
        _option("-C", "directory", metavar="DIR", help="Work in DIR."),
        _option("-o", "--output", type=click.Choice(FORMS), help="Form of the result."),
        _option("--json", "as_json", is_flag=True, help="The same as -o json."),
        _option("--no-color", is_flag=True, help="No colours."),
        _option("-v", "--verbose", is_flag=True, help="More on stderr."),
        _option("-q", "--quiet", is_flag=True, help="Nothing but the result."),
        _option("--log-format", type=click.Choice(["text", "json"]), help="Form of the lines on stderr."),
    ]


class Verb(click.Command):
    """A command that knows the global options and says in its help how it may end."""

    def __init__(self, *args: Any, codes: "Sequence[ExitCode]" = (), **settings: Any) -> None:
        from platformctl.errors import EXIT_CODES

        super().__init__(*args, **settings)
        self.codes = tuple(codes)
        self.params.extend(global_options())
        self.epilog = "\b\nExit codes:\n" + "\n".join(
            f"  {int(code):>3}  {code.name}: {EXIT_CODES[code].meaning}" for code in self.codes
        )


def verb(name: str, *codes: "ExitCode") -> Callable[[Callable[..., Any]], Verb]:
    """Return the decorator that makes a function the verb `name`, whose process may end with `codes`.

    Usage errors and our own mistakes are added to them.
    """
    from platformctl.errors import ExitCode

    always = {*codes, ExitCode.USAGE, ExitCode.TOOL_ERROR}
    return click.command(name, cls=Verb, codes=[code for code in ExitCode if code in always])
