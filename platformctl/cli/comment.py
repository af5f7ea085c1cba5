"""`platformctl comment`."""

from pathlib import Path

import click

from platformctl.cli import printing, wiring
from platformctl.cli.forge_options import forge_options, forge_to_write
from platformctl.cli.options import PATH
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode, Usage
from platformctl.model.reports import NoteReport
from platformctl.workflows import comment as workflow


@verb("comment", ExitCode.NO_CHANGES, ExitCode.INVALID_INPUT, ExitCode.UNREACHABLE)
@click.argument("plans", type=PATH, nargs=-1, metavar="[PLAN]...")
@click.option("--pr", "number", type=click.IntRange(min=1), metavar="N", help="Below this pull request.")
@click.option("--result", "results", type=PATH, multiple=True, metavar="F", help="What came of it (--result-file).")
@click.option("--issue", metavar="TITLE", help="In the issue of this title instead, opened where there is none.")
@click.option("--text", type=PATH, metavar="F", help="With --issue: the output of -o markdown.")
@forge_options
@click.pass_context
def command(
    context: click.Context,
    plans: tuple[Path, ...],
    number: int | None,
    results: tuple[Path, ...],
    issue: str | None,
    text: Path | None,
    kind: str,
    forge_url: str | None,
    repository: str | None,
) -> NoteReport:
    """Show plans below a pull request, one comment a host, edited in place; those of older commits become stale."""
    if (number is None) == (issue is None):
        raise Usage("it is not said where", detail="one of --pr and --issue", hint="platformctl comment --pr N PLAN…")
    forge = forge_to_write(kind, forge_url, repository)
    if issue is not None:
        return workflow.note(forge, issue, printing.clean(_read(text)))
    request = workflow.CommentRequest(number or 0, plans, results)
    return workflow.comment(wiring.parts(context), forge, request, printing.markdown_of)


def _read(text: Path | None) -> str:
    if text is None:
        raise Usage("there is nothing to say", hint="platformctl comment --issue TITLE --text F")
    try:
        return text.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage("the text can not be read", detail=str(text), hint="name another file") from error
