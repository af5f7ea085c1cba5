"""Which approvals count for a plan, and why the others do not.

An approval that does not count is never a reason to refuse by itself: else any file in a shared folder could stop
everybody.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from platformctl.errors import ApprovalMismatch, InvalidInput, Refusal
from platformctl.model.approval import PAYLOAD_TYPE, Approval
from platformctl.model.frozen import dataclass
from platformctl.model.moment import SIGNER_SKEW, Moment
from platformctl.model.names import Digest
from platformctl.model.plan import Plan
from platformctl.trust.approvals import decode_approval
from platformctl.trust.envelope import Envelope
from platformctl.trust.evidence import CountedApproval, SignedIndex
from platformctl.trust.keys import Keyring, Signer
from platformctl.trust.signatures import sole_signer
from platformctl.trust.signers import APPROVAL


@dataclass(frozen=True)
class Approvable:
    """What approvals of one plan are compared with; `makers` signed the plan or its index and may not approve it."""

    plan: Plan
    digest: Digest
    makers: frozenset[str]
    index: SignedIndex | None
    now: datetime

    def count(
        self, approvals: Sequence[Envelope], keyring: Keyring
    ) -> tuple[tuple[CountedApproval, ...], tuple[Refusal, ...]]:
        """Return the approvals that count, and a refusal for each that does not."""
        counted: list[CountedApproval] = []
        discounted: list[Refusal] = []
        for envelope in approvals:
            try:
                counted.append(self._counted(envelope, keyring))
            except (ApprovalMismatch, InvalidInput) as refusal:
                discounted.append(refusal)
        return tuple(counted), tuple(discounted)

    def _counted(self, envelope: Envelope, keyring: Keyring) -> CountedApproval:
        signer = sole_signer(envelope, PAYLOAD_TYPE, APPROVAL, keyring, self.now)
        approval = decode_approval(envelope.payload)
        for check in _CHECKS:
            check(self, signer, approval)
        return CountedApproval(signer, approval.allows_destructive, approval.subject != self.digest)

    @property
    def subjects(self) -> Iterable[Digest]:
        """The digests an approval may be of."""
        return (self.digest, self.index.digest) if self.index else (self.digest,)


def _is_by_another_person(wanted: Approvable, signer: Signer, _: Approval) -> None:
    if signer.is_planner or signer.principal in wanted.makers:
        raise _refused("signer", f"{signer.principal} made the plan or is a planner, and can not approve it")


def _is_of_this_plan(wanted: Approvable, signer: Signer, approval: Approval) -> None:
    if approval.subject not in wanted.subjects:
        raise _refused("digest", f"{signer.principal} approved another plan: {approval.subject}")


def _is_of_this_commit(wanted: Approvable, signer: Signer, approval: Approval) -> None:
    if approval.source_sha != wanted.plan.source_sha:
        raise _refused("sha", f"{signer.principal} approved commit {approval.source_sha}")


def _is_for_this_host(wanted: Approvable, signer: Signer, approval: Approval) -> None:
    if wanted.plan.host.name not in approval.hosts:
        raise _refused("approval_other_host", f"{signer.principal} approved other hosts than {wanted.plan.host.name}")


def _is_not_from_the_future(wanted: Approvable, signer: Signer, approval: Approval) -> None:
    if Moment(approval.approved_at).at > wanted.now + SIGNER_SKEW:
        raise _refused("created_in_future", f"{signer.principal} approved at {approval.approved_at}")


def _is_in_date(wanted: Approvable, signer: Signer, approval: Approval) -> None:
    if Moment(approval.expires_at).at <= wanted.now:
        raise _refused("approval_expired", f"{signer.principal}'s approval ended at {approval.expires_at}")


_CHECKS: tuple[Callable[[Approvable, Signer, Approval], None], ...] = (
    _is_by_another_person,
    _is_of_this_plan,
    _is_of_this_commit,
    _is_for_this_host,
    _is_not_from_the_future,
    _is_in_date,
)


def _refused(reason: str, detail: str) -> ApprovalMismatch:
    hint = "look at the plan and approve it: platformctl approve PLAN"
    return ApprovalMismatch("an approval does not count for this plan", detail=detail, reason=reason, hint=hint)
