"""May this plan run? One test of keeping and one of refusing for each thing that is asked."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from platformctl.errors import (
    ApprovalMismatch,
    DestructiveNeedsApproval,
    ExitCode,
    InvalidInput,
    PolicyViolation,
    Refusal,
    StalePlan,
)
from platformctl.model.approval import PAYLOAD_TYPE
from platformctl.model.moment import Moment
from platformctl.model.names import GitSha, HostName, ModuleId
from platformctl.model.plan import Action, Rollback
from platformctl.model.policy import ApprovalRule
from platformctl.trust import rules
from platformctl.trust.envelope import Envelope
from platformctl.trust.evidence import Rule
from platformctl.trust.signers import APPROVAL
from platformctl.trust.verify import Verdict, VerifiedPlan, assess, verify
from tests.trust.security_key import SecurityKey
from tests.trust.workshop import HOST, HOUR, NOW, OTHER_SHA, SHA, Workshop, a_change, a_plan, entry_of

DESTRUCTIVE = a_plan(changes=(a_change(action=Action.DELETE, destructive=True),))
NOTHING = a_plan(changes=(a_change(action=Action.KEEP),))
SECOND = timedelta(seconds=1)


def rule_for(**approvals: Any) -> Rule:
    return rules.for_apply(ApprovalRule(**approvals), tool_version="0.1.9")


def judged(workshop: Workshop, envelope: Envelope, *approvals: Envelope, **settings: Any) -> Verdict:
    settings = {"rule": rule_for(), "keyring": workshop.keyring(), "head": SHA, "now": NOW, **settings}
    return assess(envelope, approvals, **settings)


def told(verdict: Verdict) -> list[tuple[type[Refusal], str]]:
    return [(type(refusal), refusal.reason) for refusal in verdict.refusals]


# The plan itself --------------------------------------------------------------------------------------------------


def test_a_signed_and_approved_plan_is_verified(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan())
    approval = workshop.approval(envelope, "ann")
    verified = verify(envelope, [approval], rule=rule_for(), keyring=workshop.keyring(), head=SHA, now=NOW)
    assert (verified.plan, verified.digest) == (a_plan(), envelope.digest)
    assert (verified.signed_by, verified.approved_by) == ("planner:ci", ("ann",))


def test_verify_raises_the_first_reason_of_many(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan(source_dirty=True, speculative=True, expires_at=Moment.of(NOW)))
    with pytest.raises(ApprovalMismatch) as refusal:
        verify(envelope, [], rule=rule_for(), keyring=workshop.keyring(), head=OTHER_SHA, now=NOW)
    assert refusal.value.reason == "sha"


def test_what_is_signed_as_another_thing_is_told_as_what_it_is(workshop: Workshop) -> None:
    """An index is easily taken for a plan; of a stranger's type as much is repeated as a person can read."""
    plan = workshop.sealed_plan(a_plan())
    (refusal,) = judged(workshop, workshop.sealed_index(entry_of(a_plan(), plan))).refusals
    assert refusal.reason == "signature"
    assert "of type application/vnd.platformctl.index.v1+json, and not of type" in refusal.detail
    (refusal,) = judged(workshop, replace(plan, payload_type="x" * 9999)).refusals
    assert len(refusal.detail) < 200


def test_assess_tells_every_reason_in_a_fixed_order(workshop: Workshop) -> None:
    wrong = {"source_dirty": True, "speculative": True, "expires_at": Moment.of(NOW), "tool_version": "0.2.0"}
    verdict = judged(workshop, workshop.sealed_plan(a_plan(**wrong)), head=OTHER_SHA)
    reasons = [reason for _, reason in told(verdict)]
    assert reasons == ["tool_version", "sha", "speculative", "dirty", "plan_expired", "approval_missing"]
    assert not verdict.verified


