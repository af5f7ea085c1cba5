"""What the tests of trust are made from: a plan, people with real keys, and the documents they sign."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from platformctl.model import approval as approval_model
from platformctl.model import plan as model
from platformctl.model.approval import Approval
from platformctl.model.moment import Moment
from platformctl.model.names import Digest, GitSha, HostName, ModuleId, RepoPath, ServiceName
from platformctl.model.observed import Source
from platformctl.trust import keys
from platformctl.trust.approvals import encode_approval
from platformctl.trust.envelope import Envelope, digest
from platformctl.trust.index import Index, IndexEntry, encode_index
from platformctl.trust.plan_codec import encode_plan
from platformctl.trust.signers import APPROVAL, OBSERVATION, PLAN

ENVIRONMENT = {"PATH": os.environ["PATH"]}
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SHA = GitSha("a" * 40)
OTHER_SHA = GitSha("b" * 40)
HOST = HostName("rs2000")
HOUR = timedelta(hours=1)
PEOPLE = f"{APPROVAL},receipt@platformctl,trust@platformctl"


def some_digest(text: str) -> Digest:
    """A digest that is told apart by `text`."""
    return digest(text.encode())


def a_change(
    service: str = "web", action: model.Action = model.Action.CREATE, *, destructive: bool = False
) -> model.Change:
    """One container that would change."""
    address = f"{HOST}/shop/{service}"
    return model.Change(
        address,
        ServiceName(service),
        action,
        (model.Cause.MISSING,),
        None,
        {"image": "web:1"},
        destructive,
        "is missing",
    )


def a_plan(**changes: object) -> model.Plan:
    """A plan that may be applied, but for what `changes` says."""
    path = RepoPath("compose/shop/compose.yaml")
    place = model.Place(path, some_digest("compose"), 0o644)
    up = model.Run(("docker", "compose", "up", "-d", "--", "web"), 120)
    host = model.PlannedHost(HOST, "ssh", "192.0.2.7", 22, "agent", "/opt/platform", ("SHA256:abc",), "m1", None, False)
    plan = model.Plan(
        module=ModuleId("shop"),
        host=host,
        source_sha=SHA,
        source_dirty=False,
        source_repo="example/platform",
        source_ref="refs/heads/main",
        created_at=Moment.of(NOW - HOUR),
        expires_at=Moment.of(NOW + HOUR),
        tool_version="0.1.0",
        drivers={"docker-compose": "1"},
        observed=model.PlannedObservation(
            Moment.of(NOW - HOUR), Source.LIVE, some_digest("seen"), "2.26.1", "20.10.24"
        ),
        speculative=False,
        trust=model.PlannedTrust(SHA, some_digest("policy"), some_digest("hosts"), some_digest("signers")),
        desired=some_digest("desired"),
        kind="service",
        files=(model.PlannedFile(path, some_digest("compose"), 0o644),),
        images=(model.PlannedImage("web:1", None, some_digest("image")),),
        closure=(ServiceName("web"),),
        changes=(a_change(),),
        steps=(model.Step("files", (place,), (model.Remove(path),)), model.Step("up", (up,), (up,))),
        rollback=model.Rollback(True, None, "first apply"),
        policy=(model.PolicyNote("image-tag", "warn", "a tag can move", None),),
    )
    return replace(plan, **changes)  # type: ignore[arg-type]


class Workshop:
    """People and planners with keys of their own; `signers` is the allowed_signers of all that were made known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, name: str) -> Path:
        """The private key of that name, made when first asked for."""
        path = self.folder / name.replace(":", "_")
        if not path.exists():
            keys.make_key(path, name, ENVIRONMENT)
        return path

    def line(self, principal: str, namespaces: str, *, key: str = "", options: str = "") -> str:
        """A line of allowed_signers."""
        public = keys.public_line(self.key(key or principal), ENVIRONMENT)
        return f'{principal} namespaces="{namespaces}"{options} {public}\n'

    @property
    def signers(self) -> str:
        """A planner, and three people; ann has two keys."""
        lines = [self.line("planner:ci", f"{PLAN},{OBSERVATION}")]
        lines += [self.line(person, PEOPLE) for person in ("ann", "bob", "eve")]
        return "".join(lines) + self.line("ann", PEOPLE, key="ann-laptop")

    def keyring(self, signers: str = "", *, revoked: str = "") -> keys.Keyring:
        """The keyring of these signers, of everybody by default; `revoked` names a key."""
        lost = keys.public_line(self.key(revoked), ENVIRONMENT) + " lost\n" if revoked else ""
        return keys.Keyring(signers or self.signers, environment=ENVIRONMENT, revoked=lost)

    def seal(self, payload: bytes, payload_type: str, by: str, namespace: str) -> Envelope:
        """Sign with the key of that name."""
        return keys.seal(payload, payload_type, self.key(by), namespace, ENVIRONMENT)

    def sealed_plan(self, plan: model.Plan, by: str = "planner:ci") -> Envelope:
        """The plan in its envelope."""
        return self.seal(encode_plan(plan), model.PAYLOAD_TYPE, by, PLAN)

    def approval(self, of: Envelope, by: str, *, namespace: str = APPROVAL, **changes: object) -> Envelope:
        """`by`'s approval of the plan or index in `of`, but for what `changes` says."""
        approval = Approval(
            subject=of.digest,
            approver=by,
            hosts=(HOST,),
            source_sha=SHA,
            allows_destructive=False,
            comment="",
            approved_at=Moment.of(NOW - timedelta(minutes=5)),
            expires_at=Moment.of(NOW + HOUR),
        )
        payload = encode_approval(replace(approval, **changes))  # type: ignore[arg-type]
        return self.seal(payload, approval_model.PAYLOAD_TYPE, by, namespace)

    def sealed_index(self, *entries: IndexEntry, by: str = "planner:ci") -> Envelope:
        """An index of these plans in its envelope."""
        payload = encode_index(Index(SHA, Moment.of(NOW - HOUR), entries))
        return self.seal(payload, model.INDEX_PAYLOAD_TYPE, by, PLAN)


def entry_of(plan: model.Plan, envelope: Envelope) -> IndexEntry:
    """The true entry of a plan."""
    return IndexEntry(plan.module, plan.host.name, plan.destructive, envelope.digest, f"{plan.module}.json")


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Keys cost a process each, so they are made once."""
    return Workshop(tmp_path_factory.mktemp("keys"))
