"""Where a rollback goes: to the last release known to work before the one that is there (D7)."""

from datetime import UTC, datetime

import pytest

from platformctl.errors import Refusal
from platformctl.model.desired import NOTHING, Strategy
from platformctl.model.names import Digest, GitSha, HostName, ModuleId
from platformctl.model.policy import RollbackRule
from platformctl.model.state import HostRecord, Receipt, SignedReceipt
from platformctl.workflows.going_back import before, target_of


def record(*attempts: str) -> HostRecord:
    """`a` was applied well, `a!` failed and stayed, `a-` was undone, `0` was removed; oldest first."""
    return HostRecord(ModuleId("web"), len(attempts), tuple(SignedReceipt(_receipt(text), "") for text in attempts))


def _receipt(text: str) -> Receipt:
    outcome = {"!": "UNHEALTHY", "-": "ROLLED_BACK"}.get(text[1:], "APPLIED")
    return Receipt(
        module=ModuleId("web"),
        host=HostName("h1"),
        outcome=outcome,
        plan_digest=Digest.of(text.encode()),
        source_sha=GitSha(text[0] * 40),
        desired=NOTHING if text == "0" else Digest.of(text[:1].encode()),
        applied_at="2026-01-01T00:00:00Z",
        applied_by="ann",
        pull_request=None,
        files=(),
        images=(),
        up=(),
        closure=(),
        containers=(),
    )


@pytest.mark.parametrize(
    ("attempts", "target"),
    [
        ("", None),
        ("a", None),
        ("a b", "a"),
        ("a b c", "b"),
        ("a b! c!", "a"),
        ("a b- c-", None),
        ("a b c-", "a"),
        ("a b a", None),
        ("a b c b", "a"),
        ("a b c b a", None),
        ("a b a c", "a"),
        ("a b b!", "a"),
        ("a 0", "a"),
        ("a b 0", "b"),
        ("a b 0 b", "a"),
        ("a 0 c", None),
        ("a 0 c d", "c"),
        ("a 0 c 0", "c"),
        ("a 0 c 0 c", None),
    ],
)
def test_it_goes_back_and_never_forward_to_what_was_left(attempts: str, target: str | None) -> None:
    found = before(record(*attempts.split()))
    assert (found.source_sha[0] if found else None) == target


PREAPPROVED, NOBODY = RollbackRule(), RollbackRule(preapproved=Strategy.NONE)
SOON, LATE = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("to", "rule", "now", "target", "alone"),
    [
        (None, PREAPPROVED, SOON, "b", True),
        ("b", PREAPPROVED, SOON, "b", True),
        ("a", PREAPPROVED, SOON, "a", False),
        ("b", NOBODY, SOON, "b", False),
        ("b", PREAPPROVED, LATE, "b", False),
        ("c", PREAPPROVED, SOON, "c", False),
    ],
)
def test_one_persons_word_is_enough_for_the_release_before_alone(
    to: str | None, rule: RollbackRule, now: datetime, target: str, alone: bool
) -> None:
    found, by_one = target_of(record("a", "b", "c"), GitSha(to * 40) if to else None, rule, now)
    assert (found.source_sha[0], by_one) == (target, alone)


@pytest.mark.parametrize(
    ("to", "rule", "now", "reason"),
    [
        (None, NOBODY, SOON, "rollback"),
        (None, PREAPPROVED, LATE, "plan_expired"),
        ("d", PREAPPROVED, SOON, "no_release"),
        ("e", PREAPPROVED, SOON, "no_release"),
        ("0", PREAPPROVED, SOON, "no_release"),
    ],
)
def test_it_goes_to_no_release_that_was_not_proven_and_by_nobody_policy_does_not_accept(
    to: str | None, rule: RollbackRule, now: datetime, reason: str
) -> None:
    with pytest.raises(Refusal) as caught:
        target_of(record("0", "a", "b", "c", "d!"), GitSha(to * 40) if to else None, rule, now)
    assert caught.value.reason == reason
