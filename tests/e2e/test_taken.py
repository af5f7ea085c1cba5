"""What a release needs is somebody else's already: the failure is told, taken back, and the stranger is left alone."""

import json
from pathlib import Path

from tests.e2e.refusals import refusal
from tests.e2e.witness import overheard, see, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

STRANGER = "platformctl-lab/sleeper:1"
COMES = f"""case "$*" in *' up -d '*)
  /run/docker.real run --detach --name web-web-1 {STRANGER} >/dev/null ;; esac"""
"""A stranger takes the name when everything was looked at, and the release is brought up."""


def ready(tmp_path: Path, host: Host) -> PlatformRepo:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health={"timeout": "8s", "stable_for": "0s"})
    return repo


def goes_on(repo: PlatformRepo, host: Host, stranger: str) -> None:
    """The stranger was left alone; without it, the release after the one that failed is good."""
    assert host.docker("inspect", "--format", "{{.State.Running}}", stranger).strip() == "true"
    host.docker("rm", "--force", stranger)
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/web:2"))
    repo.commit()
    repo.deploy("web")


def test_a_port_that_a_stranger_has_is_not_taken_from_it(tmp_path: Path, host: Host) -> None:
    """A first apply, and the release after a good one: 11, with the host as it was before each."""
    repo = ready(tmp_path, host)
    stranger = host.docker("run", "--detach", "--publish", "8080:8080", STRANGER).strip()
    before = see(host)

    report = repo.deploy("web", expect=11).json

    assert (report["status"], report["mutated"]) == ("rolled_back", "yes")
    assert "ended with status 1" in report["reason"]
    assert "what this apply created is gone" in report["rollback"]
    assert see(host) == before
    goes_on(repo, host, stranger)


def test_a_name_that_a_stranger_takes_at_the_last_moment_is_not_taken_from_it(tmp_path: Path, host: Host) -> None:
    repo = ready(tmp_path, host)
    plan = repo.plan("web")
    repo.approve(plan)
    with overheard(host, COMES):
        report = repo.apply(plan, expect=11).json

    assert (report["status"], report["mutated"]) == ("rolled_back", "yes")
    assert list(see(host).containers) == ["/web-web-1"]
    goes_on(repo, host, "web-web-1")


def test_a_name_that_a_stranger_took_since_the_plan_is_seen_before_anything_is_touched(
    tmp_path: Path, host: Host
) -> None:
    repo = ready(tmp_path, host)
    plan = repo.plan("web")
    repo.approve(plan)
    host.docker("run", "--detach", "--name", "web-web-1", STRANGER)
    with untouched(host):
        refusal(repo.apply(plan, expect=4), 4, "name-taken")
    goes_on(repo, host, "web-web-1")
