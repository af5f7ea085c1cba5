"""What a pull request must show before a commit may run: the right commit, green checks, and other people's word."""

from dataclasses import replace

import pytest

from platformctl.errors import ApprovalMismatch
from platformctl.model.forge import (
    CheckState,
    CommitCheck,
    ForgeAddress,
    ForgeKind,
    ForgeRepository,
    ForgeUrl,
    PullRequest,
    Review,
    Word,
)
from platformctl.model.names import GitSha
from platformctl.model.policy import ForgeRule
from platformctl.trust.pull_requests import require_checks, require_commit, require_reviews

HEAD, MERGED, OTHER = GitSha("a" * 40), GitSha("b" * 40), GitSha("c" * 40)
ADDRESS = ForgeAddress(ForgeKind.FORGEJO, ForgeUrl("https://forge.example"), ForgeRepository("platform/infra"))
RULE = ForgeRule(ADDRESS, reviewers=("ann", "ben", "cleo"), checks=("plan", "test"), reviews=2)
OPEN = PullRequest(7, "ann", HEAD, None, is_open=True)
LANDED = replace(OPEN, merge_commit=MERGED, is_open=False)
GREEN = (CommitCheck("plan", CheckState.SUCCESS), CommitCheck("test", CheckState.SUCCESS))


def approved(reviewer: str, commit: str = HEAD, **flags: bool) -> Review:
    return Review(reviewer, Word.APPROVED, commit, **flags)


def objected(reviewer: str, commit: str = HEAD, **flags: bool) -> Review:
    return Review(reviewer, Word.OBJECTED, commit, **flags)


# --- the commit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("request_", "commit"), [(OPEN, HEAD), (LANDED, HEAD), (LANDED, MERGED)])
def test_the_head_and_what_it_was_merged_as_are_of_the_pull_request(request_: PullRequest, commit: GitSha) -> None:
    require_commit(request_, commit)


@pytest.mark.parametrize(
    ("request_", "commit"),
    [
        pytest.param(OPEN, OTHER, id="another commit"),
        pytest.param(replace(OPEN, head=OTHER), HEAD, id="a head that was pushed over"),
        pytest.param(replace(OPEN, is_open=False), HEAD, id="closed without being merged"),
    ],
)
def test_another_commit_is_refused(request_: PullRequest, commit: GitSha) -> None:
    with pytest.raises(ApprovalMismatch) as refused:
        require_commit(request_, commit)

    assert refused.value.reason == "pr_commit"


# --- checks ---------------------------------------------------------------------------------------


def test_checks_that_the_rule_does_not_name_have_no_say() -> None:
    require_checks(OPEN, (*GREEN, CommitCheck("lint", CheckState.FAILURE)), RULE)


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        pytest.param(GREEN[:1], "test: did not run", id="one did not run"),
        pytest.param((), "plan: did not run; test: did not run", id="none ran"),
        pytest.param((GREEN[0], CommitCheck("test", CheckState.PENDING)), "test: pending", id="one still runs"),
        pytest.param((GREEN[0], CommitCheck("test", CheckState.FAILURE)), "test: failure", id="one failed"),
        pytest.param((*GREEN, CommitCheck("test", CheckState.ERROR)), "test: error", id="one name, two words"),
    ],
)
def test_a_check_that_did_not_succeed_is_refused_by_its_name(checks: tuple[CommitCheck, ...], told: str) -> None:
    with pytest.raises(ApprovalMismatch) as refused:
        require_checks(OPEN, checks, RULE)

    assert refused.value.reason == "pr_checks"
    assert told in refused.value.detail


def test_a_rule_without_checks_refuses() -> None:
    with pytest.raises(ApprovalMismatch):
        require_checks(OPEN, GREEN, replace(RULE, checks=()))


# --- reviews --------------------------------------------------------------------------------------


def test_two_people_other_than_the_author_are_enough() -> None:
    require_reviews(OPEN, (approved("ben"), approved("cleo")), RULE)


def test_a_person_who_comes_round_counts() -> None:
    require_reviews(OPEN, (objected("ben", OTHER), approved("cleo"), approved("ben")), RULE)


def test_a_dismissed_objection_stands_in_nobodys_way() -> None:
    one = replace(RULE, reviews=1)

    require_reviews(OPEN, (objected("ben", dismissed=True), approved("cleo")), one)


@pytest.mark.parametrize(
    "reviews",
    [
        pytest.param((), id="nobody"),
        pytest.param((approved("ben"),), id="one of two"),
        pytest.param((approved("ben"), approved("ben")), id="one person twice"),
        pytest.param((approved("ben"), approved("Ben")), id="one person in two spellings"),
        pytest.param((approved("ben"), approved("ann")), id="the author"),
        pytest.param((approved("ben"), approved("ANN")), id="the author in another spelling"),
        pytest.param((approved("ben"), approved("mallory")), id="somebody the policy does not name"),
        pytest.param((approved("ben"), approved("")), id="an account that is gone"),
        pytest.param((approved("ben"), approved("cleo", OTHER)), id="an approval of another commit"),
        pytest.param((approved("ben"), approved("cleo", stale=True)), id="a stale approval"),
        pytest.param((approved("ben"), approved("cleo", dismissed=True)), id="a dismissed approval"),
        pytest.param((approved("ben"), approved("cleo", official=False)), id="an approval that is not official"),
        pytest.param((approved("ben"), approved("cleo"), objected("cleo")), id="a person who thought again"),
        pytest.param((approved("ben"), approved("cleo"), objected("ben", OTHER)), id="an objection to an older commit"),
    ],
)
def test_v40_fewer_than_two_distinct_reviewers_at_the_head_are_refused(reviews: tuple[Review, ...]) -> None:
    with pytest.raises(ApprovalMismatch) as refused:
        require_reviews(OPEN, reviews, RULE)

    assert refused.value.reason == "pr_reviews"


def test_v39_a_push_voids_every_approval() -> None:
    reviews = (approved("ben"), approved("cleo"))
    require_reviews(OPEN, reviews, RULE)

    with pytest.raises(ApprovalMismatch, match="does not approve"):
        require_reviews(replace(OPEN, head=OTHER), reviews, RULE)


def test_a_third_persons_objection_stops_two_approvals() -> None:
    rule = replace(RULE, reviewers=(*RULE.reviewers, "dan"))

    with pytest.raises(ApprovalMismatch) as refused:
        require_reviews(OPEN, (approved("ben"), approved("cleo"), objected("dan")), rule)

    assert "objected to by dan" in refused.value.detail


def test_a_pull_request_of_nobody_can_not_be_approved_by_somebody_else() -> None:
    with pytest.raises(ApprovalMismatch):
        require_reviews(replace(OPEN, author=""), (approved("ben"), approved("cleo")), RULE)


@pytest.mark.parametrize("rule", [replace(RULE, reviews=0), replace(RULE, reviewers=(), reviews=0)])
def test_a_rule_that_asks_for_nobody_still_wants_one(rule: ForgeRule) -> None:
    with pytest.raises(ApprovalMismatch):
        require_reviews(OPEN, (), rule)
