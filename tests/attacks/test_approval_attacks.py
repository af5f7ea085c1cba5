"""Somebody wants an approval to count for what its giver did not approve."""

from dataclasses import replace

import pytest

from platformctl.model.names import Digest, GitSha, HostName
from platformctl.trust import envelope
from platformctl.trust.plan_codec import encode_plan
from tests.attacks.scene import Scene, the_plan
from tests.e2e.refusals import refusal


def test_an_approval_of_another_plan(scene: Scene) -> None:
    other = scene.repo.plan("other")
    scene.repo.approve(other)
    (approval,) = (
        scene.repo.root / ".platform/approvals" / envelope.read(other.read_bytes()).digest.hexadecimal
    ).iterdir()
    later = scene.forge(encode_plan(replace(the_plan(scene), source_ref="refs/heads/evil")))
    scene.apply(envelope.write(later), 5, "digest", "--approval", approval)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hosts": (HostName("elsewhere"),)}, "approval_other_host"),
        ({"source_sha": GitSha("a" * 40)}, None),
        ({"expires_at": "2026-01-01T00:00:00Z", "approved_at": "2025-12-31T00:00:00Z"}, "approval_expired"),
        ({"subject": Digest("sha256:" + "0" * 64)}, "digest"),
    ],
)
def test_an_approval_that_does_not_fit(scene: Scene, changes: dict[str, object], reason: str | None) -> None:
    sealed = scene.forge(encode_plan(replace(the_plan(scene), source_ref="refs/heads/approved-badly")))
    scene.apply(envelope.write(sealed), 5, reason, "--approval", scene.approval(sealed, **changes))


def test_an_approval_without_leave_to_destroy(scene: Scene) -> None:
    plan = the_plan(scene)
    (change,) = plan.changes
    sealed = scene.forge(encode_plan(replace(plan, changes=(replace(change, destructive=True),))))
    approval = scene.approval(sealed, allows_destructive=False)
    scene.apply(envelope.write(sealed), 6, None, "--approval", approval)


def test_the_planner_approves_itself(scene: Scene) -> None:
    planner = scene.repo.keys / "planner_ed25519"
    refused = scene.repo.run(
        "approve", scene.plan, "--yes", "--key", planner, "--out", scene.repo.folder / "x", "--json"
    )
    refusal(refused, 5, "signer")
    assert not (scene.repo.folder / "x").exists()
