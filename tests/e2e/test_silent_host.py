"""What can still be said when a host does not answer."""

import socket
import time
from pathlib import Path

import pytest

from platformctl.transports.ssh.transport import CONNECTING
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo, host_entry

pytestmark = pytest.mark.lab


def test_history_and_audit_of_a_host_that_is_gone(tmp_path: Path, host: Host) -> None:
    """The clone's own record answers for the host, and says so; an unasked chain is not called broken."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)
    repo.deploy("web")
    plan = repo.plan("web", expect=0, name="later")
    told = [row["outcome"] for row in repo.run("history", "web", "--json", expect=0).json["rows"]]

    host.kill("sshd")

    silent = repo.run("history", "web", "--json", expect=0).json
    assert [row["outcome"] for row in silent["rows"]] == told == ["APPLIED"]
    assert "does not answer" in silent["source"]
    assert repo.run("audit", "verify", "--json", expect=69).json["status"] == "incomplete"
    assert repo.run("status", "--json", expect=69).json["warnings"]
    assert repo.run("explain", plan, "--json", expect=69).json["error"]["reason"] == "connect"


def test_a_host_that_forgot_all_is_not_taken_for_one_where_nothing_was_applied(tmp_path: Path, host: Host) -> None:
    """As after its root was emptied, while what was applied runs on."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health={"timeout": "20s", "stable_for": "0s"})
    repo.deploy("web")
    host.sh(f"rm -r {host.root}/.platformctl")
    (row,) = repo.run("status", "web", "--json", expect=0).json["modules"]
    assert (row["source_sha"], [container["state"] for container in row["containers"]]) == ("", ["running"])
    assert f"this clone applied {repo.head[:12]} at " in row["note"]
    assert "the host remembers nothing of it" in row["note"]


def test_a_host_that_is_not_planned_for_keeps_nobody_waiting(tmp_path: Path, host: Host) -> None:
    """It takes a connection and says nothing. Hosts are reached while modules are read, and its only one is refused."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead = {**host_entry(host), "address": "127.0.0.1", "port": silent.getsockname()[1]}
        repo = PlatformRepo.create(tmp_path, {"rs2000": host})
        repo.hosts_file({"rs2000": host_entry(host), "dead": dead})
        repo.add_module("web", WEB)
        may_do_all = {**WEB["services"]["web"], "privileged": True}
        repo.add_module("refused", {"services": {"refused": may_do_all}}, host="dead")
        began = time.monotonic()
        report = repo.run("plan", "--all", "--json", expect=4).json

    assert [(each["module"], each["error"]["reason"]) for each in report["failed"]] == [("refused", "privileged")]
    assert [each["module"] for each in report["plans"]] == ["web"]
    assert time.monotonic() - began < CONNECTING
