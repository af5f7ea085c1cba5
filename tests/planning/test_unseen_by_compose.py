"""What Compose's hash does not cover, on a real engine: a plan tells it, and the apply puts it right."""

from pathlib import Path
from typing import Any

import pytest

from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

SLEEPER = "platformctl-lab/sleeper:1"


def told(repo: PlatformRepo, plan: Path) -> dict[str, Any]:
    """The changes of a plan, by service."""
    changes = repo.run("show", plan, "--json").json["plan"]["changes"]
    return {change["target"].rpartition(".")[2]: change for change in changes}


def test_another_content_of_a_config_reaches_the_container_that_uses_it(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    services = {
        "main": {"image": SLEEPER, "depends_on": ["needed"]},
        "needed": {"image": SLEEPER, "configs": [{"source": "page", "target": "/page"}]},
    }
    for content in ("one", "two"):
        repo.add_module("main", {"services": services, "configs": {"page": {"content": content}}})
        repo.deploy("main")
        repo.plan("main", expect=0, name=f"after {content}")
        assert content in host.docker("cp", "main-needed-1:/page", "-")
    repo.add_module("main", {"services": services, "configs": {"page": {"content": "three"}}})
    changes = told(repo, repo.plan("main", name="three"))

    assert {name: (each["action"], each["causes"]) for name, each in changes.items()} == {
        "main": ("keep", []),
        "needed": ("recreate", ["file-content"]),
    }


def test_a_paused_container_is_drift_and_runs_after_the_next_apply(tmp_path: Path, host: Host) -> None:
    """Compose can not start it: without force `up` ends with an error, whatever else it was to do."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    main, needed = {"image": SLEEPER, "depends_on": ["needed"]}, {"image": SLEEPER}
    repo.add_module("main", {"services": {"main": main, "needed": needed}})
    repo.deploy("main")
    host.docker("pause", "main-needed-1")

    (row,) = repo.run("drift", "--json", expect=1).json["modules"]
    assert [(change["service"], change["causes"]) for change in row["changes"]] == [("needed", ["engine-drift"])]

    repo.add_module("main", {"services": {"main": {**main, "environment": {"A": "2"}}, "needed": needed}})
    repo.deploy("main")
    repo.plan("main", expect=0, name="again")
    assert host.docker("ps", "--format", "{{.Names}}", "--filter", "status=paused") == ""

    host.docker("pause", "main-main-1")
    repo.plan("main", name="paused")
    host.docker("unpause", "main-main-1")
    repo.plan("main", expect=0, name="unpaused")


def test_a_compose_file_edited_on_the_host_is_drift_and_put_right_alone(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("main", {"services": {"main": {"image": SLEEPER}}})
    repo.deploy("main")
    runs = host.docker("ps", "--no-trunc", "--quiet")
    host.sh(f"sed -i s/sleeper/healthy/ {host.root}/modules/main/compose.yaml")

    (row,) = repo.run("drift", "--json", expect=1).json["modules"]
    assert [(change["action"], change["causes"]) for change in row["changes"]] == [("update", ["file-content"])]
    assert "modules/main/compose.yaml" in row["changes"][0]["reason"]

    repo.deploy("main")
    repo.run("drift", expect=0)
    assert (
        host.sh(f"cat {host.root}/modules/main/compose.yaml") == (repo.root / "modules/main/compose.yaml").read_text()
    )
    assert host.docker("ps", "--no-trunc", "--quiet") == runs


def test_a_rotated_secret_file_of_the_host_is_told_by_its_name_and_reaches_the_container(
    tmp_path: Path, host: Host
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    services = {
        "main": {"image": SLEEPER, "secrets": ["password"], "depends_on": ["needed"]},
        "needed": {"image": SLEEPER},
    }
    secrets = {"password": {"file": "../../secrets/password"}}
    host.write("secrets/password", b"kiwi-lemon-47\n")
    repo.add_module("main", {"services": services, "secrets": secrets})
    repo.deploy("main")
    repo.plan("main", expect=0, name="again")

    host.sh(f"rm {host.root}/secrets/password")
    host.write("secrets/password", b"plum-grape-12\n")
    plan = repo.plan("main", name="rotated")
    changes = told(repo, plan)
    assert {name: (each["action"], each["causes"]) for name, each in changes.items()} == {
        "main": ("recreate", ["env-fingerprint"]),
        "needed": ("keep", []),
    }
    assert changes["main"]["reason"].endswith(": secrets.password")
    assert not [value for value in ("kiwi-lemon-47", "plum-grape-12") if value in plan.read_text()]
    repo.approve(plan)
    repo.apply(plan)
    assert host.docker("exec", "main-main-1", "cat", "/run/secrets/password") == "plum-grape-12\n"
    repo.plan("main", expect=0, name="after")
    host.sh(f"chown root {host.root}/secrets/password; chmod 600 {host.root}/secrets/password")
    repo.plan("main", expect=0, name="what the agent can not read is not known")


def test_what_was_scaled_by_hand_is_drift_and_keeps_the_container_that_fits(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("main", {"services": {"main": {"image": SLEEPER}}})
    repo.deploy("main")
    first = host.docker("ps", "--no-trunc", "--quiet")
    compose = f"docker compose -f {host.root}/modules/main/compose.yaml -p main"
    host.sh(f"{compose} up -d --no-build --pull never --scale main=3 2>&1")
    plan = repo.plan("main", name="scaled")

    change = told(repo, plan)["main"]
    assert (change["causes"], change["before"]["engine"]) == (["engine-drift"], {"scale": 3})
    repo.approve(plan)
    repo.apply(plan)
    assert host.docker("ps", "--no-trunc", "--quiet") == first


def test_what_docker_changes_behind_compose_is_drift_and_put_right(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    main = {"image": SLEEPER, "mem_limit": "64m", "blkio_config": {"weight": 300}}
    repo.add_module("main", {"services": {"main": main}})
    repo.deploy("main")
    repo.plan("main", expect=0, name="what the engine fills in by itself is no drift")

    host.docker("update", "--memory-swap=-1", "--cpuset-mems=0", "main-main-1")
    host.docker("network", "disconnect", "main_default", "main-main-1")
    host.docker("network", "connect", "main_default", "main-main-1")
    plan = repo.plan("main", name="by hand")
    change = told(repo, plan)["main"]
    assert (change["action"], change["causes"]) == ("recreate", ["engine-drift"])
    assert change["before"]["engine"] == {"aliases": [], "cpuset_mems": "0", "memswap_limit": -1}
    repo.approve(plan)
    repo.apply(plan)
    repo.plan("main", expect=0, name="put right")

    host.docker("stop", "--time", "0", "main-main-1")
    host.docker("network", "disconnect", "main_default", "main-main-1")
    plan = repo.plan("main", name="stopped and disconnected")
    assert told(repo, plan)["main"]["causes"] == ["engine-drift", "unhealthy"]
    repo.approve(plan)
    repo.apply(plan)
    repo.plan("main", expect=0, name="in its network")
