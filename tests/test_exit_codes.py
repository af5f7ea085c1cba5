"""One table of exit codes: the enum, what people are told, docs/exit-codes.md and each command's help agree."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from platformctl.cli.table import VERBS, platformctl
from platformctl.cli.verb import Verb
from platformctl.errors import EXIT_CODES, ExitCode, Refusal, Touched, worst

DOCUMENT = Path(__file__).parents[1] / "docs/exit-codes.md"
LINE_OF_HELP = re.compile(r"^\s+(\d+)\s+([A-Z_]+): ", re.MULTILINE)
WITH_CHANGES = {"plan", "drift"}


def rows(columns: int) -> Iterator[tuple[str, ...]]:
    """Table rows of the document that begin with a number and have so many columns."""
    for line in DOCUMENT.read_text().splitlines():
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        if len(cells) == columns and cells[0].isdigit():
            yield cells


def verbs(command: click.Command | None, name: str) -> Iterator[tuple[str, Verb]]:
    """The command, or all commands of a group, by their words."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            yield from verbs(command.get_command(context, word), f"{name} {word}".strip())
    else:
        assert isinstance(command, Verb), f"{name} does not say how it may end"
        yield name, command


def refusals(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    yield kind
    for more in kind.__subclasses__():
        yield from refusals(more)


def test_every_code_has_a_row() -> None:
    assert list(EXIT_CODES) == list(ExitCode)


def test_the_document_has_the_table() -> None:
    assert list(rows(4)) == [
        (str(int(code)), code.name, row.meaning, row.touched.value) for code, row in EXIT_CODES.items()
    ]


def test_the_document_has_the_reasons() -> None:
    assert list(rows(2)) == [
        (str(int(code)), ", ".join(f"`{word}`" for word in row.reasons))
        for code, row in EXIT_CODES.items()
        if row.reasons
    ]


def test_8_to_13_and_no_other_say_that_a_host_may_have_been_touched() -> None:
    assert {int(code) for code, row in EXIT_CODES.items() if row.touched is not Touched.NO} == set(range(8, 14))


def test_no_refusal_has_a_code_that_says_touched() -> None:
    assert {EXIT_CODES[kind.exit_code].touched for kind in refusals()} == {Touched.NO}


@pytest.mark.parametrize("word", VERBS)
def test_the_help_of_a_command_lists_how_it_may_end(word: str) -> None:
    group = platformctl()

    for name, command in verbs(group.get_command(click.Context(group), word), word):
        shown = LINE_OF_HELP.findall(command.get_help(click.Context(command, info_name=name)))

        assert [(int(number), word) for number, word in shown] == [(int(code), code.name) for code in command.codes]
        assert {ExitCode.USAGE, ExitCode.TOOL_ERROR} <= set(command.codes)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        *((name, 65) for name in ("status", "history", "drift", "unquarantine")),
        *((name, 4) for name in ("doctor", "lock", "unlock")),
        *((name, 69) for name in ("history", "status", "unlock")),
    ],
)
def test_what_nobody_knows_or_reaches_is_among_how_a_command_may_end(words: str, code: int) -> None:
    command = platformctl().get_command(click.Context(platformctl()), words)

    assert isinstance(command, Verb)
    assert code in command.codes


def test_only_plan_and_drift_may_say_that_there_are_changes() -> None:
    saying = {name for name, command in verbs(platformctl(), "") if ExitCode.CHANGES_PRESENT in command.codes}

    assert "plan" in saying
    assert saying <= WITH_CHANGES


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((), 0),
        ((0, 0), 0),
        ((0, 69), 69),
        ((69, 3), 3),
        ((77, 69, 75), 77),
        ((69, 77, 4, 65), 65),
        ((3, 11), 11),
        ((5, 69), 69),
        ((7, 5), 7),
    ],
)
def test_the_worst_code_speaks_for_several_and_is_not_the_greatest(codes: tuple[int, ...], expected: int) -> None:
    assert worst(ExitCode(code) for code in codes) == expected
