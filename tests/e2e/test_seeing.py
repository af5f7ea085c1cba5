"""Planning for many hosts: one connection each, two questions, and Compose only where it has something new to say."""

import base64
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fleet import add
from tests.e2e.witness import Overheard, overheard
from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

PASSWORD = "correct-horse-battery"
SLEEPER = "platformctl-lab/sleeper:1"
SECRET = {"services": {"main": {"image": SLEEPER, "environment": {"PASSWORD": "${PASSWORD}"}}}}
MESH = {
    "services": {
        "main": {"image": SLEEPER, "network_mode": "service:lender", "env_file": ["a.env"]},
        "lender": {"image": SLEEPER},
    }
}
AT_ONCE = {"timeout": "20s", "stable_for": "0s"}


@contextmanager
def counted(host: Host) -> Iterator[dict[str, int]]:
    """How many logins and remote commands the host's sshd saw, there when the block has ended."""
    host.sh("cp /etc/ssh/sshd_config /tmp/sshd_config; echo LogLevel VERBOSE >>/etc/ssh/sshd_config")
    host.reload_sshd()
    before, seen = host.sh("cat /var/log/sshd.log").splitlines(), dict[str, int]()
    try:
        yield seen
    finally:
        lines = host.sh("cat /var/log/sshd.log").splitlines()[len(before) :]
        seen["logins"] = sum("Accepted publickey" in line for line in lines)
        seen["exchanges"] = sum("Starting session" in line for line in lines)
        host.sh("cat /tmp/sshd_config >/etc/ssh/sshd_config")
        host.reload_sshd()


def computed(heard: Overheard) -> int:
    """How often Compose was asked what it would make of a release."""
    return sum("--hash" in told.words for told in heard.all())


def fleet(folder: Path, hosts: tuple[Host, ...]) -> PlatformRepo:
    """Three modules that run on one host, one of them with a secret of the host's, and one on another."""
    repo = PlatformRepo.create(folder, {"rs2000": hosts[0], "rs3000": hosts[1]})
    add(repo, "plain", SLEEPER)
    runtime = {"orchestrator": "docker-compose", "compose_service": "main"}
    repo.write("modules/mesh/a.env", "A=1\n")
    for name, compose in (("secret", SECRET), ("mesh", MESH)):
        place = {"runtime": {**runtime, "compose_file": f"modules/{name}/compose.yaml"}, "health": AT_ONCE}
        env = {"env": {"file": "secrets/main.env", "required": ["PASSWORD"]}} if name == "secret" else {}
        repo.add_module(name, compose, **place, **env)
    add(repo, "apart", SLEEPER, host="rs3000")
    rotate(hosts[0], PASSWORD)
    index = repo.run("plan", "--all", "--json", expect=1).json["index"]
    repo.approve(repo.root / index)
    repo.apply(repo.root / index)
    return repo


def causes(report: Mapping[str, Any]) -> dict[str, list[list[str]]]:
    """Why containers would change, by module."""
    changes = {planned["module"]: planned["plan"]["changes"] for planned in report["plans"]}
    return {name: [c["causes"] for c in those if c["action"] != "keep"] for name, those in changes.items()}


def is_planned_from_afar(repo: PlatformRepo, hosts: tuple[Host, ...], folder: Path) -> None:
    """With an observation and without any host: exact for what is there, `definition` for what is another release."""
    seen = folder / "seen.json"
    repo.run("observe", "--out", seen, expect=0)
    assert PASSWORD not in seen.read_text() + base64.b64decode(json.loads(seen.read_text())["payload"]).decode()
    for host in hosts[:2]:
        host.partition()
    missed = repo.run("observe", "--out", folder / "missed.json", "--json", expect=69)
    assert missed.json["status"] == "incomplete"
    report = repo.run("plan", "--all", "--observation", seen, "--json", PLATFORMCTL_SSH_KEY="", expect=0).json
    assert causes(report) == {"apart": [], "mesh": [], "plain": [], "secret": []}
    assert {planned["plan"]["speculative"] for planned in report["plans"]} == {True}

    before = repo.head
    add(repo, "plain", "platformctl-lab/web:1")
    add(repo, "new", SLEEPER)
    report = repo.run("plan", "--all", "--observation", seen, "--json", expect=1).json
    assert causes(report) == {
        "apart": [], "mesh": [], "new": [["missing"]], "plain": [["definition"]], "secret": []
    }  # fmt: skip
    plan = repo.plan("plain", "--observation", str(seen))
    repo.apply(plan, expect=5)
    assert "as observed at" in repo.run("plan", "plain", "--observation", seen, expect=1).stdout
    assert repo.run("plan", "--all", "--observation", folder / "missed.json", expect=69).code == 69
    is_believed_by_its_signature_alone(repo, seen, folder)
    repo.git("reset", "--quiet", "--hard", before)
    for host in hosts[:2]:
        host.heal()


