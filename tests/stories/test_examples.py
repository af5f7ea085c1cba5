"""This repository is a platform repository itself: what newcomers copy from it is valid."""

import subprocess
from pathlib import Path

from platformctl.manifests.load import read_policy
from platformctl.trust.signers import parse
from tests.platform_repo import PROGRAM

ROOT = Path(__file__).parents[2]


def test_the_example_modules_and_trust_roots_are_valid() -> None:
    done = subprocess.run((PROGRAM, "-C", ROOT, "validate"), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ 3 modules: valid" in done.stdout


def test_the_example_signers_are_a_planner_and_enough_people_for_what_is_destructive() -> None:
    signers = parse((ROOT / ".platform/allowed_signers").read_text(), "allowed_signers").values()
    policy = read_policy((ROOT / ".platform/policy.yaml").read_bytes(), "policy.yaml")

    people = {signer.principal for signer in signers if not signer.is_planner}

    assert [signer.principal for signer in signers if signer.is_planner] == ["planner:ci"]
    assert len(people) >= policy.approvals.destructive
