"""What a pull request tries with a runner: commands of its own, another step's outputs, a page full of noise."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from platformctl.model.finding import Finding
from platformctl.model.reports import ValidateReport
from platformctl.model.secret import Secret
from platformctl.redaction import Redactor
from platformctl.render import annotations, sarif
from tests.attacks.test_markdown_attacks import WORDS
from tests.cli.test_apply_outcome import outputs
from tests.cli.test_pipeline import SARIF
from tests.contracts.reports import report
from tests.platform_repo import PlatformRepo

COMMANDS = {
    "a command": "::set-output name=x::y",
    "a command on the next line": "a\n::stop-commands::x",
    "a command behind a carriage return": "a\r::add-mask::x",
    "a command in a property": "a,line=1::b\n::error::c",
    "an escaped line end": "a%0A::error::b",
    "a command of another runner": "##vso[task.setvariable]x",
    **WORDS,
}
ONE_COMMAND = re.compile(r"::(?:error|warning) (?:(?:file|line|title)=[^,:\n\r]*,?)*::[^\n\r]*")


def findings(text: str, count: int = 1) -> ValidateReport:
    each = Finding("web", text, "deny", text, 3, text, text, text)
    return ValidateReport(modules=("web",), findings=(each,) * count)


def is_ours(text: str) -> bool:
    return all(ONE_COMMAND.fullmatch(line) for line in text.split("\n")[:-1])


@pytest.mark.parametrize("words", COMMANDS)
def test_no_value_commands_a_runner(words: str) -> None:
    told = annotations.render(findings(COMMANDS[words]), Redactor())

    assert told.count("\n") == 1
    assert is_ours(told)
    assert "%0A::error::b" not in told.replace("%250A", "")


@given(st.text(st.one_of(st.sampled_from("%:,\n\r#[]=\u2028\u0085"), st.characters()), max_size=40))
def test_whatever_it_says_it_stays_one_command(text: str) -> None:
    told = annotations.render(findings(text), Redactor())

    assert told.count("\n") == 1
    assert is_ours(told)


@pytest.mark.parametrize("words", COMMANDS)
def test_sarif_stays_sarif_whatever_a_module_is_called(words: str) -> None:
    Draft7Validator(SARIF).validate(json.loads(sarif.render(findings(COMMANDS[words]), Redactor())))


def test_a_megabyte_of_words_becomes_a_few_kilobytes() -> None:
    noise = findings("```@everyone <b>\n" * 65_536, count=20)

    assert len(annotations.render(noise, Redactor())) < 40_000
    assert len(sarif.render(noise, Redactor())) < 100_000


@pytest.mark.parametrize("kind", ["Validate", "Plan", "Error"])
@pytest.mark.parametrize("renderer", [annotations, sarif])
def test_a_known_secret_is_in_neither(kind: str, renderer: Any) -> None:
    secret = "hunter2-tr0ub4dor&3"
    this = report(kind, f"before {secret} after", False)

    told = renderer.render(this, Redactor([Secret(secret)]))

    assert secret not in told
    assert "[redacted]" in told or kind == "Validate"  # whose one finding is waived here


@pytest.mark.parametrize("renderer", [annotations, sarif])
def test_a_secret_at_the_cut_is_not_shown_in_part(renderer: Any) -> None:
    secret = "hunter2-tr0ub4dor-and-three"
    at_the_cut = "x" * (renderer.LONGEST - 10) + secret

    assert secret[:8] not in renderer.render(findings(at_the_cut), Redactor([Secret(secret)]))


def test_a_waived_finding_is_suppressed_and_not_annotated() -> None:
    waived = findings("privileged")
    waived = replace(waived, findings=(replace(waived.findings[0], waiver="Traefik reads labels"),))

    assert annotations.render(waived, Redactor()) == ""
    assert json.loads(sarif.render(waived, Redactor()))["runs"][0]["results"][0]["suppressions"]


def test_a_hostile_module_writes_no_outputs_of_its_own(tmp_path: Path) -> None:
    hostile = "x\nchanges<<E\nfalse\nE\n```\n@everyone <script>\n" * 1000
    repo = PlatformRepo.create(tmp_path)
    services = {"web": {"image": "a:1", "privileged": True, "labels": {hostile[:200]: hostile[:30_000]}}}
    repo.add_module("web", {"services": services}, host="local")
    output, summary = tmp_path / "outputs", tmp_path / "summary"
    runner = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    ended = repo.run("plan", "web", "--offline", expect=4, **runner)

    assert outputs(output)["changes"] == "false"
    assert summary.stat().st_size < 1 << 20
    commands = [line for line in ended.stderr.splitlines() if line.startswith("::")]
    assert any(line.startswith("::error file=modules/web/compose.yaml,") for line in commands)
    assert all(ONE_COMMAND.fullmatch(line) for line in commands)
