"""A container leaves a link in a folder that it may write to, for a release that comes later to be given it."""

from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import untouched
from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab
POLICY = ".platform/policy.yaml"
WAIVER = "waivers: [{module: web, rule: linked-mount, reason: the data lies on another disk, expires: 2099-01-01}]\n"


def mounting(repo: PlatformRepo, volume: str, command: str = "sleep 2147483647") -> None:
    service = {"image": "platformctl-lab/sleeper:1", "volumes": [volume], "command": ["sh", "-c", command]}
    repo.add_module("web", {"services": {"web": service}}, health={"stable_for": "0s"})


def test_a_link_that_an_earlier_release_left_in_its_folder(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    folder = f"{host.root}/modules/web/data"
    mounting(repo, "./data:/data", "mkdir -p /data/real/deep; ln -sfn /etc /data/link; sleep 2147483647")
    repo.deploy("web")
    host.sh(f"until [ -L {folder}/link ]; do :; done")

    for source in ("./data/link", "./data/link/ssh", "./data/real/../link"):
        mounting(repo, f"{source}:/given:ro")
        with untouched(host):
            error = refusal(repo.run("plan", "web", "--json"), 4, "linked-mount")
        assert "modules/web/data/link" in error["detail"]

    mounting(repo, "./data/real/deep:/given:ro")
    plan = repo.plan("web")
    repo.approve(plan)
    host.sh(f"rm -r {folder}/real; ln -s /etc {folder}/real")
    with untouched(host):
        refusal(repo.run("apply", plan, "--approved-sha", repo.head, "--json"), 4, "linked-mount")

    repo.write(POLICY, (repo.root / POLICY).read_text().replace("waivers: []\n", WAIVER))
    repo.commit("waived")
    repo.plan("web")
