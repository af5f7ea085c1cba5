"""What a run leaves for a pipeline: outputs, a step summary, annotations at the lines, and SARIF."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.cli.test_apply_outcome import outputs
from tests.platform_repo import WEB, PlatformRepo

PRIVILEGED = {"services": {"web": {"image": "platformctl-lab/web:1", "privileged": True, "pid": "host"}}}


@pytest.fixture
def bad(tmp_path: Path) -> PlatformRepo:
    """A repository whose one module policy refuses."""
    repo = PlatformRepo.create(tmp_path)
    repo.add_module("web", PRIVILEGED, host="local")
    return repo


def annotated(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("::")]


# --- annotations ----------------------------------------------------------------------------------


def test_findings_stand_at_their_lines_on_a_runner(bad: PlatformRepo) -> None:
    ended = bad.run("validate", "--json", expect=4, GITHUB_ACTIONS="true")
    findings = [f for f in ended.json["findings"] if f["severity"] == "deny"]

    for finding in findings:
        place = f"::error file={finding['file']},line={finding['line']},title={finding['rule']} web::"
        assert any(line.startswith(place) for line in annotated(ended.stderr)), ended
    assert {"privileged", "host-pid"} & {finding["rule"] for finding in findings}


def test_elsewhere_there_are_none(bad: PlatformRepo) -> None:
    assert annotated(bad.run("validate", expect=4).stderr) == []


def test_there_are_ten_at_most_and_errors_come_first(bad: PlatformRepo) -> None:
    for number in range(8):
        bad.add_module(f"m{number}", {"services": {f"m{number}": {"image": "a:1", "privileged": True}}}, host="local")
    lines = annotated(bad.run("validate", expect=4, GITHUB_ACTIONS="true").stderr)

    assert len(lines) == 10
    assert [line.split(" ")[0] for line in lines[:9]] == ["::error"] * 9


def test_a_refusal_is_annotated_too(repo: PlatformRepo) -> None:
    ended = repo.run("plan", "nope", "--offline", expect=65, GITHUB_ACTIONS="true")

    assert len(annotated(ended.stderr)) == 1


# --- outputs and summary --------------------------------------------------------------------------


def test_a_plan_says_whether_there_are_changes_in_the_outputs(repo: PlatformRepo, tmp_path: Path) -> None:
    path = tmp_path / "outputs"
    both = {"GITHUB_OUTPUT": str(path), "FORGEJO_OUTPUT": str(path)}
    repo.run("plan", "web", "--offline", expect=1, **both)

    assert (outputs(path)["changes"], outputs(path)["exit_code"]) == ("true", "1")
    assert path.read_text().count("changes<<") == 1


def test_what_could_not_be_planned_hides_no_changes_of_the_rest_from_the_outputs(
    bad: PlatformRepo, tmp_path: Path
) -> None:
    bad.add_module("other", {"services": {"other": WEB["services"]["web"]}}, host="local")
    path = tmp_path / "outputs"
    bad.run("plan", "--all", "--offline", expect=4, GITHUB_OUTPUT=str(path))

    assert (outputs(path)["changes"], outputs(path)["exit_code"]) == ("true", "4")


@pytest.mark.parametrize("words", [("validate",), ("plan", "web", "--offline"), ("plan", "nope", "--offline")])
def test_the_step_summary_is_the_report_as_markdown(repo: PlatformRepo, tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "summary"
    path.write_text("before\n")
    ended = repo.run(*words, GITHUB_STEP_SUMMARY=str(path), FORGEJO_STEP_SUMMARY=str(path))
    printed = repo.run(*words, "-o", "markdown").stdout

    told, summary = printed.splitlines()[0], path.read_text()
    assert summary.startswith(f"before\n{told}")
    assert summary.count(told) == printed.count(told)
    assert ended.stdout or ended.stderr


def test_a_summary_that_is_full_is_left_as_it_is(repo: PlatformRepo, tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_bytes(b"x" * ((1 << 20) - 10))
    ended = repo.run("validate", expect=0, GITHUB_STEP_SUMMARY=str(path))

    assert path.stat().st_size == (1 << 20) - 10
    assert "the step summary is full" in ended.stderr


def test_a_summary_that_can_not_be_written_changes_nothing_else(repo: PlatformRepo, tmp_path: Path) -> None:
    ended = repo.run("validate", "--json", expect=0, GITHUB_STEP_SUMMARY=str(tmp_path / "gone/summary"))

    assert ended.json["status"] == "valid"
    assert "the pipeline could not be told" in ended.stderr


# --- SARIF ----------------------------------------------------------------------------------------

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "additionalProperties": False,
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "additionalProperties": False,
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "uri": {"type": "string", "pattern": r"^(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})+$"},
                        "uriBaseId": TEXT,
                    },
                },
                "region": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                },
            },
        }
    },
}
RESULT = {
    "type": "object",
    "required": ["message"],
    "additionalProperties": False,
    "properties": {
        "ruleId": TEXT,
        "ruleIndex": {"type": "integer", "minimum": -1},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": {
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": TEXT},
        },
        "locations": {"type": "array", "items": LOCATION},
        "suppressions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["kind"],
                "additionalProperties": False,
                "properties": {"kind": {"enum": ["inSource", "external"]}, "justification": {"type": "string"}},
            },
        },
    },
}
DRIVER = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": TEXT,
        "version": TEXT,
        "rules": {
            "type": "array",
            "uniqueItems": True,
            "items": {
                "type": "object",
                "required": ["id"],
                "additionalProperties": False,
                "properties": {"id": TEXT},
            },
        },
    },
}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {"driver": DRIVER},
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": RESULT},
                },
            },
        },
    },
}
"""The part of the published schema of SARIF 2.1.0 (OASIS) for the properties that we write, and no others."""


def sarif(path: Path) -> Any:
    """The one run of a log that fits the schema."""
    log = json.loads(path.read_text())
    Draft7Validator(SARIF).validate(log)
    (run,) = log["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    return run


def test_the_findings_of_validate_are_sarif(bad: PlatformRepo, tmp_path: Path) -> None:
    path = tmp_path / "findings.sarif"
    findings = bad.run("validate", "--sarif", path, "--json", expect=4).json["findings"]
    results = sarif(path)["results"]

    assert len(results) == len(findings)
    told = {(r["ruleId"], r["locations"][0]["physicalLocation"]["region"]["startLine"], r["level"]) for r in results}
    assert ("privileged", next(f["line"] for f in findings if f["rule"] == "privileged"), "error") in told


@pytest.mark.parametrize(("words", "code"), [(("--all",), 4), (("web",), 4), (("nope",), 65)])
def test_what_keeps_a_plan_from_being_made_is_sarif(
    bad: PlatformRepo, tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    path = tmp_path / "findings.sarif"
    bad.run("plan", *words, "--offline", "--sarif", path, expect=code)

    assert [result["level"] for result in sarif(path)["results"]] == ["error"]


def test_a_report_without_findings_is_an_empty_run(tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path)
    repo.add_module("web", WEB, host="local")
    repo.run("validate", "--sarif", tmp_path / "findings.sarif", expect=0)

    assert {result["level"] for result in sarif(tmp_path / "findings.sarif")["results"]} <= {"warning"}