def test_a_verified_plan_can_not_be_made_or_altered_elsewhere(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(NOTHING)
    verified = verify(envelope, [], rule=rule_for(), keyring=workshop.keyring(), head=SHA, now=NOW)
    with pytest.raises(TypeError):
        VerifiedPlan(verified.plan, verified.digest, "ann", (), object())
    replaced: Callable[..., VerifiedPlan] = replace
    with pytest.raises((TypeError, ValueError)):
        replaced(verified, plan=a_plan())


def test_a_plan_that_was_signed_by_nobody_is_refused_unread(workshop: Workshop) -> None:
    verdict = judged(workshop, replace(workshop.sealed_plan(a_plan()), signatures=()))
    assert told(verdict) == [(ApprovalMismatch, "unsigned")]
    assert (verdict.plan, verdict.signed_by) == (None, None)


def test_a_plan_signed_twice_is_refused(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan())
    verdict = judged(workshop, replace(envelope, signatures=envelope.signatures * 2))
    assert told(verdict) == [(ApprovalMismatch, "signature")]


def test_a_person_without_the_plan_namespace_can_not_plan(workshop: Workshop) -> None:
    assert told(judged(workshop, workshop.sealed_plan(a_plan(), by="ann"))) == [(ApprovalMismatch, "signer")]


def test_signed_bytes_that_are_no_plan_are_invalid_input(workshop: Workshop) -> None:
    envelope = workshop.seal(b"{}", "application/vnd.platformctl.plan.v1+json", "planner:ci", "plan@platformctl")
    verdict = judged(workshop, envelope)
    assert told(verdict) == [(InvalidInput, "")]
    assert verdict.signed_by == "planner:ci"


@pytest.mark.parametrize(
    ("changes", "refusal", "reason"),
    [
        ({"speculative": True}, ApprovalMismatch, "speculative"),
        ({"source_dirty": True}, ApprovalMismatch, "dirty"),
        ({"expires_at": Moment.of(NOW)}, StalePlan, "plan_expired"),
        ({"created_at": Moment.of(NOW + timedelta(seconds=61))}, ApprovalMismatch, "created_in_future"),
        ({"tool_version": "0.2.0"}, StalePlan, "tool_version"),
        ({"tool_version": "1.1.0"}, StalePlan, "tool_version"),
    ],
)
def test_a_plan_that_can_not_be_applied_says_why(
    workshop: Workshop, changes: dict[str, Any], refusal: type[Refusal], reason: str
) -> None:
    envelope = workshop.sealed_plan(a_plan(**changes))
    assert told(judged(workshop, envelope, workshop.approval(envelope, "ann"))) == [(refusal, reason)]


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at": Moment.of(NOW + SECOND)},
        {"created_at": Moment.of(NOW + timedelta(seconds=60))},
        {"tool_version": "0.1.99"},
    ],
)
def test_a_plan_just_within_its_bounds_is_verified(workshop: Workshop, changes: dict[str, Any]) -> None:
    envelope = workshop.sealed_plan(a_plan(**changes))
    assert judged(workshop, envelope, workshop.approval(envelope, "ann")).verified


def test_a_plan_of_another_commit_than_approved_is_refused(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan())
    verdict = judged(workshop, envelope, workshop.approval(envelope, "ann"), head=OTHER_SHA)
    assert told(verdict) == [(ApprovalMismatch, "sha")]


def test_where_no_commit_was_named_none_is_compared(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan())
    assert judged(workshop, envelope, workshop.approval(envelope, "ann"), head=None).verified


def test_a_full_commit_id_is_taken_as_the_approved_commit() -> None:
    assert rules.approved_sha("a" * 40) == GitSha("a" * 40)


@pytest.mark.parametrize("text", ["", "abc", "a" * 39, "a" * 41, "A" * 40, "g" * 40, "HEAD", "a" * 40 + "\n", "٠" * 40])
def test_what_is_not_a_full_commit_id_is_refused(text: str) -> None:
    with pytest.raises(ApprovalMismatch) as refusal:
        rules.approved_sha(text)
    assert refusal.value.reason == "sha"


# How many people --------------------------------------------------------------------------------------------------


def test_a_plan_nobody_approved_is_refused_and_the_command_named(workshop: Workshop) -> None:
    (refusal,) = judged(workshop, workshop.sealed_plan(a_plan())).refusals
    assert (refusal.reason, refusal.detail) == ("approval_missing", "approved by 0 of 1 people")
    assert refusal.hint == "platformctl approve PLAN"


def test_a_plan_without_changes_needs_nobody(workshop: Workshop) -> None:
    assert judged(workshop, workshop.sealed_plan(NOTHING)).verified


