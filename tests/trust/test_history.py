"""Trust roots over time: forward only, and new signers on the word of the old ones."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from platformctl.errors import ApprovalMismatch
from platformctl.model.forge import ForgeAddress, ForgeKind, ForgeRepository, ForgeUrl
from platformctl.model.moment import Moment
from platformctl.model.names import GitSha
from platformctl.model.policy import ApprovalRule, ForgeRule, Policy, TrustRoots
from platformctl.model.state import TrustSeen
from platformctl.trust.envelope import Envelope
from platformctl.trust.history import (
    PAYLOAD_TYPE,
    TrustChange,
    Trusted,
    Version,
    check_trust,
    encode_trust_change,
)
from platformctl.trust.signers import APPROVAL, TRUST
from tests.trust.workshop import HOST, NOW, Workshop, some_digest

OLD, NEW, ELSEWHERE = GitSha("1" * 40), GitSha("2" * 40), GitSha("e" * 40)
THIRD, FOURTH = GitSha("3" * 40), GitSha("4" * 40)


def roots(commit: GitSha | None, signers: str = "ann", rule: ApprovalRule | None = None, prose: str = "") -> TrustRoots:
    """Roots whose files are told apart by `signers`, the approval rule, and `prose`, the rest of the policy."""
    policy = Policy(approvals=rule or ApprovalRule())
    policy_digest = some_digest(f"{policy.approvals}{prose}")
    return TrustRoots(commit, policy, {}, signers, policy_digest, some_digest("hosts"), some_digest(signers))


def seen(at: TrustRoots) -> TrustSeen:
    return TrustSeen(at.commit, at.policy_digest, at.hosts_digest, at.signers_digest)


def comes_before(old: GitSha, new: GitSha) -> bool:
    return ELSEWHERE not in (old, new) and old <= new


def checked(
    workshop: Workshop,
    before: TrustRoots,
    *later: TrustRoots,
    changes: Sequence[Envelope] = (),
    **settings: Any,
) -> TrustSeen:
    """What a host that saw `before` remembers of the last of `later`; everybody in the workshop stands in all."""
    versions = [Version(each, workshop.keyring()) for each in (before, *later)]
    known = {"versions": lambda: versions, "is_ancestor": comes_before, "now": NOW, **settings}
    return check_trust(seen(before), later[-1], changes=changes, **known)


def refused(workshop: Workshop, before: TrustRoots, after: TrustRoots, *changes: Envelope, **settings: Any) -> str:
    with pytest.raises(ApprovalMismatch) as refusal:
        checked(workshop, before, after, changes=changes, **settings)
    return refusal.value.reason


def word(workshop: Workshop, by: str, before: TrustRoots, after: TrustRoots, namespace: str = TRUST) -> Envelope:
    change = TrustChange(Trusted.of(before), Trusted.of(after), after.commit or NEW, "eve joins", Moment.of(NOW))
    return workshop.seal(encode_trust_change(change), PAYLOAD_TYPE, by, namespace)


def test_a_host_that_saw_nothing_remembers_what_it_is_shown() -> None:
    shown = roots(OLD)
    kept = check_trust(None, shown, versions=tuple, is_ancestor=comes_before, changes=(), now=NOW)
    assert kept == seen(shown)


def test_newer_roots_with_the_same_signers_and_rules_follow(workshop: Workshop) -> None:
    after = roots(NEW, prose="another waiver")
    assert checked(workshop, roots(OLD), after) == seen(after)


@pytest.mark.parametrize("commit", [OLD, ELSEWHERE])
@pytest.mark.parametrize("signers", ["ann", "ann and eve"])
def test_older_or_unrelated_roots_are_refused_even_when_the_files_are_the_same(
    workshop: Workshop, commit: GitSha, signers: str
) -> None:
    assert refused(workshop, roots(NEW), roots(commit, signers)) == "trust_older"


@pytest.mark.parametrize("after", [roots(NEW, "ann and eve"), roots(NEW, rule=ApprovalRule(per_host={HOST: 2}))])
def test_new_signers_or_rules_need_the_word_of_those_the_host_knew(workshop: Workshop, after: TrustRoots) -> None:
    before = roots(OLD)
    assert refused(workshop, before, after) == "trust_changed"
    assert checked(workshop, before, after, changes=[word(workshop, "ann", before, after)]) == seen(after)


def test_what_a_pull_request_must_show_is_one_of_the_rules(workshop: Workshop) -> None:
    address = ForgeAddress(ForgeKind.FORGEJO, ForgeUrl("https://forge.example"), ForgeRepository("platform/infra"))
    two = ForgeRule(address, ("ann", "ben"), ("plan",), reviews=2)
    asking, asking_less, not_asking = (
        replace(roots(commit, prose=f"{rule}"), policy=Policy(forge=rule))
        for commit, rule in ((OLD, two), (NEW, replace(two, reviews=1)), (NEW, None))
    )

    assert refused(workshop, asking, asking_less) == "trust_changed"
    assert refused(workshop, asking, not_asking) == "trust_changed"


def test_as_many_people_vouch_as_the_most_demanding_plan_needed_before(workshop: Workshop) -> None:
    before, after = roots(OLD, rule=ApprovalRule(destructive=2)), roots(NEW)
    ann, bob = (word(workshop, person, before, after) for person in ("ann", "bob"))
    laptop = word(workshop, "ann-laptop", before, after)
    assert refused(workshop, before, after, ann, laptop) == "trust_changed"
    assert checked(workshop, before, after, changes=[ann, bob]) == seen(after)


def test_somebody_only_the_new_roots_know_can_not_vouch(workshop: Workshop) -> None:
    before, after = roots(OLD), roots(NEW, "ann and stranger")
    assert refused(workshop, before, after, word(workshop, "stranger", before, after)) == "trust_changed"


def test_a_word_for_another_purpose_does_not_vouch(workshop: Workshop) -> None:
    before, after = roots(OLD), roots(NEW, "ann and eve")
    assert refused(workshop, before, after, word(workshop, "ann", before, after, APPROVAL)) == "trust_changed"


def test_an_old_word_does_not_bring_a_removed_signer_back(workshop: Workshop) -> None:
    first, second, third = roots(OLD), roots(OLD, "ann and eve"), roots(OLD, "ann and bob")
    old_word = word(workshop, "ann", first, second)
    assert refused(workshop, third, replace(second, commit=NEW), old_word) == "trust_changed"


def test_a_host_that_missed_changes_follows_them_one_by_one(workshop: Workshop) -> None:
    """Each on the word of those in force then: eve joins by ann's word, and ann leaves by eve's."""
    first, second, third = roots(OLD), roots(NEW, "ann and eve"), roots(THIRD, "eve")
    words = [word(workshop, "ann", first, second), word(workshop, "eve", second, third)]
    lines = {"ann": "ann", "ann and eve": "ann eve", "eve": "eve"}
    versions = [
        Version(each, workshop.keyring("".join(workshop.line(name, TRUST) for name in lines[each.signers].split())))
        for each in (first, second, third)
    ]
    assert checked(workshop, first, third, changes=words, versions=lambda: versions) == seen(third)
    for one in words:
        assert refused(workshop, first, third, one, versions=lambda: versions) == "trust_changed"


def test_the_word_that_is_missing_is_asked_of_those_in_force(workshop: Workshop) -> None:
    first, second, third = roots(OLD), roots(NEW, "ann and eve"), roots(THIRD, "eve")
    with pytest.raises(ApprovalMismatch) as refusal:
        checked(workshop, first, second, third, changes=[word(workshop, "ann", first, second)])
    assert f"approve --trust-change {NEW}" in refusal.value.hint


def test_a_word_may_pass_over_a_change_that_nobody_vouched_for(workshop: Workshop) -> None:
    first, bad, third = roots(OLD), roots(NEW, "stranger"), roots(THIRD, "ann and eve")
    assert checked(workshop, first, bad, third, changes=[word(workshop, "ann", first, third)]) == seen(third)


def test_a_change_that_was_undone_needs_nobodys_word(workshop: Workshop) -> None:
    first, bad = roots(OLD), roots(NEW, "stranger")
    undone = roots(THIRD, prose="and a waiver")
    assert checked(workshop, first, bad, undone) == seen(undone)


def test_an_old_word_does_not_bring_back_who_was_removed_although_all_else_is_as_it_was(workshop: Workshop) -> None:
    """Eve joined and left, both on ann's word; then somebody merges eve again, without one."""
    first, with_eve = roots(OLD), roots(NEW, "ann and eve")
    without, again = replace(first, commit=THIRD), replace(with_eve, commit=FOURTH)
    words = [word(workshop, "ann", first, with_eve), word(workshop, "ann", with_eve, without)]
    with pytest.raises(ApprovalMismatch):
        checked(workshop, first, with_eve, without, again, changes=words)
    with pytest.raises(ApprovalMismatch):
        checked(workshop, without, again, changes=words)
    anew = word(workshop, "ann", without, again)
    assert checked(workshop, first, with_eve, without, again, changes=[*words, anew]) == seen(again)


