"""A host with an approved plan that nobody applied, and what somebody can forge who has a key."""

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from platformctl.model import approval as approval_model
from platformctl.model import plan as model
from platformctl.model.approval import Approval
from platformctl.model.moment import Moment
from platformctl.model.names import GitSha, HostName
from platformctl.trust import envelope
from platformctl.trust.approvals import encode_approval
from platformctl.trust.envelope import Envelope
from platformctl.trust.keys import seal
from platformctl.trust.plan_codec import decode_plan, encode_plan
from tests.e2e.refusals import refusal
from tests.e2e.witness import untouched
from tests.lab import Host
from tests.platform_repo import PlatformRepo

ENVIRONMENT = {"PATH": os.environ["PATH"]}
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Scene:
    """A repository with an approved plan that nobody applied, and its host. Attacks leave both as they are."""

    repo: PlatformRepo
    host: Host
    plan: Path

    @property
    def good(self) -> Envelope:
        return envelope.read(self.plan.read_bytes())

    def forge(self, payload: bytes, *, key: Path | None = None) -> Envelope:
        """A plan of the attacker's making, signed with the planner's own key unless another is named."""
        return seal(
            payload, model.PAYLOAD_TYPE, key or self.repo.keys / "planner_ed25519", "plan@platformctl", ENVIRONMENT
        )

    def approval(self, of: Envelope, **changes: object) -> Path:
        """The operator's approval of `of`, but for what `changes` says: a person who did not look closely."""
        now = datetime.now(UTC)
        usual = Approval(
            subject=of.digest,
            approver="ann@example.org",
            hosts=(HostName("rs2000"),),
            source_sha=GitSha(self.repo.head),
            allows_destructive=True,
            comment="",
            approved_at=Moment.of(now - HOUR),
            expires_at=Moment.of(now + HOUR),
        )
        payload = encode_approval(replace(usual, **changes))  # type: ignore[arg-type]
        key = self.repo.keys / "approver_ed25519"
        sealed = seal(payload, approval_model.PAYLOAD_TYPE, key, "approval@platformctl", ENVIRONMENT)
        return self.file("approval.json", envelope.write(sealed))

    def file(self, name: str, content: bytes) -> Path:
        path = self.repo.folder / name
        path.write_bytes(content)
        return path

    def apply(self, content: bytes, code: int, reason: str | None = None, *more: str | Path) -> dict[str, Any]:
        """Apply a forged file; it must be refused so, and the host must not have felt it."""
        forged = self.file("forged.json", content)
        with untouched(self.host):
            ended = self.repo.run("apply", forged, "--approved-sha", self.repo.head, "--json", *more)
        return refusal(ended, code, reason)

    def apply_approved(self, plan: model.Plan | bytes, code: int, reason: str | None = None) -> dict[str, Any]:
        """The worst case: the planner's key signed it and a person approved it."""
        sealed = self.forge(plan if isinstance(plan, bytes) else encode_plan(plan))
        return self.apply(envelope.write(sealed), code, reason, "--approval", self.approval(sealed))


def the_plan(scene: Scene) -> model.Plan:
    return decode_plan(scene.good.payload)
