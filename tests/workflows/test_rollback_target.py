"""Where a rollback goes: to the last release known to work before the one that is there (D7)."""

import pytest

from platformctl.model.names import Digest, GitSha, HostName, ModuleId
from platformctl.model.state import HostRecord, Receipt, SignedReceipt
from platformctl.workflows.rollback import before


def record(*attempts: str) -> HostRecord:
    """`a` was applied well, `a!` failed and stayed, `a-` was undone; oldest first."""
    return HostRecord(ModuleId("web"), len(attempts), tuple(SignedReceipt(_receipt(text), "") for text in attempts))


def _receipt(text: str) -> Receipt:
    outcome = {"!": "UNHEALTHY", "-": "ROLLED_BACK"}.get(text[1:], "APPLIED")
    return Receipt(
        module=ModuleId("web"),
        host=HostName("h1"),
        outcome=outcome,
        plan_digest=Digest.of(text.encode()),
        source_sha=GitSha(text[0] * 40),
        desired=Digest.of(text[:1].encode()),
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
    ],
)
def test_it_goes_back_and_never_forward_to_what_was_left(attempts: str, target: str | None) -> None:
    found = before(record(*attempts.split()))
    assert (found.source_sha[0] if found else None) == target
