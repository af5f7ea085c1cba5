"""What the documents say is so: links lead to files, commands exist, and a row's tests are there to be run."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

from platformctl.cli.table import platformctl

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
REQUIREMENTS = ROOT / "docs/requirements.md"
ROWS = [*(f"P{number}" for number in range(1, 63)), "D6", "D7", "D22", "V39", "V40"]

LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
COMMAND = re.compile(r"^(?:sudo )?(platformctl .+)$", re.MULTILINE)
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELL_OPERATORS = {"|", "||", "&&", ";", ">"}
CODE = re.compile(r"`([^`]+)`")
ELSEWHERE = re.compile(
    r"""(?:^|[\s"'`=(:])/work/|\b(?:pypi|pythonhosted|debian|ubuntu|npmjs|golang)\.(?:org|com)\b|\bregistry-1\.docker\.io\b""",
    re.MULTILINE,
)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def commands() -> Iterator[tuple[str, list[str]]]:
    """The words of every command of ours in a document's shell blocks, without what the shell does with its end."""
    for document in DOCUMENTS:
        for block in SHELL_BLOCK.findall(document.read_text()):
            for line in COMMAND.findall(block):
                words = shlex.split(line, comments=True)[1:]
                yield relative(document), list(takewhile(lambda word: word not in SHELL_OPERATORS, words))


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and the rest of the words."""
    command: click.Command = platformctl()
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
    return command, words


def requirement_rows() -> Iterator[tuple[str, str, str]]:
    """Name, `where` and `test` of each row."""
    for line in REQUIREMENTS.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"[PDV]\d+", cells[0]):
            yield cells[0], cells[2], cells[3]


REQUIREMENT_ROWS = list(requirement_rows())


def tracked() -> list[Path]:
    listed = subprocess.run(("git", "ls-files", "-z"), cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_links_lead_to_files(document: Path) -> None:
    targets = [target for target in LINK.findall(document.read_text()) if "://" not in target]

    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("words", [words for _, words in commands()], ids=" ".join)
def test_commands_in_documents_are_known(words: list[str]) -> None:
    command, rest = resolve(words)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}

    assert {word.partition("=")[0] for word in rest if word.startswith("-")} <= known | {"--help"}


def test_the_readme_shows_the_main_commands() -> None:
    shown = {words[0] for document, words in commands() if document == "README.md"}

    assert {"init", "validate", "plan", "approve", "apply", "status", "rollback"} <= shown


def test_every_requirement_has_its_row() -> None:
    assert [name for name, _, _ in REQUIREMENT_ROWS] == ROWS


@pytest.mark.parametrize(
    ("name", "where", "test"), list(requirement_rows()), ids=[row[0] for row in requirement_rows()]
)
def test_a_row_names_files_and_tests_that_exist_or_says_later(name: str, where: str, test: str) -> None:
    assert where.startswith("later") or CODE.findall(where), f"{name} says nowhere where it is"
    for path in CODE.findall(where):
        assert (ROOT / path).exists(), f"{name}: {path}"
    for reference in CODE.findall(test):
        path, *_, function = reference.split("::")
        assert re.search(rf"^\s*def {function}\(", (ROOT / path).read_text(), re.MULTILINE), reference


def test_agents_md_stays_one_page() -> None:
    assert len((ROOT / "AGENTS.md").read_text().splitlines()) <= 120


def test_no_file_speaks_of_a_package_index_or_of_this_machine() -> None:
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "ignore")
        found += [f"{relative(path)}: {match.group().strip()}" for match in ELSEWHERE.finditer(text)]

    assert found == []


@pytest.mark.parametrize("text", ["see /wo" + "rk/shared", "path='/wo" + "rk/main'", "https://pypi" + ".org/simple"])
def test_such_a_file_would_be_found(text: str) -> None:
    assert ELSEWHERE.search(text)
