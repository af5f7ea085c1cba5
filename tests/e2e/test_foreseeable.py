"""What a look at the host tells is refused by a plan, and not left for an apply to fail over."""

from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import untouched
from tests.lab import Host
from tests.planning.test_closure_on_engine import with_newer_compose
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

SLEEPER = {"image": "platformctl-lab/sleeper:1"}


def test_a_variable_that_would_be_empty_is_missing_until_the_hosts_file_has_it(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    host.write("secrets/web.env", b"OTHER=1\n")
    compose = {"services": {"web": {**SLEEPER, "environment": {"A": "${NOPE}", "B": "${OTHER}"}}}}
    repo.add_module("web", compose, env={"file": "secrets/web.env"})

    error = refusal(repo.run("plan", "web", "--json"), 4)
    assert error["detail"] == "rs2000: NOPE (in environment:, without a default)"

    host.write("secrets/web.env", b"OTHER=1\nNOPE=yes\n")
    repo.deploy("web")
    assert "A=yes" in host.docker("inspect", "--format", "{{.Config.Env}}", "web-web-1")


def test_a_name_that_a_stranger_has_is_not_planned_for(tmp_path: Path, host: Host) -> None:
    """Made by hand, without a label: its name is all that is said of it."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", {"services": {"web": SLEEPER}})
    host.docker("run", "-d", "--name", "web-web-1", "--label", "kiwi=lemon", "platformctl-lab/sleeper:1")

    with untouched(host):
        error = refusal(repo.run("plan", "web", "--json"), 4, "name-taken")
    assert error["detail"] == "rs2000: web-web-1 (service web)"

    host.docker("rename", "web-web-1", "web-web-10")
    repo.deploy("web")
    host.docker("run", "-d", "--name", "web", "platformctl-lab/sleeper:1")
    repo.plan("web", expect=0)


def test_a_name_that_stays_with_a_service_under_its_old_name_is_not_planned_for(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    named = {**SLEEPER, "container_name": "fixed"}
    repo.add_module("web", {"services": {"web": named}})
    repo.deploy("web")
    repo.add_module("web", {"services": {"web": {**SLEEPER, "depends_on": ["other"]}, "other": named}})
    assert refusal(repo.run("plan", "web", "--json"), 4, "name-taken")["detail"] == "rs2000: fixed (service other)"


def test_an_env_file_that_compose_does_not_take_is_not_planned_for(tmp_path: Path, host: Host) -> None:
    """Neither a first one nor a later one: the host's own is another one until the apply."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    compose = {"services": {"web": {**SLEEPER, "env_file": "web.env"}}}
    for good in ("A=1\n", "A=2\n"):
        repo.write("modules/web/web.env", good + "B C=kiwi-lemon-47\n")
        repo.add_module("web", compose)
        with untouched(host):
            refused = repo.run("plan", "web", "--json")
        error = refusal(refused, 65)
        assert (error["file"], error["line"]) == ("modules/web/web.env", 2)
        assert "kiwi" not in refused.stdout + refused.stderr

        repo.write("modules/web/web.env", good)
        repo.commit()
        repo.deploy("web")


def test_what_the_hosts_compose_does_not_know_of_env_files_is_not_planned_for(tmp_path: Path, host: Host) -> None:
    """`format` is of Compose 2.30; the lab's is older."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.write("modules/web/web.env", "A=1\n")
    repo.add_module("web", {"services": {"web": {**SLEEPER, "env_file": [{"path": "web.env", "format": "raw"}]}}})
    assert refusal(repo.run("plan", "web", "--json"), 65)["summary"] == "Compose does not accept an env file"

    with_newer_compose(host)
    repo.plan("web")


EXTERNAL = {
    "services": {"web": {**SLEEPER, "networks": ["theirs"], "volumes": ["data:/data"]}},
    "networks": {"theirs": {"external": True}},
    "volumes": {"data": {"external": True}},
}


def test_what_somebody_else_is_to_make_must_be_there(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", EXTERNAL)
    for missing, made in (("network theirs, volume data", "network"), ("volume data", "volume")):
        with untouched(host):
            error = refusal(repo.run("plan", "web", "--json"), 4, "external-missing")
        assert error["detail"] == f"rs2000: {missing} (external in modules/web/compose.yaml)"
        host.docker(made, "create", "theirs" if made == "network" else "data")
    repo.deploy("web")

    host.docker("network", "disconnect", "--force", "theirs", "web-web-1")
    host.docker("network", "rm", "theirs")
    assert refusal(repo.run("plan", "web", "--json"), 4, "external-missing")["file"] == "modules/web/compose.yaml"


def test_a_container_whose_network_somebody_else_made_anew_gets_another_one(tmp_path: Path, host: Host) -> None:
    """Started as it is, it would end with `network not found`."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", EXTERNAL)
    host.docker("volume", "create", "data")
    host.docker("network", "create", "theirs")
    repo.deploy("web")
    host.docker("stop", "--time", "0", "web-web-1")
    host.docker("network", "rm", "theirs")
    host.docker("network", "create", "theirs")

    (change,) = repo.run("plan", "web", "--json", expect=1).json["plans"][0]["plan"]["changes"]
    assert (change["action"], "network" in change["causes"]) == ("recreate", True)
    repo.deploy("web")
    repo.plan("web", expect=0)