def test_people_may_vouch_at_different_commits_of_one_change(workshop: Workshop) -> None:
    """In between, something else was merged, also in the trust roots."""
    first = roots(OLD, rule=ApprovalRule(required=2))
    second = roots(NEW, "ann and eve", ApprovalRule(required=2))
    third = roots(THIRD, "ann and eve", ApprovalRule(required=2), prose="and a waiver")
    words = [word(workshop, "ann", first, second), word(workshop, "bob", first, third)]
    assert checked(workshop, first, second, third, changes=words) == seen(third)


def test_a_policy_that_asked_for_nobody_can_not_be_left_without_a_word(workshop: Workshop) -> None:
    before = roots(OLD, rule=ApprovalRule(required=0, destructive=0))
    assert refused(workshop, before, roots(NEW)) == "trust_changed"


def test_remembered_roots_that_are_not_as_the_host_remembers_them_do_not_count(workshop: Workshop) -> None:
    before, after = roots(OLD), roots(NEW, "ann and eve")
    vouched = word(workshop, "ann", before, after)
    assert refused(workshop, before, after, vouched, versions=tuple) == "trust_changed"
    forged = Version(replace(before, signers_digest=some_digest("forged")), workshop.keyring())
    known = (forged, Version(after, workshop.keyring()))
    assert refused(workshop, before, after, vouched, versions=lambda: known) == "trust_changed"


def test_roots_from_a_folder_follow_only_where_nothing_differs_and_the_commit_stays_known(workshop: Workshop) -> None:
    assert checked(workshop, roots(OLD), roots(None)) == seen(roots(OLD))
    assert refused(workshop, roots(OLD), roots(None, "ann and eve")) == "trust_older"


def test_a_commit_follows_a_folder_only_where_nothing_differs(workshop: Workshop) -> None:
    assert checked(workshop, roots(None), roots(NEW)) == seen(roots(NEW))
    assert refused(workshop, roots(None), roots(NEW, "ann and eve")) == "trust_older"
