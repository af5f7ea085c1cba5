"""What docs/verify-by-hand.md promises: OpenSSH and coreutils alone can check what we sign."""

import re
import subprocess
from pathlib import Path

import pytest

from platformctl.model.plan import PAYLOAD_TYPE
from platformctl.trust.envelope import Envelope
from platformctl.trust.signers import OBSERVATION
from tests.trust.workshop import ENVIRONMENT, Workshop, a_plan

GUIDE = Path(__file__).parents[2] / "docs" / "verify-by-hand.md"


def commands(beginning: str) -> list[str]:
    """The guide's command lines that begin so."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text("utf-8"), flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith(beginning)]


def laid_out(folder: Path, name: str, envelope: Envelope, signers: str) -> None:
    """The files that the guide's `show` commands write."""
    (folder / f"{name}.payload").write_bytes(envelope.payload)
    (folder / f"{name}.pae").write_bytes(envelope.pae)
    (folder / f"{name}.sig").write_bytes(envelope.signatures[0].armour)
    (folder / "allowed_signers").write_text(signers)


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", line], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


@pytest.fixture
def plan(workshop: Workshop, tmp_path: Path) -> Envelope:
    envelope = workshop.sealed_plan(a_plan())
    laid_out(tmp_path, "plan", envelope, workshop.signers)
    return envelope


def test_the_guides_commands_accept_a_plan_its_approval_and_an_observation(
    workshop: Workshop, tmp_path: Path, plan: Envelope
) -> None:
    laid_out(tmp_path, "approval", workshop.approval(plan, "ann"), workshop.signers)
    observation = workshop.seal(b"{}", "application/vnd.platformctl.observation.v1+json", "planner:ci", OBSERVATION)
    laid_out(tmp_path, "observation", observation, workshop.signers)
    plan_line, approval_line, observation_line = commands("ssh-keygen -Y verify")
    assert 'Good "plan@platformctl" signature for planner:ci' in run(plan_line, tmp_path).stdout
    assert 'Good "approval@platformctl" signature for ann' in run(approval_line, tmp_path).stdout
    assert 'Good "observation@platformctl" signature for planner:ci' in run(observation_line, tmp_path).stdout


def test_the_guides_command_finds_who_signed(tmp_path: Path, plan: Envelope) -> None:
    (line,) = commands("ssh-keygen -Y find-principals")
    assert run(line, tmp_path).stdout == "planner:ci\n"


def test_the_guides_commands_refuse_an_altered_plan(tmp_path: Path, plan: Envelope) -> None:
    (tmp_path / "plan.pae").write_bytes(plan.pae.replace(b"web", b"wec"))
    assert run(commands("ssh-keygen -Y verify")[0], tmp_path).returncode != 0


def test_the_digest_is_what_sha256sum_says(tmp_path: Path, plan: Envelope) -> None:
    (line,) = commands("sha256sum")
    assert run(line, tmp_path).stdout.split()[0] == plan.digest.hexadecimal


def test_the_signed_bytes_can_be_made_by_hand(tmp_path: Path, plan: Envelope) -> None:
    (name,), (line,) = commands("type="), commands("{ printf")
    assert name == f"type={PAYLOAD_TYPE}"
    assert run(f"{name}\n{line}", tmp_path).returncode == 0
    (tmp_path / "plan.payload").write_bytes(plan.payload + b" ")
    assert run(f"{name}\n{line}", tmp_path).returncode != 0
