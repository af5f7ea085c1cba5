"""What an apply undoes, on a real engine: the host is as it was, and 11 is said only when that was seen (P3, P4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

pytestmark = pytest.mark.lab

SLEEPER = {"image": "platformctl-lab/sleeper:1"}
CRASH = {"image": "platformctl-lab/crash:1"}
JOB = {"image": "platformctl-lab/job:1"}
READS_FOLDER = "! grep -q bad /conf.d/* && exec sleep 9999"
CORE = "compose/core/compose.yaml"


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    return PlatformRepo.create(tmp_path, {"rs2000": host})


def images(host: Host) -> dict[str, str]:
    """Running containers and what they run."""
    lines = host.docker("ps", "--format", "{{.Names}} {{.Image}}").splitlines()
    return dict(line.split(" ") for line in lines)


def failed(repo: PlatformRepo, module: str, *, expect: int = 11) -> Any:
    plan = repo.plan(module)
    repo.approve(plan)
    return repo.apply(plan, expect=expect).json


def test_a_first_deploy_that_fails_leaves_nothing(repo: PlatformRepo, host: Host) -> None:
    networks = {"front": {"name": "shop-front"}, "back": {}}
    services = {"web": {**CRASH, "networks": ["front", "back"], "depends_on": ["db"]}, "db": SLEEPER}
    repo.add_module("web", {"services": services, "networks": networks})
    before = host.docker("network", "ls", "-q")

    failed(repo, "web")

    assert host.docker("ps", "-aq") == ""
    assert host.docker("network", "ls", "-q") == before
    assert host.sh(f"find {host.root}/modules -type f") == ""


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1)])
def test_a_service_without_containers_is_undone_to_as_many_as_it_had(
    repo: PlatformRepo, host: Host, before: int, after: int
) -> None:
    def module(main: dict[str, Any], scale: int) -> None:
        repo.add_module("web", {"services": {"web": {**main, "depends_on": ["db"]}, "db": {**SLEEPER, "scale": scale}}})

    module(SLEEPER, before)
    repo.deploy("web")
    was = images(host)
    module(CRASH, after)

    failed(repo, "web")

    assert images(host) == was
    assert len(was) == 1 + before


def test_an_undo_leaves_the_newer_image_of_another_module_alone(repo: PlatformRepo, host: Host) -> None:
    def both(web: dict[str, Any]) -> None:
        repo.write(CORE, json.dumps({"services": {"db": {"image": "db:1"}, "web": {**web, "depends_on": ["db"]}}}))
        for name in ("db", "web"):
            runtime = {"orchestrator": "docker-compose", "compose_file": CORE, "compose_service": name}
            repo.add_module(name, runtime={**runtime, "project": "shop"})

    host.docker("tag", SLEEPER["image"], "db:1")
    both(SLEEPER)
    repo.deploy("db")
    repo.deploy("web")
    host.docker("tag", "platformctl-lab/healthy:1", "db:1")
    repo.deploy("db")
    newer = host.docker("inspect", "shop-db-1", "--format", "{{.Id}} {{.Image}}")

    both(CRASH)
    failed(repo, "web")

    assert host.docker("inspect", "shop-db-1", "--format", "{{.Id}} {{.Image}}") == newer
    assert images(host)["shop-web-1"] == SLEEPER["image"]


def test_a_one_shot_of_another_module_runs_again_and_is_never_put_back(repo: PlatformRepo, host: Host) -> None:
    """`up` runs it whenever one comes up that waits for it; the older file of that one would make it older."""

    def both(web: dict[str, Any], migrate: dict[str, Any]) -> None:
        waiting = {"depends_on": {"migrate": {"condition": "service_completed_successfully"}}}
        repo.write(CORE, json.dumps({"services": {"web": {**web, **waiting}, "migrate": {**JOB, **migrate}}}))
        for name, kind in (("web", "service"), ("migrate", "job")):
            runtime = {"orchestrator": "docker-compose", "compose_file": CORE, "compose_service": name}
            repo.add_module(name, kind=kind, runtime={**runtime, "project": "shop"})

    def migration() -> tuple[str, str]:
        told = host.docker("inspect", "shop-migrate-1", "--format", "{{.Id}} {{.State.StartedAt}}").split()
        return told[0], told[1]

    both(SLEEPER, {})
    assert repo.run("plan", "web", "--json", expect=4).json["error"]["hint"].endswith("plan migrate")
    repo.deploy("migrate")
    first = migration()
    repo.deploy("web")
    second = migration()
    repo.plan("migrate", expect=0, name="done")

    both(CRASH, {"environment": {"A": "2"}})
    repo.run("plan", "web", expect=4)
    repo.deploy("migrate")
    third = migration()
    failed(repo, "web")

    assert (first[0] == second[0], first[1] < second[1]) == (True, True)
    assert second[0] != third[0] == migration()[0]


def test_the_previous_release_comes_back_by_its_own_file(repo: PlatformRepo, host: Host) -> None:
    """Two modules share a compose file: one brings the new file, and the other one's undo needs the old."""

    def both(redis: dict[str, Any], api: dict[str, Any]) -> None:
        repo.write(CORE, json.dumps({"services": {"redis": redis, "api": {**api, "depends_on": ["redis"]}}}))
        for service in ("redis", "api"):
            runtime = {"orchestrator": "docker-compose", "compose_file": CORE, "compose_service": service}
            repo.add_module(f"honcho-{service}", runtime={**runtime, "project": "honcho"})

    both(SLEEPER, WEB["services"]["web"])
    repo.deploy("honcho-redis")
    repo.deploy("honcho-api")
    both({**SLEEPER, "labels": {"a": "2"}}, CRASH)
    plan = repo.plan("honcho-redis")
    repo.approve(plan)
    repo.apply(plan)
    redis = host.docker("ps", "-q", "--filter", "name=honcho-redis")

    failed(repo, "honcho-api")

    assert images(host)["honcho-api-1"] == "platformctl-lab/web:1"
    assert host.docker("ps", "-q", "--filter", "name=honcho-redis") == redis
    repo.plan("honcho-redis", expect=0, name="again")


