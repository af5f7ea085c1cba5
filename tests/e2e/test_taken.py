"""What a release needs is somebody else's already: the failure is told, taken back, and the stranger is left alone."""

import json
from pathlib import Path

import pytest

from tests.e2e.witness import see
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

STRANGER = "platformctl-lab/sleeper:1"


@pytest.mark.parametrize(
    "taken",
    [("--publish", "8080:8080"), ("--name", "web-web-1")],
    ids=["port", "name"],
)
def test_what_a_stranger_has_is_not_taken_from_it(tmp_path: Path, host: Host, taken: tuple[str, ...]) -> None:
    """A first deploy, and the release after a good one: 11, with the host as it was before each."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health={"timeout": "8s", "stable_for": "0s"})
    stranger = host.docker("run", "--detach", *taken, STRANGER).strip()
    before = see(host)

    report = repo.deploy("web", expect=11).json

    assert (report["status"], report["mutated"]) == ("rolled_back", "yes")
    assert "ended with status 1" in report["reason"]
    assert "what this apply created is gone" in report["rollback"]
    assert see(host) == before
    assert host.docker("inspect", "--format", "{{.State.Running}}", stranger).strip() == "true"

    host.docker("rm", "--force", stranger)
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/web:2"))
    repo.commit()
    repo.deploy("web")
