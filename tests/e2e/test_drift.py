"""What became of a host since the last apply, and what runs there that is nobody's."""

from pathlib import Path

import pytest

from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

SLEEPER = "platformctl-lab/sleeper:1"
WEB = {"image": SLEEPER, "volumes": ["./conf:/etc/conf:ro"], "mem_limit": "64m"}


def test_drift_tells_what_was_done_on_the_host_and_nothing_that_is_pending(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.write("modules/web/conf/a", "1\n")
    repo.add_module("web", {"services": {"web": WEB}})
    repo.add_module("later", {"services": {"later": {"image": SLEEPER}}})
    repo.deploy("web")
    repo.add_module("web", {"services": {"web": {**WEB, "environment": {"A": "pending"}}}})
    quiet = repo.run("drift", "--json", expect=0).json
    assert [(row["module"], row["changes"], row["note"]) for row in quiet["modules"]] == [
        ("later", [], "never applied"),
        ("web", [], ""),
    ]

    host.docker("update", "--restart=always", "web-web-1")
    host.sh(f"echo by hand >{host.root}/modules/web/conf/a")
    folder = f"{host.root}/modules/old"
    labels = {"project": "old", "service": "job", "config-hash": "x", "project.working_dir": folder}
    words = [word for name, value in labels.items() for word in ("--label", f"com.docker.compose.{name}={value}")]
    host.docker("run", "-d", "--name", "old-job-1", *words, SLEEPER)
    host.docker("run", "-d", "--name", "elsewhere", "--label", "com.docker.compose.project=other", SLEEPER)

    (row,) = repo.run("drift", "web", "--json", expect=1).json["modules"]
    (change,) = row["changes"]
    assert (change["action"], change["causes"]) == ("recreate", ["file-content", "engine-drift"])
    assert (change["before"]["engine"], change["after"]["engine"]) == ({"restart": "always"}, {"restart": "no"})
    assert "engine.restart: always -> no" in repo.run("drift", expect=1).stdout

    (stray,) = repo.run("stray", "list", "--json", expect=0).json["strays"]
    assert (stray["container"], stray["project"], stray["service"]) == ("old-job-1", "old", "job")

    host.kill("dockerd")
    silent = repo.run("drift", "--json", expect=69).json
    assert silent["status"] == "incomplete"
    assert repo.run("stray", "list", "--json", expect=69).json["strays"] == []


def test_a_service_that_ended_is_not_in_step_however_well_it_ended(tmp_path: Path, host: Host) -> None:
    """What it needs may be a one-shot; a service itself is to run."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    waits = {"image": SLEEPER, "command": ["sh", "-c", "until [ -e /end ]; do sleep 0.1; done"]}
    first = {"depends_on": {"first": {"condition": "service_completed_successfully"}}}
    repo.add_module("web", {"services": {"web": {**waits, **first}, "first": {"image": "platformctl-lab/job:1"}}})
    repo.deploy("web")
    assert repo.run("status", "web", "--json", expect=0).json["modules"][0]["in_step"]

    host.docker("exec", "web-web-1", "touch", "/end")
    assert host.docker("wait", "web-web-1").strip() == "0"
    assert not repo.run("status", "web", "--json", expect=0).json["modules"][0]["in_step"]
    repo.run("drift", "web", expect=1)
