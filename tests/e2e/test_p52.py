"""Requirement P52: the names of the first users' own platform work from end to end, two modules in one compose file."""

import json
from pathlib import Path

import pytest

from tests.e2e.witness import overheard, running, see
from tests.lab import Host
from tests.platform_repo import PlatformRepo

COMPOSE = "compose/core/compose.yaml"
HEALTH = {"timeout": "15s", "stable_for": "1s"}


def compose(redis: str = "one", api: str = "one") -> str:
    """The shared file; each service is changed by the value of a variable."""
    services = {
        "redis": {"image": "platformctl-lab/sleeper:1", "environment": {"GENERATION": redis}},
        "api": {
            "image": "platformctl-lab/web:1",
            "environment": {"GENERATION": api},
            "ports": ["8080:8080"],
            "depends_on": ["redis"],
        },
    }
    return json.dumps({"services": services}, indent=2)


def runtime(service: str) -> dict[str, str]:
    return {
        "orchestrator": "docker-compose",
        "compose_file": COMPOSE,
        "compose_service": service,
        "project": "honcho",
    }


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    """Host rs2000 with honcho-redis and honcho-api, nothing applied yet."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.write(COMPOSE, compose())
    repo.add_module("honcho-redis", runtime=runtime("redis"), health=HEALTH)
    repo.add_module("honcho-api", runtime=runtime("api"), health=HEALTH, depends_on=["honcho-redis"])
    return repo


def change(repo: PlatformRepo, text: str) -> None:
    repo.write(COMPOSE, text)
    repo.commit()


def test_both_modules_are_deployed_from_the_one_file(repo: PlatformRepo, host: Host) -> None:
    """P1, P15, P19, P51, P52."""
    with overheard(host) as heard:
        redis = repo.deploy("honcho-redis").json
        api = repo.deploy("honcho-api").json

    assert redis["applied"] == [{"module": "honcho-redis", "host": "rs2000", "compose_service": "redis"}]
    assert api["applied"] == [{"module": "honcho-api", "host": "rs2000", "compose_service": "api"}]
    assert running(host) == {"redis": "platformctl-lab/sleeper:1", "api": "platformctl-lab/web:1"}
    assert host.http(8080) == (200, "version 1\n")
    folder = f"{host.root}/compose/core"
    prefix = ("compose", "-f", f"{host.root}/{COMPOSE}", "-p", "honcho", "--project-directory", folder)
    up = ("--env-file", "/dev/null", "up", "-d", "--no-build", "--pull", "never", "--")
    assert [told.words for told in heard.composed()] == [(*prefix, *up, "redis"), (*prefix, *up, "api")]
    assert {told.folder for told in heard.composed()} == {host.root}
    repo.run("plan", "--all", expect=0)


def test_a_change_of_one_module_leaves_the_other_alone(repo: PlatformRepo, host: Host) -> None:
    repo.deploy("honcho-redis")
    repo.deploy("honcho-api")
    before = see(host).containers

    change(repo, compose(api="two"))
    repo.deploy("honcho-api")

    after = see(host).containers
    assert after["/honcho-redis-1"] == before["/honcho-redis-1"]
    assert after["/honcho-api-1"] != before["/honcho-api-1"]
    assert repo.run("plan", "honcho-redis", expect=0).code == 0


def test_a_module_may_not_bring_anothers_change_along(repo: PlatformRepo, host: Host) -> None:
    """Compose would recreate redis with api; that is honcho-redis's to approve."""
    repo.deploy("honcho-redis")
    repo.deploy("honcho-api")
    change(repo, compose(redis="two", api="two"))

    refused = repo.run("plan", "honcho-api", "--json", expect=4).json["error"]
    assert "honcho-redis" in refused["detail"]
    assert "apply that one first: platformctl plan honcho-redis" in refused["hint"]

    repo.deploy("honcho-redis")
    repo.deploy("honcho-api")
    assert repo.run("plan", "--all", expect=0).code == 0


def planned(repo: PlatformRepo, expect: int = 1) -> dict[str, list[str]]:
    """Plan everything as an index, approve and apply it in its order, and say what each plan named."""
    report = repo.run("plan", "--all", "--json", expect=expect).json
    named = {
        each["module"]: [c["target"] for c in each["plan"]["changes"] if c["action"] != "keep"]
        for each in report["plans"]
    }
    if report["index"]:
        index = repo.root / report["index"]
        repo.approve(index)
        repo.apply(index, expect=9)
    return named


def test_an_index_of_modules_that_share_a_file_is_applied_in_one_go(repo: PlatformRepo, host: Host) -> None:
    """The second plan rests on what the first will have brought: container, network, file; and none is stale."""
    redis, api = "compose.service.redis", "compose.service.api"
    assert planned(repo) == {"honcho-redis": [redis], "honcho-api": [api]}
    assert planned(repo, expect=0) == {"honcho-redis": [], "honcho-api": []}

    change(repo, compose(redis="two", api="two"))
    assert planned(repo) == {"honcho-redis": [redis], "honcho-api": [api]}
    assert planned(repo, expect=0) == {"honcho-redis": [], "honcho-api": []}
    assert set(running(host)) == {"redis", "api"}
