"""Trust roots over time: a host refuses roots older than those it saw, and new signers that nobody it knew vouched for.

The host remembers a commit and digests. The remembered roots themselves come from git at that commit, and count only
when their digests are the remembered ones; so the host need not store whom to trust, and nobody can rewrite it there.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise, zip_longest

from platformctl.errors import ApprovalMismatch, InvalidInput
from platformctl.model import codec, strict_json
from platformctl.model.frozen import dataclass
from platformctl.model.moment import Moment
from platformctl.model.names import Digest, GitSha
from platformctl.model.policy import ApprovalRule, TrustRoots
from platformctl.model.state import TrustSeen
from platformctl.trust.envelope import Envelope
from platformctl.trust.keys import Keyring
from platformctl.trust.signatures import sole_signer
from platformctl.trust.signers import TRUST

PAYLOAD_TYPE = "application/vnd.platformctl.trust.v1+json"


@dataclass(frozen=True)
class Trusted:
    """What a trust change is about: who may sign (digest of allowed_signers) and how many must (of approvals).

    The latter includes what a pull request must show, if the policy asks for one.
    """

    signers: Digest
    approvals: Digest

    @classmethod
    def of(cls, roots: TrustRoots) -> "Trusted":
        """Return what `roots` say about who may sign and how many must."""
        approvals, forge = roots.policy.approvals, roots.policy.forge
        rule = strict_json.dump(codec.encode((approvals, forge) if forge else approvals))
        return cls(roots.signers_digest, Digest(f"sha256:{hashlib.sha256(rule).hexdigest()}"))


@dataclass(frozen=True)
class TrustChange:
    """A person's signed word (`trust@platformctl`) that `after` may follow `before`.

    It names both, and the commit at which `after` was read. So it can not bring back what was replaced since, not even
    if signers and rules became again what they were when it was signed.
    """

    before: Trusted
    after: Trusted
    commit: GitSha
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
class Version:
    """The trust roots as git has them from one commit on, and the keyring of their signers."""

    roots: TrustRoots
    keyring: Keyring


def check_trust(
    seen: TrustSeen | None,
    current: TrustRoots,
    *,
    versions: Callable[[], Sequence[Version]],
    is_ancestor: Callable[[GitSha, GitSha], bool],
    changes: Sequence[Envelope],
    now: datetime,
) -> TrustSeen:
    """Return what the host is to remember, if `current` may follow what it has `seen` (None: nothing yet).

    `versions()` returns the roots at `seen.commit` and every change of them up to `current`, oldest first; it is empty
    if this clone does not have that commit. `is_ancestor(old, new)` is True for equal commits and False for unknown
    ones.

    Raises `ApprovalMismatch`: `trust_older` when `current` is not at or after `seen`; `trust_changed` when signers or
    approval rules differ and too few people vouched for it, step by step. Roots from a folder have no commit, so they
    may come before or after others only when all files are the same.
    """
    if seen is None:
        return _to_remember(current)
    if seen.commit is None or current.commit is None:
        return _same_or_older(seen, current)
    if not is_ancestor(seen.commit, current.commit):
        raise _older(seen, current)
    if not _same_files(seen, current):
        _require_vouched(seen, tuple(versions()), current, _Words(changes, is_ancestor, now))
    return _to_remember(current)


def _to_remember(roots: TrustRoots) -> TrustSeen:
    return TrustSeen(roots.commit, roots.policy_digest, roots.hosts_digest, roots.signers_digest)


def _same_or_older(seen: TrustSeen, current: TrustRoots) -> TrustSeen:
    """Return what the host is to remember when one side has no commit, which all files must match.

    A commit once seen is kept: forgetting it would let an older one follow.
    """
    if not _same_files(seen, current):
        raise _older(seen, current)
    return seen if current.commit is None else _to_remember(current)


def _same_files(seen: TrustSeen, roots: TrustRoots) -> bool:
    known = (seen.policy_digest, seen.hosts_digest, seen.signers_digest)
    return known == (roots.policy_digest, roots.hosts_digest, roots.signers_digest)


@dataclass(frozen=True)
class _Words:
    """What people signed about changes of the trust roots."""

    envelopes: Sequence[Envelope]
    is_ancestor: Callable[[GitSha, GitSha], bool]
    now: datetime

    def for_change(self, before: Version, after: Version, until: Version | None) -> frozenset[str]:
        """Return who vouched that `after` follows `before`, at a commit where `after` held: not later than `until`."""
        people = (self._who_vouches(envelope, before, after, until) for envelope in self.envelopes)
        return frozenset(person for person in people if person is not None)

    def _who_vouches(self, envelope: Envelope, before: Version, after: Version, until: Version | None) -> str | None:
        """Return the person; None for an envelope that says something else or is not theirs, which never counts."""
        try:
            signer = sole_signer(envelope, PAYLOAD_TYPE, TRUST, before.keyring, self.now)
            change = decode_trust_change(envelope.payload)
        except (ApprovalMismatch, InvalidInput):
            return None
        says = (change.before, change.after) == (Trusted.of(before.roots), Trusted.of(after.roots))
        return signer.principal if says and self._held(after, change.commit, until) else None

    def _held(self, version: Version, at: GitSha, until: Version | None) -> bool:
        since, end = version.roots.commit, until.roots.commit if until else None
        begun = since is not None and self.is_ancestor(since, at)
        return begun and not (end is not None and self.is_ancestor(end, at))


def _require_vouched(seen: TrustSeen, versions: Sequence[Version], current: TrustRoots, words: _Words) -> None:
    """Walk from the roots the host saw to the current ones; each change needs those in force to vouch for it.

    A change nobody vouched for is passed over, as the host would have done; what undoes it needs nobody's word. Raises
    `ApprovalMismatch` (`trust_changed`) if the walk does not end at the current ones.
    """
    if not versions or not _same_files(seen, versions[0].roots):
        raise _changed("this clone does not have the roots that the host remembers", "git fetch")
    versions = [
        version
        for before, version in pairwise((None, *versions))
        if version and (before is None or Trusted.of(before.roots) != Trusted.of(version.roots))
    ]
    in_force, people, needed = versions[0], frozenset[str](), 0
    for version, until in zip_longest(versions[1:], versions[2:]):
        if Trusted.of(version.roots) != Trusted.of(in_force.roots):
            needed = max(people_for_trust(in_force.roots.policy.approvals), 1)
            people = words.for_change(in_force, version, until)
            if len(people) < needed:
                continue
        in_force = version
    if Trusted.of(in_force.roots) != Trusted.of(current):
        since = in_force.roots.commit
        hint = f"platformctl approve --trust-change {since}, by people who stood in allowed_signers then"
        raise _changed(f"since {since}: vouched for by {len(people)} of {needed} people who may", hint)


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
