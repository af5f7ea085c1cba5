"""What an apply that was refused leaves for programs that only see files, and what it takes from the environment."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from platformctl.model.names import Digest
from tests.lab import Host
from tests.platform_repo import WEB, Ended, PlatformRepo


def outputs(path: Path) -> Mapping[str, str]:
    """What a runner reads from a file of delimited values."""
    lines = iter(path.read_text().splitlines())
    found = {}
    for line in lines:
        key, delimiter = line.split("<<")
        found[key] = "\n".join(iter(lambda: next(lines), delimiter))
    return found


def digest_of(repo: PlatformRepo, plan: Path) -> str:
    return str(repo.run("show", plan, "--json", expect=0).json["digest"])


def refused(repo: PlatformRepo, plan: Path, *words: str | Path, **environment: str) -> Ended:
    return repo.run("apply", plan, "--approved-sha", repo.head, *words, expect=5, **environment)


def test_a_refused_apply_says_so_in_the_result_file(repo: PlatformRepo, speculative: Path, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    ended = refused(repo, speculative, "--result-file", result, "--json")

    assert json.loads(result.read_text()) == {
        "schema_version": 1,
        "command": "apply",
        "exit_code": 5,
        "outcome": "blocked",
        "mutated": "no",
        "plan_digest": digest_of(repo, speculative),
        "source_sha": None,
        "hosts": [],
        "modules": [],
        "reason": ended.json["error"]["reason"],
        "canary": None,
    }


def test_a_result_file_replaces_the_one_of_the_run_before(
    repo: PlatformRepo, speculative: Path, tmp_path: Path
) -> None:
    result = tmp_path / "result.json"
    result.write_text('{"outcome": "applied"}')
    refused(repo, speculative, "--result-file", result)

    assert json.loads(result.read_text())["outcome"] == "blocked"
    assert list(tmp_path.iterdir()) == [result]


@pytest.mark.parametrize("name", ["GITHUB_OUTPUT", "FORGEJO_OUTPUT"])
def test_the_outputs_of_a_step_are_added_to_those_that_are_there(
    repo: PlatformRepo, speculative: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "outputs"
    path.write_text("mine<<END\nmine\nEND\n")
    refused(repo, speculative, **{name: str(path)})
    found = outputs(path)

    assert (found["mine"], found["command"], found["exit_code"], found["outcome"]) == ("mine", "apply", "5", "blocked")
    assert (found["mutated"], found["hosts"], found["plan_digest"]) == ("no", "[]", digest_of(repo, speculative))


def test_an_outcome_that_can_not_be_written_changes_no_exit_code_and_is_told(
    repo: PlatformRepo, speculative: Path, tmp_path: Path
) -> None:
    ended = refused(repo, speculative, "--result-file", tmp_path / "gone" / "result.json")

    assert "the outcome could not be written" in ended.stderr


def test_a_verb_that_touches_no_host_writes_no_outputs(repo: PlatformRepo, tmp_path: Path) -> None:
    repo.run("validate", expect=0, GITHUB_OUTPUT=str(tmp_path / "outputs"))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("phase", ["", "five", "-1", "٥"])
def test_a_phase_that_is_not_a_number_is_refused(repo: PlatformRepo, speculative: Path, phase: str) -> None:
    ended = repo.run("apply", speculative, "--approved-sha", repo.head, "--json", expect=4, PLATFORMCTL_PHASE=phase)

    assert ended.json["error"]["reason"] == "phase"
    assert "PLATFORMCTL_PHASE" in ended.json["error"]["detail"]


@pytest.mark.lab
def test_without_a_terminal_and_without_yes_nobody_can_approve(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)
    plan = repo.plan("web")
    words = {"PLATFORMCTL_YES": "1", "PLATFORMCTL_APPROVE_YES": "1", "YES": "1"}
    ended = repo.run("approve", plan, expect=2, stdin="y\n", **words)

    assert "next: look at the plan, then add --yes" in ended.stderr
    assert not list((repo.root / ".platform").glob("approvals/*/*"))


def test_the_approved_commit_is_never_read_from_the_environment(repo: PlatformRepo, speculative: Path) -> None:
    ended = repo.run("apply", speculative, "--json", expect=2, PLATFORMCTL_APPROVED_SHA=repo.head)

    assert "--approved-sha" in ended.json["error"]["detail"]


def test_the_payload_is_written_to_the_byte(repo: PlatformRepo, speculative: Path) -> None:
    payload = repo.run("show", speculative, "--payload", expect=0).stdout

    assert Digest.of(payload.encode()) == digest_of(repo, speculative)
