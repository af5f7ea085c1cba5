"""Which forge, and which repository there: from options, or else from a runner's environment."""

import os
from collections.abc import Callable
from typing import Any

import click

from platformctl.cli import wiring
from platformctl.errors import Usage
from platformctl.forges.interface import Forge
from platformctl.model.forge import ForgeAddress, ForgeKind, ForgeRepository, ForgeUrl


def forge_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--forge`, `--forge-url` and `--repository` to a command."""
    kinds = [kind.value for kind in ForgeKind]
    options = (
        click.option("--forge", "kind", type=click.Choice(kinds), required=True, help="Which program it is."),
        click.option("--forge-url", metavar="URL", help="Where it is; default GITHUB_SERVER_URL, as on a runner."),
        click.option("--repository", metavar="OWNER/NAME", help="Default GITHUB_REPOSITORY, as on a runner."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def forge_to_write(kind: str, url: str | None, repository: str | None) -> Forge:
    """Return the forge that is meant, ready to be written to.

    Raises `Usage` when the forge or repository is not named, or there is no token to write with.
    """
    which = ForgeKind(kind)
    if wiring.forge_token(which) is None:
        raise Usage("there is no token for the forge", detail=f"{which.name}_TOKEN is not set", hint="docs/ci.md")
    address = ForgeAddress(
        which,
        ForgeUrl.parse(_told(which, url, "SERVER_URL", "--forge-url").rstrip("/")),
        ForgeRepository.parse(_told(which, repository, "REPOSITORY", "--repository")),
    )
    return wiring.forge(address)


def _told(kind: ForgeKind, given: str | None, name: str, option: str) -> str:
    """Return what the option says, or else the runner; Forgejo's runner sets it under both names."""
    found = given or os.environ.get(f"{kind.name}_{name}") or os.environ.get(f"GITHUB_{name}")
    if not found:
        raise Usage("it is not said which forge", detail=f"no {option}, no GITHUB_{name}", hint=f"give {option}")
    return found
