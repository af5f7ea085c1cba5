"""`platformctl status-check`."""

from pathlib import Path

import click

from platformctl.cli.forge_options import forge_options, forge_to_write
from platformctl.cli.options import PATH
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode, Usage
from platformctl.model.forge import CheckState
from platformctl.model.names import GitSha
from platformctl.model.reports import NoteReport
from platformctl.workflows.status_check import StatusRequest, status_check


@verb("status-check", ExitCode.NO_CHANGES, ExitCode.INVALID_INPUT, ExitCode.UNREACHABLE)
@click.option("--sha", required=True, metavar="SHA", help="The full commit id.")
@click.option("--context", "name", default="platformctl/apply", show_default=True, metavar="NAME", help="Its name.")
@click.option("--state", type=click.Choice([state.value for state in CheckState]), help="How it stands.")
@click.option("--result", type=PATH, metavar="F", help="As the run's --result-file says.")
@click.option("--description", default="", metavar="WORDS", help="A few words beside it.")
@click.option("--link", default="", metavar="URL", help="Where more is to be seen.")
@forge_options
def command(
    sha: str,
    name: str,
    state: str | None,
    result: Path | None,
    description: str,
    link: str,
    kind: str,
    forge_url: str | None,
    repository: str | None,
) -> NoteReport:
    """Set the status of a commit, by hand or as a run's result file says."""
    if (state is None) == (result is None):
        raise Usage("it is not said how it stands", detail="one of --state and --result", hint="give one of them")
    request = StatusRequest(
        commit=GitSha.parse(sha),
        name=name,
        state=CheckState(state) if state else None,
        result=result,
        description=description,
        link=link,
    )
    return status_check(forge_to_write(kind, forge_url, repository), request)
