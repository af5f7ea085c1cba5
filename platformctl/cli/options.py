"""Types and options that several verbs share."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from platformctl.model.duration import seconds

_DURATION = re.compile(r"\d{1,6}[smhd]\Z", re.ASCII)

PATH = click.Path(path_type=Path)


class Duration(click.ParamType[int]):
    """A duration such as `30s`, `5m`, `24h` or `7d`, as whole seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds; raise click's usage error for anything else."""
        if isinstance(value, int):
            return value
        if _DURATION.match(str(value)) is None:
            self.fail("write a number and s, m, h or d, such as 30s", param, ctx)
        return seconds(str(value))


class Reason(click.ParamType[str]):
    """Words for whoever finds what was done, and would know nothing by blanks."""

    name = "reason"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the words; raise click's usage error where there are none."""
        if not str(value).strip():
            self.fail("say why", param, ctx)
        return str(value)


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def trust_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--trust-ref` and `--trust-root`: where policy, hosts and signers come from."""
    ref = click.option("--trust-ref", metavar="REF", help="Read the trust roots at REF instead of origin/HEAD.")
    root = click.option("--trust-root", type=PATH, metavar="DIR", help="Read the trust roots from DIR.")
    return ref(root(function))


def key_option(words: str) -> Decorator:
    """Return the option `--key F`, with `words` as its help."""
    return click.option("--key", type=PATH, metavar="F", help=words)


sarif_option = click.option("--sarif", type=PATH, metavar="F", help="Write the findings to F as SARIF.")
modules_argument = click.argument("modules", nargs=-1, metavar="[MODULE]...")
plan_argument = click.argument("plan", type=PATH)
