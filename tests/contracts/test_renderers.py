"""What people and programs see of every report: one form, no secret, and nothing that a terminal or CI would obey.

Reports are made from their types, so that a new one is tried here as soon as it exists.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace

import pytest

from platformctl.cli import printing
from platformctl.cli.verb import FORMS
from platformctl.errors import ExitCode, PolicyViolation
from platformctl.model import events
from platformctl.model.names import Digest
from platformctl.model.reports import SCHEMA_VERSION, ErrorReport, Report
from platformctl.model.secret import Secret
from platformctl.redaction import Redactor
from platformctl.render import human, markdown, progress
from platformctl.render import json as as_json
from tests.contracts.reports import REPORTS, dataclass_of, report

SECRET = "hunter2-tr0ub4dor&3"
KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXktdjEAAAAABG5v\n" * 3 + "-----END OPENSSH PRIVATE KEY-----"
)
HOSTILE = {
    "colours": "\x1b[31mred\x1b[0m",
    "a title": "\x1b]0;owned\x07",
    "8-bit controls": "\x9b31m",
    "carriage return": "bad\rgood",
    "bidi": "user\u202etxt.exe",
    "line separator": "a\u2028✓ verified",
    "next line": "a\x85✓ verified",
    "GitHub command": "::set-output name=x::y",
    "GitHub command on the next line": "a\n::add-mask::x",
    "Azure command": "##vso[task.setvariable]x",
    "a line like ours": "a\n✓ verified\nexit 0 NO_CHANGES",
}
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]|^\\s*::|##\\w*\\[", re.MULTILINE)


every_form = pytest.mark.parametrize("form", FORMS)
every_report = pytest.mark.parametrize("kind", REPORTS)


def shown(capsys: pytest.CaptureFixture[str], this: Report, *, form: str) -> str:
    """What a reader sees of both streams."""
    printing.write(this, form=form, color=False)
    out, err = capsys.readouterr()
    return out + err


@pytest.fixture
def known() -> Iterator[None]:
    """The sink knows the secret."""
    printing.learn(Redactor([Secret(SECRET)]))
    yield
    printing.learn(Redactor())


# --- every report ---------------------------------------------------------------------------------


@every_report
@pytest.mark.parametrize("flag", [True, False])
def test_every_report_has_a_form_for_people(kind: str, flag: bool) -> None:
    text = human.render(report(kind, flag=flag))

    assert text.endswith("\n")
    assert "words" in text


@every_report
@pytest.mark.parametrize("flag", [True, False])
def test_every_report_is_one_json_object_with_sorted_keys(kind: str, flag: bool) -> None:
    this = report(kind, flag=flag)
    text = as_json.render(this, Redactor())
    data = json.loads(text)

    assert text == json.dumps(data, sort_keys=True, ensure_ascii=False) + "\n"
    assert (data["schema_version"], data["kind"]) == (SCHEMA_VERSION, kind)
    assert (data["exit_code"], data["status"]) == (int(this.exit_code), "words")


@every_report
@pytest.mark.parametrize("flag", [True, False])
def test_every_report_is_markdown_that_can_be_posted(kind: str, flag: bool) -> None:
    text = markdown.render(report(kind, flag=flag), Redactor())

    assert "words" in text
    assert len(text) < markdown.LIMIT


@every_report
def test_a_report_that_is_mostly_empty_has_every_form(kind: str) -> None:
    this = report(kind)
    empty = {each.name: () for each in fields(this) if isinstance(getattr(this, each.name), tuple)}

    assert human.render(replace(this, **empty)) is not None
    assert markdown.render(replace(this, **empty), Redactor()) is not None
    assert json.loads(as_json.render(replace(this, **empty), Redactor()))["kind"] == kind


def test_an_errors_object_has_these_fields() -> None:
    refusal = PolicyViolation("no", detail="d", hint="h", reason="r", file="f", line=3, host="one")
    data = json.loads(as_json.render(ErrorReport.of(refusal), Redactor()))

    assert data == {
        "schema_version": 1,
        "kind": "Error",
        "exit_code": 4,
        "status": "blocked",
        "error": {
            "code": 4,
            "name": "POLICY_VIOLATION",
            "reason": "r",
            "summary": "no",
            "detail": "d",
            "file": "f",
            "line": 3,
            "host": "one",
            "hint": "h",
        },
    }


# --- hostile words --------------------------------------------------------------------------------


@every_report
@every_form
@pytest.mark.parametrize("words", HOSTILE)
def test_nothing_is_shown_that_a_terminal_or_a_runner_would_obey(
    capsys: pytest.CaptureFixture[str], kind: str, form: str, words: str
) -> None:
    text = shown(capsys, report(kind, HOSTILE[words]), form=form)

    assert text
    assert not OBEYED.findall(text)


@pytest.mark.parametrize("kind", [kind for kind in REPORTS if kind != "Text"])
@pytest.mark.parametrize("words", ["line separator", "next line", "a line like ours"])
def test_no_value_writes_a_line_of_ours(capsys: pytest.CaptureFixture[str], kind: str, words: str) -> None:
    honest = ours(shown(capsys, report(kind, "a"), form="human"))

    assert ours(shown(capsys, report(kind, HOSTILE[words]), form="human")) == honest


def ours(text: str) -> list[str]:
    """The lines that a reader would take for our verdict."""
    return [line for line in text.split("\n") if line.startswith(("✓ verified", "exit 0"))]


def test_the_watch_for_what_is_obeyed_sees_it() -> None:
    assert not [words for words, text in HOSTILE.items() if words != "a line like ours" and not OBEYED.search(text)]


def test_colours_are_the_only_escapes_and_come_from_us() -> None:
    text = Redactor().clean("✓ good\n  ✗ \x1b[5mbad\n")

    assert human.colored(text) == "\x1b[32m✓\x1b[0m good\n  \x1b[31m✗\x1b[0m \\x1b[5mbad\n"


# --- secrets --------------------------------------------------------------------------------------


@every_report
@every_form
def test_a_known_secret_is_in_no_field(capsys: pytest.CaptureFixture[str], known: None, kind: str, form: str) -> None:
    text = shown(capsys, report(kind, f"before {SECRET} after"), form=form)

    assert SECRET not in text
    assert "[redacted]" in text


@every_report
@every_form
def test_a_key_over_several_lines_is_in_no_field(capsys: pytest.CaptureFixture[str], kind: str, form: str) -> None:
    assert "b3BlbnNzaC1rZXktdjEAAAAABG5v" not in shown(capsys, report(kind, KEY), form=form)


@every_report
def test_digests_and_commits_are_not_taken_for_secrets(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    digest = Digest.of(b"plan")

    assert digest in shown(capsys, report(kind, digest), form="json")


# --- what to do next ------------------------------------------------------------------------------


def test_an_error_says_where_why_and_what_to_do() -> None:
    refusal = PolicyViolation(
        "a rule refuses", detail="services.web: privileged\nservices.db: privileged", hint="take it out",
        reason="privileged", file="modules/web/compose.yaml", line=3, host="one",
    )  # fmt: skip

    assert human.render(ErrorReport.of(refusal)).splitlines() == [
        "✗ a rule refuses",
        "  at: modules/web/compose.yaml:3",
        "  host: one",
        "  services.web: privileged",
        "    │ services.db: privileged",
        "  next: take it out",
        "  exit 4 POLICY_VIOLATION (privileged)",
    ]


def test_a_plan_with_changes_names_the_command_that_approves_it() -> None:
    this = report("Plan", flag=True)
    changing = replace(this.plans[0].plan, speculative=False)
    this = replace(this, plans=(replace(this.plans[0], plan=changing, path="plans/a.json"),), index=None)

    assert human.render(this).splitlines()[-1] == "next: platformctl approve plans/a.json"


def test_a_speculative_plan_is_not_offered_for_approval() -> None:
    this = report("Plan", flag=True)

    assert "next: platformctl approve" not in human.render(this)


@pytest.mark.parametrize(("status", "sign"), [("applied", "✓"), ("no_changes", "✓"), ("unknown", "✗"), ("failed", "✗")])
def test_an_apply_begins_with_its_verdict_and_ends_with_its_exit_code(status: str, sign: str) -> None:
    this = replace(report("Apply"), status=status, exit_code=ExitCode.REMOTE_FAILED, mutated="unknown")
    lines = human.render(this).splitlines()

    assert lines[0].startswith(f"{sign} {status}: ")
    assert lines[-1] == "  exit 8 REMOTE_FAILED; host touched: unknown"


@pytest.mark.parametrize(
    ("code", "mutated", "step"),
    [
        (ExitCode.REMOTE_FAILED, "unknown", "platformctl recover"),
        (ExitCode.REMOTE_FAILED, "yes", "platformctl status web"),
        (ExitCode.UNHEALTHY, "yes", "platformctl rollback web"),
        (ExitCode.ROLLED_BACK, "yes", "plan again"),
        (ExitCode.ROLLBACK_FAILED, "yes", "platformctl status web"),
    ],
)
def test_an_apply_that_failed_says_what_to_do_now(code: ExitCode, mutated: str, step: str) -> None:
    this = replace(report("Apply"), module="web", exit_code=code, mutated=mutated)

    assert step in human.render(this).splitlines()[-2]


def test_only_a_release_that_is_quarantined_is_called_so() -> None:
    """What was rolled back because somebody asked to stop is not; the words that lift it are whole."""
    one = replace(report("Apply"), module="web", exit_code=ExitCode.ROLLED_BACK, quarantined=True)

    assert "platformctl unquarantine web --reason" in human.render(one).splitlines()[-2]
    assert "quarantine" not in human.render(replace(one, quarantined=False))


def test_an_apply_that_went_well_asks_for_nothing() -> None:
    assert "next: " not in human.render(replace(report("Apply"), exit_code=ExitCode.APPLIED, status="applied"))


@pytest.mark.parametrize("kind", events.Event.__args__)
def test_every_event_is_one_line_that_can_be_shown(kind: type) -> None:
    for text in HOSTILE.values():
        line = Redactor().clean(progress.line_of(dataclass_of(kind, text, False)))

        assert line
        assert not OBEYED.findall(line)
