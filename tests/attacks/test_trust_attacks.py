"""What an attacker would try with plans and approvals: each attempt is refused, and the reason says what it was."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from platformctl.errors import ApprovalMismatch, InvalidInput
from platformctl.model.approval import PAYLOAD_TYPE as APPROVAL_TYPE
from platformctl.model.moment import Moment
from platformctl.model.names import HostName
from platformctl.model.plan import PAYLOAD_TYPE
from platformctl.model.policy import ApprovalRule
from platformctl.trust import rules
from platformctl.trust.envelope import Envelope
from platformctl.trust.keys import Keyring
from platformctl.trust.plan_codec import encode_plan
from platformctl.trust.signers import APPROVAL, PLAN
from platformctl.trust.verify import VerifiedPlan, verify
from tests.trust.workshop import NOW, OTHER_SHA, SHA, Workshop, a_change, a_plan
from tests.trust.workshop import workshop as workshop  # the fixture

TWO_PEOPLE = rules.for_apply(ApprovalRule(required=2), tool_version="0.1.0")
ONE_PERSON = rules.for_apply(ApprovalRule(), tool_version="0.1.0")


@dataclass(frozen=True)
class Evidence:
    """What an applier would be handed; each attack alters some of it."""

    plan: Envelope
    approvals: tuple[Envelope, ...]
    keyring: Keyring
    head: str = SHA

    def judge(self) -> VerifiedPlan:
        head = rules.approved_sha(self.head)
        return verify(self.plan, self.approvals, rule=TWO_PEOPLE, keyring=self.keyring, head=head, now=NOW)


@pytest.fixture
def honest(workshop: Workshop) -> Evidence:
    plan = workshop.sealed_plan(a_plan())
    return Evidence(plan, (workshop.approval(plan, "ann"), workshop.approval(plan, "bob")), workshop.keyring())


def test_the_honest_plan_is_verified(honest: Evidence) -> None:
    assert honest.judge().approved_by == ("ann", "bob")


Attack = Callable[[Workshop, Evidence], Evidence]


def names_another_commit(_: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, head=OTHER_SHA)


def names_a_short_commit(_: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, head=SHA[:7])


def swaps_in_another_plan_of_the_commit(workshop: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, plan=workshop.sealed_plan(a_plan(changes=(a_change("db"),))))


def makes_the_same_plan_again(workshop: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, plan=workshop.sealed_plan(a_plan(created_at=Moment.of(NOW))))


def points_it_at_another_host(workshop: Workshop, honest: Evidence) -> Evidence:
    elsewhere = [workshop.approval(honest.plan, who, hosts=(HostName("local"),)) for who in ("ann", "bob")]
    return replace(honest, approvals=tuple(elsewhere))


def waits_until_the_approval_has_ended(workshop: Workshop, honest: Evidence) -> Evidence:
    ended = [workshop.approval(honest.plan, who, expires_at=Moment.of(NOW)) for who in ("ann", "bob")]
    return replace(honest, approvals=tuple(ended))


def approves_as_the_planner(workshop: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, approvals=(honest.approvals[0], workshop.approval(honest.plan, "planner:ci")))


def approves_twice_with_two_keys(workshop: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, approvals=(honest.approvals[0], workshop.approval(honest.plan, "ann-laptop")))


def hands_in_one_approval_twice(_: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, approvals=honest.approvals[:1] * 2)


def writes_somebody_elses_keyid(workshop: Workshop, honest: Evidence) -> Evidence:
    by_stranger = workshop.approval(honest.plan, "stranger", approver="bob")
    forged = replace(by_stranger.signatures[0], keyid=honest.approvals[1].signatures[0].keyid)
    return replace(honest, approvals=(honest.approvals[0], replace(by_stranger, signatures=(forged,))))


def moves_a_signature_to_other_bytes(workshop: Workshop, honest: Evidence) -> Evidence:
    other = workshop.approval(workshop.sealed_plan(a_plan(kind="job")), "bob")
    moved = replace(honest.approvals[1], payload=other.payload)
    return replace(honest, approvals=(honest.approvals[0], moved))


def calls_the_payload_plain_json(_: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, plan=replace(honest.plan, payload_type="application/json"))


def signs_plain_json(workshop: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, plan=workshop.seal(honest.plan.payload, "application/json", "planner:ci", PLAN))


def changes_one_byte(_: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, plan=replace(honest.plan, payload=honest.plan.payload.replace(b"web", b"wec", 1)))


def writes_the_same_json_in_another_order(_: Workshop, honest: Evidence) -> Evidence:
    document = json.loads(honest.plan.payload)
    reordered = json.dumps(dict(reversed(document.items()))).encode()
    return replace(honest, plan=replace(honest.plan, payload=reordered))


def uses_a_revoked_key(workshop: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, keyring=workshop.keyring(revoked="bob"))


def uses_an_expired_key(workshop: Workshop, honest: Evidence) -> Evidence:
    lines = workshop.signers.replace('bob namespaces="', 'bob valid-before="20260601",namespaces="')
    return replace(honest, keyring=workshop.keyring(lines))


def uses_a_key_that_was_removed(workshop: Workshop, honest: Evidence) -> Evidence:
    lines = [line for line in workshop.signers.splitlines(keepends=True) if not line.startswith("bob ")]
    return replace(honest, keyring=workshop.keyring("".join(lines)))


def takes_a_receipt_for_an_approval(workshop: Workshop, honest: Evidence) -> Evidence:
    receipt = workshop.approval(honest.plan, "bob", namespace="receipt@platformctl")
    return replace(honest, approvals=(honest.approvals[0], receipt))


def takes_an_approval_for_a_plan(_: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, plan=honest.approvals[0])


def plans_with_an_approvers_key(workshop: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, plan=workshop.sealed_plan(a_plan(), by="ann"))


def strips_the_signature(_: Workshop, honest: Evidence) -> Evidence:
    return replace(honest, plan=replace(honest.plan, signatures=()))


def adds_a_second_signature(_: Workshop, honest: Evidence) -> Evidence:
    both = honest.plan.signatures + honest.approvals[0].signatures
    return replace(honest, plan=replace(honest.plan, signatures=both))


def approves_ahead_of_time(workshop: Workshop, honest: Evidence) -> Evidence:
    ahead = workshop.approval(honest.plan, "bob", approved_at="2026-06-02T00:00:00Z", expires_at="2027-01-01T00:00:00Z")
    return replace(honest, approvals=(honest.approvals[0], ahead))


ATTACKS: tuple[tuple[Attack, str], ...] = (
    (names_another_commit, "sha"),
    (names_a_short_commit, "sha"),
    (swaps_in_another_plan_of_the_commit, "digest"),
    (makes_the_same_plan_again, "digest"),
    (points_it_at_another_host, "approval_other_host"),
    (waits_until_the_approval_has_ended, "approval_expired"),
    (approves_as_the_planner, "signer"),
    (approves_twice_with_two_keys, "approval_missing"),
    (hands_in_one_approval_twice, "approval_missing"),
    (writes_somebody_elses_keyid, "signer"),
    (moves_a_signature_to_other_bytes, "signature"),
    (calls_the_payload_plain_json, "signature"),
    (signs_plain_json, "signature"),
    (changes_one_byte, "signature"),
    (writes_the_same_json_in_another_order, "signature"),
    (uses_a_revoked_key, "signer"),
    (uses_an_expired_key, "signer"),
    (uses_a_key_that_was_removed, "signer"),
    (takes_a_receipt_for_an_approval, "signature"),
    (takes_an_approval_for_a_plan, "signature"),
    (plans_with_an_approvers_key, "signer"),
    (strips_the_signature, "unsigned"),
    (adds_a_second_signature, "signature"),
    (approves_ahead_of_time, "created_in_future"),
)


@pytest.mark.parametrize(("attack", "reason"), ATTACKS, ids=lambda value: getattr(value, "__name__", value))
def test_an_attack_is_refused_with_its_reason(
    workshop: Workshop, honest: Evidence, attack: Attack, reason: str
) -> None:
    with pytest.raises(ApprovalMismatch) as refusal:
        attack(workshop, honest).judge()
    assert refusal.value.reason == reason


def test_a_person_who_plans_can_not_approve_their_own_plan(workshop: Workshop) -> None:
    lines = workshop.signers.replace(f'eve namespaces="{APPROVAL}', f'eve namespaces="{PLAN},{APPROVAL}')
    plan = workshop.sealed_plan(a_plan(), by="eve")
    approval = workshop.approval(plan, "eve")
    with pytest.raises(ApprovalMismatch) as refusal:
        verify(plan, [approval], rule=ONE_PERSON, keyring=workshop.keyring(lines), head=SHA, now=NOW)
    assert refusal.value.reason == "signer"


def test_an_approval_that_says_two_things_does_not_count(workshop: Workshop, honest: Evidence) -> None:
    approval = honest.approvals[1].payload.replace(b'"approver":"bob"', b'"approver":"bob","approver":"eve"')
    twofold = workshop.seal(approval, APPROVAL_TYPE, "bob", APPROVAL)
    with pytest.raises(InvalidInput):
        replace(honest, approvals=(honest.approvals[0], twofold)).judge()


def test_a_signed_plan_that_says_two_things_is_refused(workshop: Workshop, honest: Evidence) -> None:
    payload = encode_plan(a_plan()).replace(b'"speculative":false', b'"speculative":true,"speculative":false')
    twofold = workshop.seal(payload, PAYLOAD_TYPE, "planner:ci", PLAN)
    with pytest.raises(InvalidInput):
        replace(honest, plan=twofold).judge()


def test_signing_again_does_not_make_a_plan_a_new_one(workshop: Workshop, honest: Evidence) -> None:
    again = workshop.sealed_plan(a_plan())
    assert replace(honest, plan=again).judge().digest == honest.plan.digest


def test_verifying_a_plan_with_two_approvals_takes_less_than_a_tenth_of_a_second(honest: Evidence) -> None:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        honest.judge()
        times.append(time.perf_counter() - started)
    assert min(times) < 0.1
