"""Somebody who has a plan that was approved and applied wants it applied once more."""

import subprocess
from pathlib import Path

from platformctl.trust import envelope
from platformctl.trust.keys import seal
from tests.attacks.scene import ENVIRONMENT
from tests.e2e.refusals import refusal
from tests.e2e.witness import untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo


def test_a_plan_used_twice(tmp_path: Path, host: Host) -> None:
    """Also from a fresh clone, which knows of the first use from the host alone, and after the change was undone."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)
    plan = repo.plan("web")
    repo.approve(plan)
    repo.apply(plan)
    with untouched(host):
        refusal(repo.apply(plan, expect=7), 7, "used")
    host.docker("rm", "-f", "web-web-1")
    clone = tmp_path / "clone"
    subprocess.run(("git", "clone", "--quiet", str(repo.root), str(clone)), check=True, env=repo.environment)
    (approval,) = (repo.root / ".platform/approvals").glob("*/*.json")
    with untouched(host):
        ended = repo.run("-C", clone, "apply", plan, "--approved-sha", repo.head, "--approval", approval, "--json")
    refusal(ended, 7, "used")


def test_the_same_plan_under_another_armour(tmp_path: Path, host: Host) -> None:
    """What is used up is the payload, however its signature is written."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)
    plan = repo.plan("web")
    repo.approve(plan)
    repo.apply(plan)
    good = envelope.read(plan.read_bytes())
    again = seal(good.payload, good.payload_type, repo.keys / "planner_ed25519", "plan@platformctl", ENVIRONMENT)
    host.docker("rm", "-f", "web-web-1")
    plan.write_bytes(envelope.write(again))
    with untouched(host):
        refusal(repo.apply(plan, expect=7), 7, "used")
