"""What can still be said when a host does not answer."""

from pathlib import Path

import pytest

from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

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
