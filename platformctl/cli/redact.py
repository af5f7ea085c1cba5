"""`platformctl redact`."""

import os
import sys
from pathlib import Path

import click

from platformctl.cli.options import PATH
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode, ToolError
from platformctl.model.reports import TextReport
from platformctl.model.secret import Secret
from platformctl.redaction import Redactor

_CHUNK = 1 << 16


@verb("redact", ExitCode.NO_CHANGES)
@click.option("--known", type=PATH, metavar="FILE", help="Secrets to take out, one a line.")
def command(known: Path | None) -> TextReport:
    """Take secrets out of a log and make hidden characters visible: from stdin to stdout, as it comes."""
    stream = Redactor(_secrets(known)).stream()
    while chunk := os.read(sys.stdin.fileno(), _CHUNK):
        _pass_on(stream.feed(chunk))
    _pass_on(stream.finish())
    return TextReport(raw=b"")


def _pass_on(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def _secrets(known: Path | None) -> list[Secret]:
    if known is None:
        return []
    try:
        return [Secret(line) for line in known.read_text("utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError("the file of known secrets can not be read", detail=str(known)) from error