def is_believed_by_its_signature_alone(repo: PlatformRepo, seen: Path, folder: Path) -> None:
    envelope = json.loads(seen.read_text())
    unsigned, turned = (
        {**envelope, "signatures": []},
        base64.b64decode(envelope["payload"]).replace(b"sleeper", b"sleepex"),
    )
    changed = {**envelope, "payload": base64.b64encode(turned).decode()}
    repo.run("observe", "--out", folder / "by-ann.json", "--key", repo.keys / "approver_ed25519")
    for name, content, reason in (("unsigned", unsigned, "unsigned"), ("changed", changed, "signature")):
        (folder / name).write_text(json.dumps(content))
        refused = repo.run("plan", "plain", "--observation", folder / name, "--json", expect=5)
        assert refused.json["error"]["reason"] == reason
    refused = repo.run("plan", "plain", "--observation", folder / "by-ann.json", "--json", expect=5)
    assert refused.json["error"]["reason"] == "signer"


def rotate(host: Host, value: str) -> None:
    host.write("secrets/main.env", f"PASSWORD={value}\n".encode())


def test_a_fleet_is_looked_at_with_little_and_nothing_is_overlooked(tmp_path: Path, hosts: tuple[Host, ...]) -> None:
    repo = fleet(tmp_path, hosts)
    with overheard(hosts[0]) as heard, counted(hosts[0]) as there, counted(hosts[1]) as apart:
        report = repo.run("plan", "--all", "--json", expect=0).json
        assert [each["module"] for each in report["plans"]] == ["apart", "mesh", "plain", "secret"]
        assert computed(heard) == 0
    assert there == apart == {"logins": 1, "exchanges": 2}
    with counted(hosts[0]) as there:
        assert len(repo.run("drift", "--json", expect=0).json["modules"]) == 4
    assert there == {"logins": 1, "exchanges": 3}

    is_planned_from_afar(repo, hosts, tmp_path)
    rotate(hosts[0], "two")
    with overheard(hosts[0]) as heard:
        report = repo.run("plan", "--all", "--json", expect=1).json
        assert computed(heard) == 1
    assert causes(report) == {"apart": [], "mesh": [], "plain": [], "secret": [["env-fingerprint"]]}

    rotate(hosts[0], PASSWORD)
    hosts[0].docker("rm", "-f", "mesh-lender-1")
    hosts[1].partition()
    report = repo.run("plan", "--all", "--json", expect=69).json
    assert causes(report) == {"mesh": [["missing"], ["dependency"]], "plain": [], "secret": []}
    assert [(each["module"], each["error"]["reason"]) for each in report["failed"]] == [("apart", "connect")]


def test_a_pull_request_is_told_field_by_field_where_the_clone_has_what_was_applied(tmp_path: Path, host: Host) -> None:
    """By an observation and by recorded state alike; a clone without that commit tells only that it is another one."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.write("modules/web/a.conf", "size 1\n")
    web = {"image": SLEEPER, "user": "1000", "volumes": ["./a.conf:/a.conf:ro"]}
    repo.add_module("web", {"services": {"web": web}}, health=AT_ONCE)
    repo.deploy("web")
    repo.run("observe", "--out", "../seen.json", expect=0)
    repo.write("modules/web/a.conf", "size 2\n")
    repo.add_module("web", {"services": {"web": {**web, "user": "0"}}}, health=AT_ONCE)

    for source in ("--observation=../seen.json", "--offline"):
        (planned,) = repo.run("plan", "web", source, "--json", expect=1).json["plans"]
        (change,) = planned["plan"]["changes"]
        assert (change["before"]["user"], change["after"]["user"]) == ("1000", "0")
        assert change["before"]["files"] == {"modules/web/a.conf": "size 1\n"}
        assert change["after"]["files"] == {"modules/web/a.conf": "size 2\n"}
        assert planned["plan"]["speculative"]

    shutil.rmtree(repo.root / ".git")
    repo.git("init", "--quiet", "--initial-branch=main")
    repo.git("config", "user.name", "Ann Operator")
    repo.git("config", "user.email", "ann@example.org")
    repo.commit("all anew")
    (planned,) = repo.run("plan", "web", "--observation=../seen.json", "--json", expect=1).json["plans"]
    assert [(c["before"], c["after"].keys()) for c in planned["plan"]["changes"]] == [(None, {"desired"})]
