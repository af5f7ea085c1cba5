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
    """What a trust change is about: who may sign (digest of allowed_signers) and how many must (of approvals)."""

    signers: Digest
    approvals: Digest

    @classmethod
    def of(cls, roots: TrustRoots) -> "Trusted":
        """Return it for `roots`."""
        rule = strict_json.dump(codec.encode(roots.policy.approvals))
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


def check_trust(
    seen: TrustSeen | None,
    current: TrustRoots,
    *,
    remembered: TrustRoots | None,
    is_ancestor: Callable[[GitSha, GitSha], bool],
    changes: Sequence[Envelope],
    keyring_of: Callable[[TrustRoots], Keyring],
    now: datetime,
) -> None:
    """Return when `current` may follow what the host has `seen`; a host that saw nothing yet takes what it is shown.

    `remembered` are the roots as git has them at `seen.commit`, None where this clone does not have that commit.
    `is_ancestor(old, new)` answers False for unknown commits and True for equal ones. Raises `ApprovalMismatch`:
    `trust_older` when `current` is not at or after `seen`, `trust_changed` when signers or approval rules differ and
    not enough of the remembered people vouched for it. Roots from a folder have no commit, so they may follow others
    only where neither signers nor policy differ.
    """
    if seen is None or _same_files(seen, current):
        return
    if seen.commit is None or current.commit is None or not is_ancestor(seen.commit, current.commit):
        raise _older(seen, current)
    if remembered is None or not _same_files(seen, remembered):
        raise _changed("the roots the host remembers are not in this clone as it remembers them", "git fetch")
    before, after = Trusted.of(remembered), Trusted.of(current)
    if before != after:
        _require_vouched(before, after, remembered.policy.approvals, changes, keyring_of(remembered), now)


def _same_files(seen: TrustSeen, roots: TrustRoots) -> bool:
    """The commit is left out: what is the same to the byte is as good as what was seen."""
    known = (seen.policy_digest, seen.hosts_digest, seen.signers_digest)
    return known == (roots.policy_digest, roots.hosts_digest, roots.signers_digest)


def _require_vouched(
    before: Trusted,
    after: Trusted,
    rule: ApprovalRule,
    changes: Iterable[Envelope],
    keyring: Keyring,
    now: datetime,
) -> None:
    people = {person for envelope in changes if (person := _who_vouches(envelope, before, after, keyring, now))}
    needed = people_for_trust(rule)
    if needed < 1 or len(people) < needed:
        raise _changed(f"vouched for by {len(people)} of {max(needed, 1)} people the host remembers", _VOUCH)


def _who_vouches(envelope: Envelope, before: Trusted, after: Trusted, keyring: Keyring, now: datetime) -> str | None:
    """Return the person, or None for an envelope that says something else or is not theirs; such a one never counts."""
    try:
        signer = sole_signer(envelope, PAYLOAD_TYPE, TRUST, keyring, now)
        change = decode_trust_change(envelope.payload)
    except (ApprovalMismatch, InvalidInput):
        return None
    return signer.principal if (change.before, change.after) == (before, after) else None


_VOUCH = "sign the change with keys that stood in the earlier allowed_signers for trust@platformctl"


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
