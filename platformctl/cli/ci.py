"""`platformctl ci init`."""

import click

from platformctl import __version__
from platformctl.cli import wiring
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.gitinfo import Repository
from platformctl.model.forge import ForgeKind
from platformctl.model.reports import NoteReport
from platformctl.pipelines.files import Pipeline
from platformctl.workflows.ci import CiRequest, ci_init

_KINDS = [kind.value for kind in ForgeKind]
_USUAL = (ForgeKind.FORGEJO.value, ForgeKind.GITHUB.value)


@click.group("ci")
def command() -> None:
    """The workflow files of a platform repository."""


@verb("init", ExitCode.NO_CHANGES)
@click.option("--forge", "kinds", type=click.Choice(_KINDS), multiple=True, help="For which; default forgejo, github.")
@click.option("--branch", metavar="NAME", help="The trusted branch; default the one that is checked out.")
@click.option("--from", "install", metavar="REQ", help="What pip installs there; default this version, from an index.")
@click.option("--requirements", default="", metavar="F", help="A file of hashes that pip installs first.")
@click.option("--overwrite", is_flag=True, help="Replace files that somebody edited, too.")
@click.pass_context
def init(
    context: click.Context,
    kinds: tuple[str, ...],
    branch: str | None,
    install: str | None,
    requirements: str,
    overwrite: bool,
) -> NoteReport:
    """Write workflows and actions that plan pull requests, publish, apply and look for drift; see docs/ci.md."""
    repository = Repository.discover(wiring.directory(context), wiring.environment())
    pipelines = tuple(
        Pipeline(
            kind=ForgeKind(kind),
            branch=branch or repository.branch().removeprefix("refs/heads/"),
            install=install or f"platformctl[forge]=={__version__}",
            requirements=requirements,
        )
        for kind in kinds or _USUAL
    )
    return ci_init(CiRequest(repository.root, pipelines, overwrite))


command.add_command(init)
