"""Options that every verb knows, wherever they stand, and what is said of words that nobody knows."""

import json
from pathlib import Path

import pytest

from platformctl.cli.entry import run
from platformctl.cli.table import VERBS
from tests.platform_repo import PlatformRepo

EVERYWHERE = [
    ("-o", "json"),
    ("--output", "json"),
    ("--output=json",),
    ("-ojson",),
    ("--json",),
    ("--no-color",),
    ("-v",),
    ("-q",),
    ("--log-format", "json"),
]


@pytest.mark.parametrize("option", EVERYWHERE, ids=" ".join)
def test_an_option_means_the_same_before_and_after_the_verb(repo: PlatformRepo, option: tuple[str, ...]) -> None:
    before = repo.run(*option, "validate", "web", expect=0)
    after = repo.run("validate", "web", *option, expect=0)

    assert (before.stdout, before.stderr) == (after.stdout, after.stderr)
    assert before.stdout.startswith("{") == ("json" in "".join(option) and "log" not in option[0])


@pytest.mark.parametrize("option", [option for option in EVERYWHERE if "--log-format" not in option][:5], ids=" ".join)
def test_an_error_comes_as_json_wherever_that_was_asked_for(repo: PlatformRepo, option: tuple[str, ...]) -> None:
    for words in ((*option, "show", "gone.json"), ("show", "gone.json", *option)):
        ended = repo.run(*words)

        assert (ended.json["kind"], ended.json["exit_code"], ended.stderr) == ("Error", ended.code, "")


def test_another_folder_is_worked_in_wherever_that_stands(repo: PlatformRepo, tmp_path: Path) -> None:
    elsewhere = PlatformRepo(tmp_path, repo.environment)
    elsewhere.root.mkdir()
    for words in (("-C", repo.root, "validate", "--json"), ("validate", "--json", "-C", repo.root)):
        assert elsewhere.run(*words, expect=0).json["modules"] == ["web"]


def test_the_last_of_two_folders_counts(repo: PlatformRepo, tmp_path: Path) -> None:
    assert repo.run("-C", tmp_path, "validate", "-C", repo.root).code == 0
    assert repo.run("-C", repo.root, "validate", "-C", tmp_path).code == 65


UNKNOWN = {
    "a verb": (("plna",), "platformctl --help"),
    "an option": (("plan", "web", "--frce"), "platformctl plan --help"),
    "an option before the verb": (("--frce", "plan", "web"), "platformctl --help"),
    "a form": (("validate", "-o", "yaml"), "platformctl validate --help"),
    "too much": (("exit-codes", "now"), "platformctl exit-codes --help"),
    "too little": (("show",), "platformctl show --help"),
    "a verb of a group": (("host", "trsut"), "platformctl host --help"),
    "no number": (("apply", "p", "--approved-sha", "x", "--approved-pr", "none"), "platformctl apply --help"),
    "no duration": (("plan", "web", "--expires-in", "soon"), "platformctl plan --help"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_words_that_nobody_knows_are_a_usage_error_with_a_hint(repo: PlatformRepo, case: str) -> None:
    words, hint = UNKNOWN[case]
    said, told = repo.run(*words, expect=2), repo.run(*words, "--json", expect=2)

    assert said.stdout == ""
    assert f"next: {hint}\n" in said.stderr
    assert (told.json["error"]["name"], told.json["error"]["hint"]) == ("USAGE", hint)


AS_JSON = ["--output=json", "-ojson", "-vo json", "-qojson", "-o human --json", "-o human -o json", "--json -o yaml"]


@pytest.mark.parametrize("option", AS_JSON)
def test_a_usage_error_comes_as_json_however_that_is_spelled(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        (*option.split(), "plan", "--frce"),
        ("plan", "--frce=x", *option.split()),
        (*option.split(), "plna"),
    ):
        assert run(words) == 2
        assert json.loads(capsys.readouterr().out)["error"]["name"] == "USAGE"


@pytest.mark.parametrize("option", ["-o json -o human", "-- --json", "--no-color", "-o"])
def test_a_usage_error_is_for_people_where_json_is_not_asked_for(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(("plan", "--frce", *option.split())) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_option_of_any_verb_is_a_usage_error_in_json(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run((verb, "--no-such-option", "-o", "json")) == 2
    error = json.loads(capsys.readouterr().out)["error"]

    assert error["code"] == 2
    assert "--no-such-option" in error["detail"]


def test_hostile_words_of_a_usage_error_are_made_harmless(repo: PlatformRepo) -> None:
    ended = repo.run("\x1b[31mplan\n::set-output name=x::y")

    assert ended.code == 2
    assert "\x1b" not in ended.stderr
    assert not [line for line in ended.stderr.splitlines() if line.lstrip().startswith("::")]


def test_a_plan_has_one_source(repo: PlatformRepo) -> None:
    refused = repo.run("plan", "web", "--offline", "--observation", "seen.json", "--json", expect=2)

    assert "--observation" in refused.json["error"]["detail"]