def test_the_first_module_of_a_shared_project_does_not_make_the_second_unmanaged(repo: PlatformRepo) -> None:
    services = {"redis": SLEEPER, "api": {**SLEEPER, "depends_on": ["redis"]}}
    repo.write(CORE, json.dumps({"services": services}))
    for service in services:
        runtime = {"orchestrator": "docker-compose", "compose_file": CORE, "compose_service": service}
        repo.add_module(f"honcho-{service}", runtime={**runtime, "project": "honcho"})
    repo.deploy("honcho-redis")

    plan = repo.run("plan", "honcho-api", "--json", expect=1).json["plans"][0]["plan"]

    assert plan["rollback"]["ready"]
    assert [change["destructive"] for change in plan["changes"]] == [False, False]


def test_a_job_that_fails_is_put_back_without_being_run_and_what_it_needs_runs(repo: PlatformRepo, host: Host) -> None:
    db = {**SLEEPER, "labels": {"release": "1"}}
    repo.add_module("job", {"services": {"job": {**JOB, "depends_on": ["db"]}, "db": db}}, kind="job")
    repo.deploy("job")
    fails = {"image": "platformctl-lab/job-fails:1", "depends_on": ["db"]}
    repo.add_module("job", {"services": {"job": fails, "db": {**db, "labels": {"release": "2"}}}}, kind="job")

    report = failed(repo, "job")

    assert report["rollback"] == "the previous release is back"
    labels = host.docker("inspect", "job-db-1", "--format", '{{index .Config.Labels "release"}} {{.State.Status}}')
    assert labels.strip() == "1 running"
    state = host.docker("inspect", "job-job-1", "--format", "{{.Config.Image}} {{.State.Status}}")
    assert state.strip() == "platformctl-lab/job:1 created"


@pytest.mark.parametrize("found", ["", "by hand"])
def test_a_file_that_broke_the_service_is_gone_before_the_previous_release_comes_up(
    repo: PlatformRepo, host: Host, found: str
) -> None:
    """A folder is read when a container starts; what lay there by hand lies there again."""
    reads = {**SLEEPER, "volumes": ["./conf.d:/conf.d:ro"], "command": ["sh", "-c", READS_FOLDER]}
    repo.write("modules/web/conf.d/good", "")
    repo.add_module("web", {"services": {"web": reads}})
    repo.deploy("web")
    if found:
        host.write("modules/web/conf.d/new", found.encode())
    repo.write("modules/web/conf.d/new", "bad")

    repo.commit()
    report = failed(repo, "web")

    assert report["rollback"] == "the previous release is back"
    assert images(host) == {"web-web-1": SLEEPER["image"]}
    assert host.sh(f"cd {host.root}/modules/web/conf.d && cat *") == found


def test_a_service_that_was_removed_by_hand_is_seen_again_after_the_undo(repo: PlatformRepo, host: Host) -> None:
    """Its plan says create; the way back is the previous release all the same, and that is looked at."""
    repo.add_module("web", WEB)
    repo.deploy("web")
    host.docker("rm", "-f", "web-web-1")
    repo.add_module("web", {"services": {"web": CRASH}})

    report = failed(repo, "web")

    assert report["rollback"] == "the previous release is back"
    assert images(host) == {"web-web-1": "platformctl-lab/web:1"}


def test_a_key_that_may_not_sign_receipts_is_refused_before_anything_runs(repo: PlatformRepo, host: Host) -> None:
    repo.add_module("web", WEB)
    plan = repo.plan("web")
    repo.approve(plan)

    ended = repo.apply(plan, "--key", repo.keys / "planner_ed25519", expect=5)

    assert ended.json["error"]["reason"] == "signer"
    assert host.docker("ps", "-aq") == ""
    repo.apply(plan)


def test_a_key_that_is_lost_before_the_receipt_is_a_warning(repo: PlatformRepo, host: Host) -> None:
    """The deed is done and proven: 9, and the operator hears that the receipt is missing."""
    repo.add_module("web", WEB, health={"timeout": "30s", "stable_for": "8s"})
    plan = repo.plan("web")
    repo.approve(plan)
    key = repo.keys / "approver_ed25519"
    process = repo.start("apply", plan, "--approved-sha", repo.head, "--json")
    assert process.stderr is not None
    for line in process.stderr:
        if "health" in line:
            key.rename(key.with_name("gone"))
            break
    stdout, _ = process.communicate()

    assert process.returncode == 9
    assert any("receipt" in warning for warning in json.loads(stdout)["warnings"])
    assert images(host) == {"web-web-1": "platformctl-lab/web:1"}
