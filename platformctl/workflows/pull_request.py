"""What a pull request has to say about an apply, if the operator names one or the policy wants one."""

from platformctl.errors import ApprovalMismatch, Refusal
from platformctl.model.names import GitSha
from platformctl.model.policy import ForgeRule, TrustRoots
from platformctl.trust.pull_requests import require_checks, require_commit, require_reviews
from platformctl.workflows.parts import Parts

NOT_ASKED = "the pull request is noted in the receipt and was not looked at: the policy names no forge"


def require_pull_request(parts: Parts, roots: TrustRoots, number: int | None, commit: GitSha) -> tuple[str, ...]:
    """Ask the forge that policy names whether the pull request approves `commit`; return warnings.

    Raises `ApprovalMismatch` if it does not, and also if the forge can not be asked.
    """
    rule = roots.policy.forge
    if number is None:
        if rule is not None and rule.required:
            raise ApprovalMismatch(
                "the policy wants a pull request for every apply",
                detail="no --approved-pr was given",
                hint="platformctl apply PLAN --approved-sha SHA --approved-pr N",
                reason="pr_missing",
            )
        return ()
    if rule is None:
        return (NOT_ASKED,)
    _ask(parts, rule, number, commit)
    return ()


def _ask(parts: Parts, rule: ForgeRule, number: int, commit: GitSha) -> None:
    """Ask the forge, the cheap question first.

    Head and reviews come from one forge, but not at one moment. Each is held to the head that was read first, so a push
    in between makes for too few reviews and never for too many.
    """
    try:
        forge = parts.forge(rule.address)
        request = forge.pull_request(number)
        require_commit(request, commit)
        require_checks(request, forge.checks(request.head), rule)
        require_reviews(request, forge.reviews(number), rule)
    except Refusal as refusal:
        if isinstance(refusal, ApprovalMismatch) or refusal.reason == "extra":
            raise
        raise ApprovalMismatch(
            "the pull request could not be looked at",
            detail=f"#{number} of {rule.address.repository}: {refusal.summary}: {refusal.detail}",
            hint=refusal.hint,
            reason="pr_unknown",
        ) from refusal
