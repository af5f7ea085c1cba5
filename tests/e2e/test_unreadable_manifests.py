"""A manifest that can not be read fails by itself, and keeps back only what it could have to do with."""

from pathlib import Path

import pytest

from tests.e2e.fleet import add
from tests.e2e.refusals import refusal
from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab


def test_a_manifest_that_can_not_be_read_hides_no_other_module(tmp_path: Path, host: Host) -> None:
    """It fails by its own error; the others are planned, applied and compared with their host."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "good", "platformctl-lab/sleeper:1")
    repo.write("modules/broken/module.yaml", "kind: [\n")
    repo.commit()

    report = repo.run("plan", "--all", "--json", expect=65).json
    assert [planned["module"] for planned in report["plans"]] == ["good"]
    assert [(each["module"], each["error"]["file"]) for each in report["failed"]] == [
        ("broken", "modules/broken/module.yaml")
    ]
    repo.deploy("good")

    host.docker("stop", "--time", "0", "good-main-1")
    drift = repo.run("drift", "--all", "--json", expect=69).json
    assert [(row["module"], row["changes"][0]["action"]) for row in drift["modules"]] == [("good", "start")]
    assert [warning.split(":")[0] for warning in drift["warnings"]] == ["broken"]
    repo.run("drift", "good", expect=1)

    for words in (("recover",), ("audit", "verify"), ("stray", "list")):
        repo.run(*words, expect=0)
    checks = repo.run("doctor", "--json", expect=0).json["checks"]
    assert ("manifest of broken", "warn") in {(check["name"], check["level"]) for check in checks}


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("module.yaml", "spec: {host: rs2000, [\n", "rs2000: a module that can not be read may name what runs there"),
        ("compose.yaml", "services: [\n", "good: "),
    ],
)
def test_what_a_module_that_can_not_be_read_may_have_named_is_no_stray(
    tmp_path: Path, host: Host, file: str, text: str, told: str
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "good", "platformctl-lab/sleeper:1")
    repo.deploy("good")
    repo.write(f"modules/good/{file}", text)
    repo.commit()

    report = repo.run("stray", "list", "--json", expect=69).json
    assert report["strays"] == []
    assert report["warnings"][0].startswith(told)


def test_a_manifest_that_can_not_be_read_keeps_those_of_its_project_from_being_planned(
    tmp_path: Path, host: Host
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "good", "platformctl-lab/sleeper:1")
    repo.write("modules/broken/module.yaml", "spec: {host: rs2000, runtime: {project: good, compose_service: [\n")
    repo.commit()

    error = refusal(repo.run("plan", "good", "--json"), 65, "yaml")
    assert error["file"] == "modules/broken/module.yaml"
    assert "project good on rs2000, which no plan of good may change" in error["detail"]