def test_what_an_earlier_plan_makes_is_there_for_a_later_one(tmp_path: Path, host: Host) -> None:
    """The network of one module is external to the other; neither is on the host yet."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    shared = {"networks": ["shared"], **SLEEPER}
    repo.add_module("first", {"services": {"first": shared}, "networks": {"shared": {"name": "shared"}}})
    other = {"services": {"second": shared}, "networks": {"shared": {"external": True}}}
    repo.add_module("second", other, depends_on=["first"])

    refusal(repo.run("plan", "second", "--json"), 4, "external-missing")
    index = repo.root / repo.run("plan", "--all", "--json", expect=1).json["index"]
    repo.approve(index)
    repo.apply(index)


def test_what_can_not_be_foreseen_of_another_module_is_told_as_that(tmp_path: Path, host: Host) -> None:
    """What its container will be is known when its env file is there; no container is in anybody's way."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    compose = {"services": {"web": {**SLEEPER, "depends_on": ["db"]}, "db": {**SLEEPER, "env_file": "db.env"}}}
    runtime = {"orchestrator": "docker-compose", "compose_file": "modules/db/compose.yaml", "project": "shop"}
    repo.write("modules/db/db.env", "A=1\n")
    repo.add_module("db", compose, runtime=runtime)
    repo.add_module("web", runtime=runtime)

    (refused,) = repo.run("plan", "--all", "--json", expect=4).json["failed"]
    assert refused["module"] == "web"
    assert refused["error"]["hint"] == "apply that one first: platformctl plan db"
    repo.deploy("db")
    repo.deploy("web")


def test_an_env_file_of_another_service_must_be_there_where_compose_reads_all(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})

    def commit(env_file: object) -> None:
        web = {**SLEEPER, "depends_on": ["db"], "env_file": env_file}
        compose = {"services": {"web": web, "db": {**SLEEPER, "env_file": "db.env"}}}
        runtime = {"orchestrator": "docker-compose", "compose_file": "modules/db/compose.yaml", "project": "shop"}
        repo.write("modules/db/db.env", "A=1\n")
        repo.write("modules/db/web.env", "A=1\n")
        repo.add_module("db", compose, runtime=runtime)
        repo.add_module("web", runtime=runtime)

    commit("web.env")
    with untouched(host):
        error = refusal(repo.run("plan", "db", "--json"), 4, "env-file-missing")
    assert error["detail"].startswith("rs2000: modules/db/web.env: ")

    commit([{"path": "web.env", "required": False}])
    repo.deploy("db")
    repo.deploy("web")
    commit("web.env")
    repo.plan("db", expect=0)


def test_an_env_file_of_another_service_may_be_missing_where_compose_does_without(tmp_path: Path, host: Host) -> None:
    with_newer_compose(host)
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.write("modules/db/web.env", "A=1\n")
    repo.add_module("db", {"services": {"db": SLEEPER, "web": {**SLEEPER, "env_file": "web.env"}}})
    repo.deploy("db")


def test_what_compose_makes_beside_is_there_for_a_later_plan_of_an_index(tmp_path: Path, host: Host) -> None:
    """It makes the networks and volumes of all services with the first that is brought up."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    web = {**SLEEPER, "depends_on": ["db"], "networks": ["default", "front"], "volumes": ["pages:/pages"]}
    compose = {"services": {"web": web, "db": SLEEPER}, "networks": {"front": {}}, "volumes": {"pages": {}}}
    runtime = {"orchestrator": "docker-compose", "compose_file": "modules/db/compose.yaml", "project": "shop"}
    repo.add_module("db", compose, runtime=runtime)
    repo.add_module("web", runtime=runtime)

    index = repo.root / repo.run("plan", "--all", "--json", expect=1).json["index"]
    repo.approve(index)
    repo.apply(index)
