"""What was applied by a client that died gets its receipt from `recover`, where that can be proven, and else none."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.dead_client import DONE, approved, first_version, killed_after, left_open
from tests.e2e.refusals import refusal
from tests.e2e.witness import STARTS, overheard, running, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

LOSES = f"if {STARTS}; then kill -KILL $PPID; fi"
"""What is to tell how Compose ended dies, and Compose goes on."""


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    return first_version(tmp_path, host)


def test_what_was_applied_by_a_client_that_died_gets_its_receipt(repo: PlatformRepo, host: Host) -> None:
    """Killed when Compose was done: `recover` sees that it is what was planned and works, and writes that down.

    One that did not come to the audit chain leaves the rest to the next.
    """
    plan = approved(repo, "2")
    left_open(repo, plan)
    chain = f"{host.root}/.platformctl/audit.jsonl"
    with untouched(host):
        host.sh(f"chmod 400 {chain}")
        repo.run("recover", expect=3)
        host.sh(f"chmod 600 {chain}")
        (row,) = repo.run("recover", "--json", expect=0).json["settled"]
        assert (row["outcome"], row["why"]) == ("applied", "every service is as planned; its receipt was written")
        repo.plan("web", expect=0)
        refusal(repo.apply(plan, expect=7), 7, "used")
    (module,) = repo.run("status", "web", "--json", expect=0).json["modules"]
    assert (module["in_step"], module["source_sha"], module["outcome"]) == (True, repo.head, "APPLIED")
    assert repo.run("history", "web", "--json", expect=0).json["rows"][0]["plan_digest"] == row["plan"]
    told = json.loads(host.sh(f"tail -n 1 {chain}"))
    assert (told["event"], told["plan"], bool(told["receipt"])) == ("recover", row["plan"], True)
    repo.run("audit", "verify", expect=0)
    repo.run("rollback", "web", expect=9)
    assert running(host) == {"web": "platformctl-lab/web:1"}


def test_what_was_applied_by_a_step_whose_end_was_not_seen_gets_its_receipt(repo: PlatformRepo, host: Host) -> None:
    """Its client lived, and left a receipt that says that it failed: that is none of what runs."""
    plan = approved(repo, "2")
    with overheard(host, LOSES):
        repo.apply(plan, expect=8)
        host.sh(f"flock {host.root}/.platformctl/step.lock true")
    (row,) = repo.run("recover", "--json", expect=0).json["settled"]
    assert (row["outcome"], row["why"]) == ("applied", "every service is as planned; its receipt is written")
    (module,) = repo.run("status", "web", "--json", expect=0).json["modules"]
    assert (module["in_step"], module["source_sha"], module["attempt"]) == (True, repo.head, {})
    repo.run("audit", "verify", expect=0)


def test_what_was_applied_and_does_not_work_gets_no_receipt(repo: PlatformRepo, host: Host) -> None:
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/unhealthy:1"))
    repo.commit()
    (planned,) = repo.run("plan", "web", "--json", expect=1).json["plans"]
    repo.approve(repo.root / planned["path"])
    left_open(repo, repo.root / planned["path"])
    with untouched(host):
        (row,) = repo.run("recover", "--json", expect=0).json["settled"]
    assert row["outcome"] == "applied"
    assert "its receipt is not written: what runs is not proven to work" in row["why"]
    assert repo.run("status", "web", "--json").json["modules"][0]["source_sha"] != repo.head


def test_who_may_sign_no_receipt_settles_all_the_same(repo: PlatformRepo, host: Host) -> None:
    left_open(repo, approved(repo, "2"))
    stranger = repo.folder / "stranger"
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)), check=True)
    with untouched(host):
        (row,) = repo.run("recover", "--key", stranger, "--json", expect=0).json["settled"]
        assert row["outcome"] == "applied"
        assert "platformctl import web" in row["why"]
        repo.run("import", "web", expect=0)
    assert repo.run("status", "web", "--json").json["modules"][0]["in_step"]


def test_a_removal_whose_client_died_gets_its_receipt(repo: PlatformRepo, host: Host) -> None:
    """Also where no module names the host any more."""
    shutil.rmtree(repo.root / "modules/web")
    repo.commit()
    (planned,) = repo.run("plan", "web", "--json", expect=1).json["plans"]
    repo.approve(repo.root / planned["path"], "--allow-destructive")
    killed_after(repo, repo.root / planned["path"], DONE)
    refusal(repo.apply(repo.root / planned["path"], "--lock-wait", "20s", expect=75), 75, "unsettled")
    with untouched(host):
        (warning,) = repo.run("status", "--json", expect=0).json["warnings"]
        assert warning.startswith("rs2000: ")
        assert "platformctl recover" in warning
        (row,) = repo.run("recover", "--json", expect=0).json["settled"]
    assert (row["outcome"], row["why"]) == ("applied", "every service is as planned; its receipt is written")
    assert repo.run("status", "--json", expect=0).json["warnings"] == []
    assert "rs2000" in repo.run("audit", "verify", "--json", expect=0).json["heads"]
    assert running(host) == {}
    refused = repo.run("plan", "web", "--json")
    assert refused.code == 65, refused
