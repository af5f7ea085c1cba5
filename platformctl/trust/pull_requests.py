"""Whether a pull request carries a commit to production: what a forge says, judged by the policy's rule.

This comes on top of signed approvals and never replaces one: whoever runs a forge can make it say anything.
"""

from collections.abc import Iterable, Mapping

from platformctl.errors import ApprovalMismatch
from platformctl.model.forge import CheckState, CommitCheck, PullRequest, Review, Word
from platformctl.model.names import GitSha
from platformctl.model.policy import ForgeRule


def require_commit(request: PullRequest, commit: GitSha) -> None:
    """Raise `ApprovalMismatch` (`pr_commit`) unless `commit` is the request's head, or what it was merged as."""
    if not request.is_open and request.merge_commit is None:
        raise _refused("pr_commit", "the pull request was closed without being merged", request)
    if commit not in (request.head, request.merge_commit):
        merged = f", merged as {request.merge_commit}" if request.merge_commit else ""
        raise _refused("pr_commit", f"its head is {request.head}{merged}; approved was {commit}", request)


def require_checks(request: PullRequest, checks: Iterable[CommitCheck], rule: ForgeRule) -> None:
    """Raise `ApprovalMismatch` (`pr_checks`) unless every check the rule names succeeded, each time it is listed."""
    found = tuple(checks)
    bad = [told for name in rule.checks if (told := _check_told(name, found))]
    if bad or not rule.checks:
        raise _refused("pr_checks", "; ".join(bad) or "the policy names no check", request)


def require_reviews(request: PullRequest, reviews: Iterable[Review], rule: ForgeRule) -> None:
    """Raise `ApprovalMismatch` (`pr_reviews`) unless enough people the rule names approved the request's head.

    Each person's last word counts. The author's does not, and an objection that stands keeps everybody from going on.
    """
    if not request.author:
        raise _refused("pr_reviews", "the forge does not know any more who wrote it", request)
    last = _last_words(reviews, rule, request)
    objecting = sorted(name for name, review in last.items() if review.word is Word.OBJECTED and not review.dismissed)
    if objecting:
        raise _refused("pr_reviews", f"objected to by {', '.join(objecting)}", request)
    approving = sorted(name for name, review in last.items() if _approves(review, request.head))
    if len(approving) < max(rule.reviews, 1):
        people = f" ({', '.join(approving)})" if approving else ""
        detail = f"{request.head} is approved by {len(approving)} of {rule.reviews} people the policy names{people}"
        raise _refused("pr_reviews", detail, request)


def _last_words(reviews: Iterable[Review], rule: ForgeRule, request: PullRequest) -> Mapping[str, Review]:
    """Return what each person the rule names said last; forges do not tell `Ann` from `ann`."""
    allowed = {name.casefold() for name in rule.reviewers} - {request.author.casefold()}
    return {name: review for review in reviews if (name := review.reviewer.casefold()) in allowed}


def _approves(review: Review, head: GitSha) -> bool:
    counts = review.official and not review.stale and not review.dismissed
    return counts and review.word is Word.APPROVED and review.commit == head


def _check_told(name: str, checks: tuple[CommitCheck, ...]) -> str:
    """Return what is wrong with the check of that name; "" if nothing is."""
    states = [check.state for check in checks if check.name == name]
    if not states:
        return f"{name}: did not run"
    return next((f"{name}: {state.value}" for state in states if state is not CheckState.SUCCESS), "")


def _refused(reason: str, detail: str, request: PullRequest) -> ApprovalMismatch:
    return ApprovalMismatch(
        "the pull request does not approve this commit",
        detail=f"#{request.number}: {detail}",
        hint=_HINTS[reason],
        reason=reason,
    )


_HINTS = {
    "pr_commit": "name the pull request that brought the approved commit, and plan what was merged",
    "pr_checks": "wait for the checks that policy.yaml names under forge.checks, or mend what they found",
    "pr_reviews": "have the people of forge.reviewers in policy.yaml look at the head of the pull request",
}