@pytest.mark.parametrize("approvals", [{"required": 2}, {"per_host": {HOST: 2}}])
def test_two_people_are_asked_for_where_policy_says_two(workshop: Workshop, approvals: dict[str, Any]) -> None:
    envelope = workshop.sealed_plan(a_plan())
    ann, bob = (workshop.approval(envelope, person) for person in ("ann", "bob"))
    rule = rule_for(**approvals)
    assert told(judged(workshop, envelope, ann, rule=rule)) == [(ApprovalMismatch, "approval_missing")]
    assert judged(workshop, envelope, ann, bob, rule=rule).approved_by == ("ann", "bob")
    assert judged(workshop, envelope, ann, bob, rule=rule).verified


def test_a_policy_that_asks_for_nobody_is_refused(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan())
    verdict = judged(workshop, envelope, workshop.approval(envelope, "ann"), rule=rule_for(required=0))
    assert told(verdict) == [(PolicyViolation, "")]


def test_no_rules_at_all_refuse(workshop: Workshop) -> None:
    for empty in (rules.all_of(), rules.any_of(), rules.any_of(rules.all_of()), rules.all_of(rules.any_of())):
        assert told(judged(workshop, workshop.sealed_plan(NOTHING), rule=empty)) == [(PolicyViolation, "")]


def test_one_rule_of_several_is_enough_for_any_and_not_for_all(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan())
    approval = workshop.approval(envelope, "ann")
    strict, lenient = rules.has_quorum(ApprovalRule(required=2)), rules.has_quorum(ApprovalRule())
    assert judged(workshop, envelope, approval, rule=rules.any_of(strict, lenient)).verified
    assert not judged(workshop, envelope, approval, rule=rules.all_of(strict, lenient)).verified


def test_a_key_in_a_file_does_not_count_where_hardware_is_asked_for(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan())
    verdict = judged(workshop, envelope, workshop.approval(envelope, "ann"), rule=rule_for(hardware_only=True))
    assert told(verdict) == [(ApprovalMismatch, "approval_missing")]
    assert "hardware" in verdict.refusals[0].detail


def test_a_security_key_counts_where_hardware_is_asked_for(workshop: Workshop) -> None:
    security_key, envelope = SecurityKey(), workshop.sealed_plan(a_plan())
    keyring = workshop.keyring(f'{workshop.signers}kim namespaces="{APPROVAL}" {security_key.line}\n')
    approval = security_key.seal(workshop.approval(envelope, "ann").payload, PAYLOAD_TYPE, APPROVAL)
    verdict = judged(workshop, envelope, approval, rule=rule_for(hardware_only=True), keyring=keyring)
    assert (verdict.verified, verdict.approved_by) == (True, ("kim",))


# What would be lost -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", [DESTRUCTIVE, a_plan(rollback=Rollback(False, None, "the image is gone"))])
def test_a_destructive_plan_needs_approvals_that_allow_it(workshop: Workshop, plan: Any) -> None:
    envelope = workshop.sealed_plan(plan)
    verdict = judged(workshop, envelope, workshop.approval(envelope, "ann"))
    assert told(verdict) == [(DestructiveNeedsApproval, "")]
    assert verdict.refusals[0].exit_code is ExitCode.DESTRUCTIVE_NEEDS_APPROVAL
    assert judged(workshop, envelope, workshop.approval(envelope, "ann", allows_destructive=True)).verified


def test_only_people_who_allow_destruction_count_towards_its_quorum(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(DESTRUCTIVE)
    ann = workshop.approval(envelope, "ann", allows_destructive=True)
    rule = rule_for(destructive=2)
    assert told(judged(workshop, envelope, ann, rule=rule)) == [(ApprovalMismatch, "approval_missing")]
    bob = workshop.approval(envelope, "bob")
    assert told(judged(workshop, envelope, ann, bob, rule=rule)) == [(DestructiveNeedsApproval, "")]
    bob = workshop.approval(envelope, "bob", allows_destructive=True)
    assert judged(workshop, envelope, ann, bob, rule=rule).verified


# Which approvals count --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source_sha": OTHER_SHA}, "sha"),
        ({"hosts": (HostName("local"),)}, "approval_other_host"),
        ({"hosts": ()}, "approval_other_host"),
        ({"expires_at": Moment.of(NOW)}, "approval_expired"),
        ({"approved_at": Moment.of(NOW + timedelta(seconds=61))}, "created_in_future"),
    ],
)
def test_an_approval_of_something_else_does_not_count_and_says_why(
    workshop: Workshop, changes: dict[str, Any], reason: str
) -> None:
    envelope = workshop.sealed_plan(a_plan())
    verdict = judged(workshop, envelope, workshop.approval(envelope, "ann", **changes))
    assert told(verdict) == [(ApprovalMismatch, reason), (ApprovalMismatch, "approval_missing")]
    assert verdict.approved_by == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"hosts": (HostName("local"), HOST)},
        {"expires_at": Moment.of(NOW + SECOND)},
        {"approved_at": Moment.of(NOW + timedelta(seconds=60))},
    ],
)
def test_an_approval_just_within_its_bounds_counts(workshop: Workshop, changes: dict[str, Any]) -> None:
    envelope = workshop.sealed_plan(a_plan())
    assert judged(workshop, envelope, workshop.approval(envelope, "ann", **changes)).verified


