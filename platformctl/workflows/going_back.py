"""Choose the release that a rollback goes to, and say whether one person may approve it alone."""

from datetime import datetime

from platformctl.errors import ExitCode, PolicyViolation, Refusal, StalePlan
from platformctl.model.desired import NOTHING, Strategy
from platformctl.model.moment import Moment
from platformctl.model.names import GitSha
from platformctl.model.policy import RollbackRule
from platformctl.model.state import HostRecord, Receipt


def target_of(record: HostRecord, wanted: GitSha | None, rule: RollbackRule, now: datetime) -> tuple[Receipt, bool]:
    """Return the receipt to go back to, signed and healthy, and whether one person may approve that alone.

    `wanted` is the commit of any recorded release; None means the one before. Raises `PolicyViolation` (`no_release`)
    if there is none. For None, raises also what keeps one person from going there: `rollback` or `plan_expired`.
    """
    previous = before(record)
    if previous is not None and wanted in (None, previous.source_sha):
        refusal = _not_preapproved(rule, previous, now)
        if refusal is not None and wanted is None:
            raise refusal
        return previous, refusal is None
    works = (s.receipt for s in reversed(record.receipts) if s.receipt.healthy and s.receipt.desired != NOTHING)
    recorded = next((receipt for receipt in works if receipt.source_sha == wanted), None)
    if recorded is None:
        which = "none" if wanted is None else f"none of {wanted}"
        raise PolicyViolation(
            "there is no release to go back to",
            detail=f"{record.module}: {which} that was proven to work came before the one that is there",
            hint=f"platformctl history {record.module}",
            reason="no_release",
        )
    return recorded, False


def before(record: HostRecord) -> Receipt | None:
    """Return the last release known to work before the present one; None if there is none.

    Docker does not keep the last known good release, so it is found from the receipts, as a stack: coming back to a
    release that was there before takes everything after it off, so that going back twice goes further back and never
    forward again. A release that failed is not on the stack. A removal is: there is a way back from it, and none past
    it.
    """
    stack: list[Receipt] = []
    for receipt in (signed.receipt for signed in record.receipts if signed.receipt.healthy):
        known = [n for n, earlier in enumerate(stack) if _same(earlier, receipt) and receipt.desired != NOTHING]
        del stack[known[0] if known else len(stack) :]
        stack.append(receipt)
    latest = record.latest
    if stack and latest is not None and (_left_the_proven_one(latest) or _same(stack[-1], latest)):
        stack.pop()
    return stack[-1] if stack and stack[-1].desired != NOTHING else None


def _left_the_proven_one(latest: Receipt) -> bool:
    """Return whether the last apply proved its release, or went back to the one that was proven before."""
    return latest.healthy or latest.outcome == ExitCode.ROLLED_BACK.name


def _same(one: Receipt, other: Receipt) -> bool:
    return (one.desired, one.images) == (other.desired, other.images)


def _not_preapproved(rule: RollbackRule, target: Receipt, now: datetime) -> Refusal | None:
    """Return why one person may not approve the rollback alone; None if one may."""
    hint = f"platformctl rollback {target.module} --to {target.source_sha}, and have its plan approved"
    age = (now - Moment.parse(target.applied_at).at).total_seconds()
    if rule.preapproved is not Strategy.PREVIOUS:
        return PolicyViolation(
            "policy does not accept a rollback by one person",
            detail="rollback.preapproved is none",
            hint=hint,
            reason="rollback",
        )
    if age > rule.max_age:
        return StalePlan(
            "the release is too old to go back to without approval",
            detail=f"applied at {target.applied_at}; policy says at most {rule.max_age} seconds",
            hint=hint,
            reason="plan_expired",
        )
    return None
