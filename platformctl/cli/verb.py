"""What all verbs share: global options that also stand after the verb, and the exit codes in the help."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from platformctl.errors import ExitCode

GLOBAL = "platformctl.global"
"""Where the global options are kept in click's `Context.meta`."""
FORMS = ("human", "json", "markdown")
"""Forms of a result."""


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Remember a global option wherever it stood; the last one counts, as with most programs."""
    source = context.get_parameter_source(parameter.name or "")
    if source is not None and source.name == "COMMANDLINE":
        context.meta.setdefault(GLOBAL, {})[parameter.name] = value


def _option(*names: str, **settings: Any) -> click.Option:
    return click.Option(list(names), expose_value=False, callback=_keep, is_eager=True, **settings)


def global_options() -> list[click.Parameter]:
    """The options that every verb knows."""
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
    """Make a function the verb `name`, whose process may end with `codes`; usage errors and our own are added."""
    from platformctl.errors import ExitCode

    always = {*codes, ExitCode.USAGE, ExitCode.TOOL_ERROR}
    return click.command(name, cls=Verb, codes=[code for code in ExitCode if code in always])
