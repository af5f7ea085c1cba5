"""Which failure ends with which code (step 13 of docs/architecture.md), on a real host whose docker refuses."""

import json
from pathlib import Path

import pytest

from tests.e2e.test_registry import NAME, module_of, push, registry
from tests.e2e.witness import STARTS, overheard, running, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

__all__ = ["registry"]
pytestmark = pytest.mark.lab

UP_FAILS = f"if {STARTS}; then echo no >&2; exit 1; fi"
PULL_FAILS = 'if [ "$1" = pull ]; then echo denied >&2; exit 1; fi'


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)
    return repo


def test_a_way_back_that_fails_too_ends_with_12_and_says_where_it_stopped(repo: PlatformRepo, host: Host) -> None:
    repo.deploy("web")
    repo.add_module("web", json.dumps(WEB).replace("web:1", "web:2"))
    with overheard(host, UP_FAILS):
        report = repo.deploy("web", expect=12).json

    assert (report["status"], report["mutated"]) == ("failed", "yes")
    assert report["reason"] == "step release: docker ended with status 1"
    assert report["rollback"] == "step release: docker ended with status 1"
    assert running(host) == {"web": "platformctl-lab/web:1"}


def test_a_step_that_fails_without_a_way_back_ends_with_8_and_calls_a_person(repo: PlatformRepo, host: Host) -> None:
    repo.add_module("web", WEB, rollback={"strategy": "none"})
    plan = repo.plan("web")
    repo.approve(plan, "--allow-destructive")
    with overheard(host, UP_FAILS):
        ended = repo.run("apply", plan, "--approved-sha", repo.head, "--json", "--log-format", "json", expect=8)

    stub = next(json.loads(line) for line in ended.stderr.splitlines() if "ROLLBACK_STUB" in line)
    assert (stub["module"], stub["host"], ended.json["rollback"]) == ("web", "rs2000", "")
    assert stub["reason"] == ended.json["reason"] == "step release: docker ended with status 1"


def test_an_image_that_can_not_be_pulled_ends_with_14_and_the_plan_is_over(tmp_path: Path, registry: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": registry})
    registry.docker("create", "--name", "other", "platformctl-lab/web:1")
    registry.docker("commit", "other", "other:1")
    registry.docker("rm", "other")
    push(registry, "live", "other:1")
    registry.docker("rmi", "other:1")
    module_of(repo, f"{NAME}:live")
    plan = repo.plan("web")
    repo.approve(plan)
    with untouched(registry), overheard(registry, PULL_FAILS):
        refused = repo.apply(plan, expect=14)

    assert refused.json["error"]["summary"] == f"image {NAME}:live can not be pulled"
    assert repo.run("recover", "--json", expect=0).json["settled"] == []
    assert repo.apply(plan, expect=7).json["error"]["reason"] == "used"
    assert repo.deploy("web").json["status"] == "applied"
