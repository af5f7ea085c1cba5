"""Verbs that need no host: tables, schemas, completion and the sink as a filter."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from platformctl.errors import EXIT_CODES
from tests.platform_repo import PROGRAM, PlatformRepo

SCHEMAS = Path(__file__).parents[2] / "docs/schemas"
SECRET = "tr0ub4dor-and-three"


def test_the_exit_codes_in_json_are_the_enum(repo: PlatformRepo) -> None:
    codes = repo.run("exit-codes", "-o", "json", expect=0).json["codes"]

    assert codes == [
        {
            "code": int(code),
            "name": code.name,
            "meaning": row.meaning,
            "touched": row.touched.value,
            "reasons": list(row.reasons),
        }
        for code, row in EXIT_CODES.items()
    ]


@pytest.mark.parametrize("name", ["module", "hosts", "policy"])
def test_a_schema_is_printed_as_it_is_published_and_is_one(repo: PlatformRepo, name: str) -> None:
    text = repo.run("schema", name, expect=0).stdout

    assert text == (SCHEMAS / f"{name}.v1.schema.json").read_text()
    Draft202012Validator.check_schema(json.loads(text))


def test_the_names_of_all_schemas_are_listed_and_others_refused(repo: PlatformRepo) -> None:
    assert sorted(repo.run("schema", expect=0).stdout.split()) == sorted(path.name for path in SCHEMAS.iterdir())
    assert "module, " in repo.run("schema", "modul", "--json", expect=2).json["error"]["detail"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_asks_the_program(repo: PlatformRepo, shell: str) -> None:
    assert "_PLATFORMCTL_COMPLETE" in repo.run("completion", shell, expect=0).stdout


def test_completion_for_bash_is_bash(repo: PlatformRepo) -> None:
    script = repo.run("completion", "bash", expect=0).stdout

    assert subprocess.run(("bash", "-n"), input=script, text=True, check=False).returncode == 0


# --- redact ---------------------------------------------------------------------------------------


@pytest.fixture
def known(tmp_path: Path) -> Path:
    path = tmp_path / "known"
    path.write_text(f"another-known-value\n{SECRET}\n")
    return path


def test_known_secrets_and_hidden_characters_are_taken_out_of_a_log(repo: PlatformRepo, known: Path) -> None:
    ended = repo.run("redact", "--known", known, expect=0, stdin=f"password is {SECRET}\n\x1b[31mred\n::add-mask::x\n")

    assert ended.stdout == "password is [redacted]\n\\x1b[31mred\n: :add-mask::x\n"


def test_without_a_list_what_looks_like_a_secret_goes_all_the_same(repo: PlatformRepo) -> None:
    assert repo.run("redact", expect=0, stdin="DB_PASSWORD=correct-horse\n").stdout == "DB_PASSWORD=[redacted]\n"


def test_a_secret_that_comes_in_two_pieces_is_taken_out(repo: PlatformRepo, known: Path) -> None:
    process = repo.start("redact", "--known", known)
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"one\nsecret {SECRET[:9]}")
    process.stdin.flush()
    first = process.stdout.readline()  # the first piece was read: the rest can only come in another one
    rest, _ = process.communicate(f"{SECRET[9:]} end\n")

    assert (first, rest, process.returncode) == ("one\n", "secret [redacted] end\n", 0)


def test_a_list_that_can_not_be_read_is_refused_before_anything_is_shown(repo: PlatformRepo, tmp_path: Path) -> None:
    ended = repo.run("redact", "--known", tmp_path / "gone", expect=3, stdin=f"{SECRET}\n")

    assert SECRET not in ended.stdout + ended.stderr


# --- endings --------------------------------------------------------------------------------------


def test_an_interrupted_command_is_130(repo: PlatformRepo) -> None:
    process = repo.start("redact")
    assert process.stdin
    assert process.stdout
    process.stdin.write("here\n")
    process.stdin.flush()
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate()

    assert process.returncode == 130
    assert "Traceback" not in complaint


@pytest.mark.parametrize(("words", "code"), [(("exit-codes",), 0), (("show", "gone", "--json"), 2), (("plna",), 2)])
def test_a_reader_that_went_away_does_not_change_the_exit_code(
    repo: PlatformRepo, words: tuple[str, ...], code: int
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        (PROGRAM, *words), cwd=repo.root, env=dict(repo.environment), stdout=writer, stderr=writer, check=False
    )
    os.close(writer)

    assert ended.returncode == code


def test_a_stdout_that_was_closed_does_not_change_the_exit_code(repo: PlatformRepo) -> None:
    ended = subprocess.run(
        ("sh", "-c", '"$1" exit-codes >&-', "sh", PROGRAM), env=dict(repo.environment), capture_output=True, check=False
    )

    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr
