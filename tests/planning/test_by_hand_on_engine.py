"""What somebody did by hand on a real engine: named where it stays, refused where nobody could keep the promise."""

from pathlib import Path

import pytest

from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

SLEEPER = "platformctl-lab/sleeper:1"
LIMITED = {
    "image": SLEEPER,
    "restart": "unless-stopped",
    "networks": {"back": {"aliases": ["cache"]}, "theirs": None},
    "volumes": ["data:/data"],
    "cap_drop": ["ALL"],
    "cap_add": ["CAP_CHOWN"],
    "mem_reservation": "20m",
    "cpu_shares": 73,
    "read_only": True,
    "deploy": {"resources": {"limits": {"cpus": "0.25", "memory": "64M", "pids": 30}}},
    "depends_on": ["needed"],
}
NEEDED = {"image": SLEEPER, "network_mode": "none", "restart": "on-failure:3"}
NETWORKS = {
    "back": {"internal": "yes", "attachable": "off", "labels": {"tier": "back", "part": 1.0}},
    "theirs": {"external": {"name": "shared"}},
}


def test_what_was_done_by_hand_is_told_apart_from_what_is_wanted(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    host.docker("network", "create", "shared")
    volumes = {"data": {"external": "no"}}
    compose = {"services": {"main": LIMITED, "needed": NEEDED}, "networks": NETWORKS, "volumes": volumes}
    repo.add_module("main", compose)
    repo.deploy("main")

    repo.plan("main", expect=0, name="what the engine made of it is what is wanted")

    orphan = {"project": "main", "service": "gone", "oneoff": "False", "config-hash": "x"}
    file = {"project.config_files": f"{host.root}/modules/main/compose.yaml"}
    labels = [word for n, v in {**orphan, **file}.items() for word in ("--label", f"com.docker.compose.{n}={v}")]
    host.docker("run", "-d", "--name", "orphan", *labels, SLEEPER)
    host.docker("run", "-d", "--name", "tool", "--label", "com.docker.compose.project=main", SLEEPER)
    host.docker("update", "--restart=no", "main-main-1")
    plan = repo.plan("main", name="drift")

    told = repo.run("show", plan, "--json").json["plan"]
    (drifted,) = (change for change in told["changes"] if change["action"] != "keep")
    assert (drifted["causes"], drifted["before"]["engine"]) == (["engine-drift"], {"restart": "no"})
    assert [each["name"] for each in told["untouched"]] == ["orphan", "tool"]
    repo.approve(plan)
    repo.apply(plan)
    assert {"orphan", "tool"} <= set(host.docker("ps", "--format", "{{.Names}}").split())

    host.docker("rename", "tool", "main-main-1-old")
    host.docker("rm", "-f", "main-main-1")
    host.docker("rename", "main-main-1-old", "main-main-1")
    assert repo.run("plan", "main", "--json", expect=4).json["error"]["reason"] == "name-taken"
    host.docker("rename", "main-main-1", "tool")

    for section, other in (("networks", {**NETWORKS, "back": {}}), ("volumes", {"data": {"labels": {"a": "1"}}})):
        repo.add_module("main", {**compose, section: other})
        refused = repo.run("plan", "main", "--json", expect=4).json["error"]
        assert refused["reason"] == "other-definition"
        assert {"networks": "network main_back: internal is true", "volumes": "volume main_data: labels.a"}[
            section
        ] in refused["detail"]


def test_another_clone_plans_the_same_fields_and_apply_agrees(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    main = {"image": SLEEPER, "volumes": ["./conf:/etc/conf:ro"], "environment": {"WHO": "${WHO}", "PASSWORD": "one"}}
    repo.write("modules/main/conf/a", "listen 80\npassword=Tr0ub4dor-and-3\n")
    repo.add_module("main", {"services": {"main": main}}, env={"set": {"WHO": "it's\nme"}})
    repo.deploy("main")
    repo.write("modules/main/conf/a", "listen 81\npassword=Tr0ub4dor-and-4\n")
    repo.add_module(
        "main",
        {"services": {"main": {**main, "mem_limit": "64m", "environment": {"WHO": "${WHO}", "PASSWORD": "two"}}}},
        env={"set": {"WHO": "it's\nme"}},
    )
    plan = repo.plan("main", name="then")
    (change,) = repo.run("show", plan, "--json").json["plan"]["changes"]

    before, after = change["before"], change["after"]
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == {
        *("config_hash", "environment", "files", "mem_limit")
    }
    assert before["environment"] == ["PASSWORD", "WHO"]
    assert after["environment"] == ["PASSWORD (another value)", "WHO"]
    assert before["files"] == {"modules/main/conf/a": "listen 80\npassword=[redacted]\n"}
    assert after["files"] == {"modules/main/conf/a": "listen 81\npassword=[redacted]\n"}
    assert "Tr0ub" not in plan.read_text()

    elsewhere = PlatformRepo(tmp_path / "elsewhere", repo.environment)
    elsewhere.folder.mkdir()
    repo.git("clone", "--quiet", str(repo.root), str(elsewhere.root))
    again = elsewhere.plan("main", "--trust-ref", "origin/main")
    assert elsewhere.run("show", again, "--json").json["plan"]["changes"] == [change]
    repo.approve(plan)
    repo.apply(plan)


def test_a_rotated_value_is_told_by_its_name_and_touches_who_uses_it(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})

    def place(text: str) -> None:
        folder = f"{host.root}/secrets"
        host.sh(f"mkdir -p {folder}; cat >{folder}/main.env; chown -R {host.user} {folder}", text.encode())

    place("PASSWORD=kiwi-lemon-47\nUNUSED=1\n")
    main = {"image": SLEEPER, "environment": {"PASSWORD": "${PASSWORD}"}, "depends_on": ["needed"]}
    repo.add_module(
        "main", {"services": {"main": main, "needed": {"image": SLEEPER}}}, env={"file": "secrets/main.env"}
    )
    repo.deploy("main")
    place("PASSWORD=kiwi-lemon-47\nUNUSED=2\n")
    repo.plan("main", expect=0, name="who uses it not is not touched")

    place("PASSWORD=plum-grape-12\nUNUSED=2\n")
    plan = repo.plan("main", name="rotated")
    needed, changed = repo.run("show", plan, "--json").json["plan"]["changes"]

    assert (needed["target"], needed["action"]) == ("compose.service.needed", "keep")
    assert (changed["action"], changed["causes"]) == ("recreate", ["env-fingerprint"])
    assert changed["reason"] == "a value that the host keeps differs: PASSWORD"
    (before,), (after,) = changed["before"]["variables"], changed["after"]["variables"]
    assert before.split(" ")[0] == after.split(" ")[0] == "PASSWORD"
    assert before != after
    assert not [value for value in ("kiwi-lemon-47", "plum-grape-12") if value in plan.read_text()]
    repo.approve(plan)
    repo.apply(plan)
    repo.plan("main", expect=0, name="again")