def test_stray_approvals_do_not_stop_an_approved_plan(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan())
    discounted = [workshop.approval(envelope, "stranger"), workshop.approval(envelope, "bob", hosts=()), envelope]
    assert judged(workshop, envelope, *discounted, workshop.approval(envelope, "ann")).verified


# An index ---------------------------------------------------------------------------------------------------------


def test_an_approval_of_the_index_covers_its_plans(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan())
    index = workshop.sealed_index(entry_of(a_plan(), envelope))
    assert judged(workshop, envelope, workshop.approval(index, "ann"), index=index).verified


def test_an_approval_of_an_index_counts_only_beside_that_index(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan())
    approval = workshop.approval(workshop.sealed_index(entry_of(a_plan(), envelope)), "ann")
    assert tuple(r for _, r in told(judged(workshop, envelope, approval))) == ("digest", "approval_missing")


def test_the_strictest_quorum_counts_for_an_index(workshop: Workshop) -> None:
    envelope, other = workshop.sealed_plan(a_plan()), workshop.sealed_plan(DESTRUCTIVE)
    entry = replace(entry_of(DESTRUCTIVE, other), module=ModuleId("mail"))
    index = workshop.sealed_index(entry_of(a_plan(), envelope), entry)
    ann, bob = (workshop.approval(index, person) for person in ("ann", "bob"))
    rule = rule_for(destructive=2)
    verdict = judged(workshop, envelope, ann, index=index, rule=rule)
    assert [refusal.detail for refusal in verdict.refusals] == ["approved by 1 of 2 people"]
    assert judged(workshop, envelope, ann, bob, index=index, rule=rule).verified


def test_a_plan_approved_itself_needs_no_more_because_of_its_index(workshop: Workshop) -> None:
    envelope, other = workshop.sealed_plan(a_plan()), workshop.sealed_plan(DESTRUCTIVE)
    entry = replace(entry_of(DESTRUCTIVE, other), module=ModuleId("mail"))
    index = workshop.sealed_index(entry_of(a_plan(), envelope), entry)
    rule = rule_for(destructive=2)
    assert judged(workshop, envelope, workshop.approval(envelope, "ann"), index=index, rule=rule).verified


@pytest.mark.parametrize(
    "lie", [{"module": "mail"}, {"host": HostName("local")}, {"destructive": True}, {"digest": "sha256:" + "0" * 64}]
)
def test_an_index_that_says_something_else_of_a_plan_is_refused(workshop: Workshop, lie: dict[str, Any]) -> None:
    envelope = workshop.sealed_plan(a_plan())
    index = workshop.sealed_index(replace(entry_of(a_plan(), envelope), **lie))
    verdict = judged(workshop, envelope, workshop.approval(envelope, "ann"), index=index)
    assert told(verdict) == [(ApprovalMismatch, "digest")]


def test_an_index_by_a_stranger_is_refused(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan())
    index = workshop.sealed_index(entry_of(a_plan(), envelope), by="stranger")
    assert told(judged(workshop, envelope, index=index)) == [(ApprovalMismatch, "signer")]


def test_times_are_compared_and_not_their_texts(workshop: Workshop) -> None:
    envelope = workshop.sealed_plan(a_plan(expires_at=Moment.of(NOW + 100 * HOUR)))
    approval = workshop.approval(envelope, "ann", expires_at=Moment.of(NOW + 100 * HOUR))
    assert judged(workshop, envelope, approval, now=NOW + 99 * HOUR).verified
