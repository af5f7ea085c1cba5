"""`delivery: verify`: the host's own checkout must match, and nothing of it is ever written."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import running, see, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

COMPOSE = "modules/web/compose.yaml"


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    """Module web, which the host is to have by itself, and does."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    released(repo, "platformctl-lab/web:1")
    checked_out(repo, host)
    return repo


def released(repo: PlatformRepo, image: str) -> None:
    services = {"web": {**WEB["services"]["web"], "image": image}}
    repo.add_module("web", {"services": services}, delivery="verify", health={"timeout": "8s", "stable_for": "1s"})


def checked_out(repo: PlatformRepo, host: Host) -> None:
    """Somebody brings the host's own checkout to the commit."""
    host.sh(f"install -D -m 644 -o {host.user} /dev/stdin {host.root}/{COMPOSE}", (repo.root / COMPOSE).read_bytes())


def test_what_matches_is_brought_up_and_no_file_is_written(repo: PlatformRepo, host: Host) -> None:
    inode = host.sh(f"stat -c %i {host.root}/{COMPOSE}")
    repo.deploy("web")
    assert running(host) == {"web": "platformctl-lab/web:1"}
    assert host.sh(f"stat -c %i {host.root}/{COMPOSE}") == inode


def test_what_does_not_match_is_refused_and_the_file_named(repo: PlatformRepo, host: Host) -> None:
    repo.deploy("web")
    released(repo, "platformctl-lab/web:2")
    plan = repo.plan("web")
    repo.approve(plan, "--allow-destructive")
    with untouched(host):
        refused = refusal(repo.run("apply", plan, "--approved-sha", repo.head, "--json"), 14)
    assert COMPOSE in refused["detail"]
    assert repo.head in refused["hint"]


def test_what_only_has_another_mode_is_told_with_it(repo: PlatformRepo, host: Host) -> None:
    """As a checkout made under another umask: git says that nothing of it differs."""
    host.sh(f"chmod 664 {host.root}/{COMPOSE}")
    plan = repo.plan("web")
    repo.approve(plan, "--allow-destructive")
    with untouched(host):
        refused = refusal(repo.run("apply", plan, "--approved-sha", repo.head, "--json"), 14)
    assert f"{COMPOSE} has mode 664 instead of 644" in refused["detail"]


def test_the_way_back_is_open_once_the_host_has_its_old_files_again(repo: PlatformRepo, host: Host) -> None:
    """Which commit that is, is said."""
    good = repo.deploy("web").json["source_sha"]
    released(repo, "platformctl-lab/web:2")
    checked_out(repo, host)
    plan = repo.plan("web", name="second")
    repo.approve(plan, "--allow-destructive")
    repo.apply(plan)
    with untouched(host):
        assert good in refusal(repo.run("rollback", "web", "--json"), 14)["hint"]
    host.write(COMPOSE, repo.git("show", f"{good}:{COMPOSE}").encode())
    assert repo.run("rollback", "web", "--json", expect=9).json["source_sha"] == good
    assert running(host) == {"web": "platformctl-lab/web:1"}


def test_a_way_back_that_would_write_files_is_none_and_a_failure_stays_in_place(repo: PlatformRepo, host: Host) -> None:
    repo.deploy("web")
    released(repo, "platformctl-lab/unhealthy:1")
    checked_out(repo, host)
    plan = repo.plan("web")
    told = json.loads(repo.run("show", plan, "--payload", expect=0).stdout)["rollback"]
    assert (told["ready"], COMPOSE in told["reason"]) == (False, True)
    refusal(repo.run("approve", plan, "--yes", "--json"), 6)
    repo.approve(plan, "--allow-destructive")
    repo.apply(plan, expect=10)
    assert see(host).files == {COMPOSE: hashlib.sha256((repo.root / COMPOSE).read_bytes()).hexdigest()}
