"""Trust roots over time: a host refuses roots older than those it saw, and new signers nobody it knew has vouched for.

The host remembers a commit and digests. The remembered roots themselves come from git at that commit, and count only
when their digests are the remembered ones; so the host need not store whom to trust, and nobody can rewrite it there.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from platformctl.errors import ApprovalMismatch, InvalidInput
from platformctl.model import codec, strict_json
from platformctl.model.desired import ApprovalRule, TrustRoots
from platformctl.model.names import Digest, GitSha
from platformctl.model.state import TrustSeen
from platformctl.trust.envelope import Envelope
from platformctl.trust.keys import Keyring
from platformctl.trust.moment import Moment
from platformctl.trust.signatures import sole_signer
from platformctl.trust.signers import TRUST

PAYLOAD_TYPE = "application/vnd.platformctl.trust.v1+json"


@dataclass(frozen=True)
class Trusted:
    """What a trust change is about: who may sign (digest of allowed_signers) and how many must (of approvals).

    What a pull request must show is part of the latter, where the policy asks for one.
    """

    signers: Digest
    approvals: Digest

    @classmethod
    def of(cls, roots: TrustRoots) -> "Trusted":
        """Return it for `roots`."""
        approvals, forge = roots.policy.approvals, roots.policy.forge
        rule = strict_json.dump(codec.encode((approvals, forge) if forge else approvals))
        return cls(roots.signers_digest, Digest(f"sha256:{hashlib.sha256(rule).hexdigest()}"))


@dataclass(frozen=True)
class TrustChange:
    """A person's signed word (`trust@platformctl`) that `after` may follow `before`.

    It names both, so that it can not be used again to bring back what was replaced since.
    """

    before: Trusted
    after: Trusted
    comment: str
    signed_at: Moment


def encode_trust_change(change: TrustChange) -> bytes:
    """Return the payload for `change`."""
    return strict_json.dump(codec.encode(change))


def decode_trust_change(payload: bytes) -> TrustChange:
    """Return the change in `payload`; raises `InvalidInput`."""
    return codec.decode(TrustChange, strict_json.load(payload, "trust change"), "trust change")


def people_for_trust(rule: ApprovalRule) -> int:
    """Return how many people must vouch for new signers or rules: as many as the most demanding plan would need."""
    return max(rule.required, rule.destructive, *rule.per_host.values())


@dataclass(frozen=True)
class Remembered:
    """The trust roots as git has them at the commit a host saw, and the keyring of their signers."""

    roots: TrustRoots
    keyring: Keyring


def check_trust(
    seen: TrustSeen | None,
    current: TrustRoots,
    *,
    remembered: Remembered | None,
    is_ancestor: Callable[[GitSha, GitSha], bool],
    changes: Sequence[Envelope],
    now: datetime,
) -> TrustSeen:
    """Return what the host is to remember, when `current` may follow what it has `seen`; None saw nothing yet.

    `remembered` is None where this clone does not have `seen.commit`. `is_ancestor(old, new)` answers True for equal
    commits and False for unknown ones. Raises `ApprovalMismatch`: `trust_older` when `current` is not at or after
    `seen`; `trust_changed` when signers or approval rules differ and too few of the remembered people vouched for it.
    Roots from a folder have no commit, so they may come before or after others only when all files are the same.
    """
    if seen is None:
        return _to_remember(current)
    if seen.commit is None or current.commit is None:
        return _same_or_older(seen, current)
    if not is_ancestor(seen.commit, current.commit):
        raise _older(seen, current)
    if not _same_files(seen, current):
        _require_vouched(seen, remembered, current, changes, now)
    return _to_remember(current)


def _to_remember(roots: TrustRoots) -> TrustSeen:
    return TrustSeen(roots.commit, roots.policy_digest, roots.hosts_digest, roots.signers_digest)


def _same_or_older(seen: TrustSeen, current: TrustRoots) -> TrustSeen:
    """A commit once seen is kept: forgetting it would let an older one follow."""
    if not _same_files(seen, current):
        raise _older(seen, current)
    return seen if current.commit is None else _to_remember(current)


def _same_files(seen: TrustSeen, roots: TrustRoots) -> bool:
    known = (seen.policy_digest, seen.hosts_digest, seen.signers_digest)
    return known == (roots.policy_digest, roots.hosts_digest, roots.signers_digest)


def _require_vouched(
    seen: TrustSeen, remembered: Remembered | None, current: TrustRoots, changes: Iterable[Envelope], now: datetime
) -> None:
    if remembered is None or not _same_files(seen, remembered.roots):
        raise _changed("this clone does not have the roots that the host remembers", "git fetch")
    before, after = Trusted.of(remembered.roots), Trusted.of(current)
    if before == after:
        return
    vouching = (_who_vouches(envelope, before, after, remembered.keyring, now) for envelope in changes)
    people = {person for person in vouching if person is not None}
    needed = people_for_trust(remembered.roots.policy.approvals)
    if needed < 1 or len(people) < needed:
        hint = f"platformctl approve --trust-change {seen.commit}, by people who stood in allowed_signers then"
        raise _changed(f"vouched for by {len(people)} of {max(needed, 1)} people the host remembers", hint)


def _who_vouches(envelope: Envelope, before: Trusted, after: Trusted, keyring: Keyring, now: datetime) -> str | None:
    """Return the person, or None for an envelope that says something else or is not theirs; such a one never counts."""
    try:
        signer = sole_signer(envelope, PAYLOAD_TYPE, TRUST, keyring, now)
        change = decode_trust_change(envelope.payload)
    except (ApprovalMismatch, InvalidInput):
        return None
    return signer.principal if (change.before, change.after) == (before, after) else None


def _changed(detail: str, hint: str) -> ApprovalMismatch:
    summary = "signers or approval rules changed without the word of those the host knew"
    return ApprovalMismatch(summary, detail=detail, hint=hint, reason="trust_changed")


def _older(seen: TrustSeen, current: TrustRoots) -> ApprovalMismatch:
    return ApprovalMismatch(
        "the trust roots are older than those the host saw, or unrelated to them",
        detail=f"the host saw {seen.commit or 'a folder'}, these are of {current.commit or 'a folder'}",
        hint="git fetch, or give the trusted ref's newest commit",
        reason="trust_older",
    )
