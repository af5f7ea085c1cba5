"""From bytes to a `VerifiedPlan`: signatures first, over the bytes as they came; then the form; then the rules."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from datetime import datetime

from platformctl.errors import ApprovalMismatch, InvalidInput, PolicyViolation, Refusal
from platformctl.model.names import Digest, GitSha
from platformctl.model.plan import INDEX_PAYLOAD_TYPE, PAYLOAD_TYPE, Plan
from platformctl.trust.counting import Approvable
from platformctl.trust.envelope import Envelope
from platformctl.trust.evidence import Evidence, Rule, SignedIndex
from platformctl.trust.index import decode_index
from platformctl.trust.keys import Keyring, Signer
from platformctl.trust.plan_codec import decode_plan
from platformctl.trust.signatures import sole_signer
from platformctl.trust.signers import PLAN

_VERIFY = object()


@dataclass(frozen=True)
class VerifiedPlan:
    """A plan that may run as far as signatures and rules can tell; `digest` is consumed when it runs.

    Only `verify` makes one. Python can not forbid another maker; the private token makes it a deliberate act that a
    reviewer sees, and keeps `dataclasses.replace` from passing an altered plan for a verified one.
    """

    plan: Plan
    digest: Digest
    signed_by: str
    approved_by: tuple[str, ...]
    made_by: InitVar[object]

    def __post_init__(self, made_by: object) -> None:
        if made_by is not _VERIFY:
            raise TypeError("a VerifiedPlan is made by platformctl.trust.verify.verify alone")


@dataclass(frozen=True)
class Verdict:
    """What is known about a plan and every reason against it, the most important first.

    `plan` is None where the signature or the form of the plan or its index does not hold. `approved_by` are the people
    whose approvals count, whether or not they are enough.
    """

    digest: Digest
    plan: Plan | None
    signed_by: str | None
    approved_by: tuple[str, ...]
    refusals: tuple[Refusal, ...]

    @property
    def verified(self) -> bool:
        """Whether nothing speaks against the plan."""
        return not self.refusals


def verify(
    envelope: Envelope,
    approvals: Sequence[Envelope],
    *,
    rule: Rule,
    keyring: Keyring,
    head: GitSha,
    now: datetime,
    index: Envelope | None = None,
) -> VerifiedPlan:
    """Return the plan in `envelope` when it is signed, approved and in force, and is of the commit `head`.

    Raises the first of the reasons `assess` finds. Not checked, because they need git or the host: that `head` is
    merged, that the trust roots are current, that the plan is unused, and that planning again gives the same.
    """
    verdict = assess(envelope, approvals, rule=rule, keyring=keyring, head=head, now=now, index=index)
    if verdict.refusals:
        raise verdict.refusals[0]
    if verdict.plan is None or verdict.signed_by is None:
        raise AssertionError("a verdict without a reason against it has a plan")
    return VerifiedPlan(verdict.plan, verdict.digest, verdict.signed_by, verdict.approved_by, _VERIFY)


def assess(
    envelope: Envelope,
    approvals: Sequence[Envelope],
    *,
    rule: Rule,
    keyring: Keyring,
    head: GitSha | None,
    now: datetime,
    index: Envelope | None = None,
) -> Verdict:
    """Return what `verify` would decide, with all reasons; without `head` the commit is not compared.

    Raises only what keeps it from deciding, such as a missing ssh-keygen (`ToolError`).
    """
    signed_by: Signer | None = None
    try:
        signed_by = sole_signer(envelope, PAYLOAD_TYPE, PLAN, keyring, now)
        plan = decode_plan(envelope.payload)
        signed_index = _signed_index(index, keyring, now)
    except (ApprovalMismatch, InvalidInput, PolicyViolation) as refusal:
        return Verdict(envelope.digest, None, signed_by.principal if signed_by else None, (), (refusal,))
    makers = frozenset(maker.principal for maker in (signed_by, signed_index and signed_index.signed_by) if maker)
    counted, discounted = Approvable(plan, envelope.digest, makers, signed_index, now).count(approvals, keyring)
    evidence = Evidence(plan, envelope.digest, signed_by, counted, discounted, signed_index, head, now)
    approved_by = tuple(sorted({approval.signer.principal for approval in counted}))
    return Verdict(evidence.digest, plan, signed_by.principal, approved_by, rule(evidence))


def _signed_index(index: Envelope | None, keyring: Keyring, now: datetime) -> SignedIndex | None:
    if index is None:
        return None
    signer = sole_signer(index, INDEX_PAYLOAD_TYPE, PLAN, keyring, now)
    return SignedIndex(decode_index(index.payload), index.digest, signer)
