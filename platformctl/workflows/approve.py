"""Show and verify plans, sign that they may run, and vouch for a change of the trust roots."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from platformctl.errors import ApprovalMismatch, DestructiveNeedsApproval, Interrupted, InvalidInput, Usage
from platformctl.model.approval import PAYLOAD_TYPE as APPROVAL_TYPE
from platformctl.model.approval import Approval
from platformctl.model.frozen import dataclass
from platformctl.model.moment import Moment
from platformctl.model.names import GitSha, HostName
from platformctl.model.plan import INDEX_PAYLOAD_TYPE
from platformctl.model.reports import ApproveReport, NoteReport, ShowReport, TextReport, VerifyReport
from platformctl.store.files import write_atomically
from platformctl.trust import envelope
from platformctl.trust.approvals import encode_approval
from platformctl.trust.history import PAYLOAD_TYPE as TRUST_TYPE
from platformctl.trust.history import TrustChange, Trusted, encode_trust_change
from platformctl.trust.index import Index, IndexEntry, decode_index
from platformctl.trust.keys import Keyring, seal
from platformctl.trust.signatures import sole_signer
from platformctl.trust.signers import APPROVAL, PLAN, TRUST
from platformctl.workflows.parts import Parts, keyring, moment, roots_at, shown, trust_roots
from platformctl.workflows.signed import (
    PlanFile,
    approval_path,
    planned_module,
    read_envelope,
    read_plan,
    refuse_index,
    verdict,
    verification,
)


@dataclass(frozen=True)
class Subject:
    """What is approved: one plan, or all plans of an index."""

    hosts: tuple[HostName, ...]
    source_sha: GitSha
    destructive: bool
    name: str


@dataclass(frozen=True)
class ApproveRequest:
    """What the operator gave. `confirm` shows every plan and asks; it returns False when the person declines."""

    plan: Path
    key: Path
    allow_destructive: bool
    comment: str
    out: Path | None
    confirm: Callable[[tuple[ShowReport, ...], Subject], bool]


def show(parts: Parts, path: Path) -> ShowReport:
    """Return a plan as it is, with what is known of its signatures."""
    file = read_plan(parts, path)
    refuse_index(file, "show")
    return ShowReport(
        plan=planned_module(file), verification=verification(file, verdict(parts, file, trust_roots(parts)))
    )


def show_bytes(path: Path, what: str, number: int) -> TextReport:
    """Return the exact payload, the exact signed bytes, or one armoured signature, for sha256sum and ssh-keygen.

    Signatures are numbered from 1; raises `InvalidInput` for a number that there is not.
    """
    sealed = read_envelope(path)
    if what == "signature":
        if not 1 <= number <= len(sealed.signatures):
            raise InvalidInput(
                "there is no such signature", detail=f"the plan has {len(sealed.signatures)}", file=str(path)
            )
        return TextReport(raw=sealed.signatures[number - 1].armour)
    return TextReport(raw=sealed.payload if what == "payload" else sealed.pae)


def verify(parts: Parts, path: Path, approvals: tuple[Path, ...]) -> VerifyReport:
    """Return everything that can be said of a plan without asking a host."""
    file = read_plan(parts, path, approvals)
    refuse_index(file, "verify")
    return verification(file, verdict(parts, file, trust_roots(parts)))


def approve(parts: Parts, request: ApproveRequest) -> ApproveReport:
    """Sign an approval of a plan or an index, and write it to a file.

    A plan that no planner signed is refused before a person is asked. Raises `DestructiveNeedsApproval` for a
    destructive plan without `allow_destructive`, and `Interrupted` when the person does not confirm.
    """
    roots = trust_roots(parts)
    ring = keyring(parts, roots)
    file = read_plan(parts, request.plan)
    now = parts.clock.now()
    subject, shows = _subject(parts, file, ring)
    if subject.destructive and not request.allow_destructive:
        raise DestructiveNeedsApproval(
            "the plan is destructive",
            detail=f"{subject.name} on {', '.join(subject.hosts)}",
            hint=f"platformctl approve {request.plan} --allow-destructive, if that is meant",
        )
    if not request.confirm(shows, subject):
        raise Interrupted("nothing was approved", detail="the question was not answered with yes")
    approval = Approval(
        subject=file.sealed.digest,
        approver=parts.operator,
        hosts=subject.hosts,
        source_sha=subject.source_sha,
        allows_destructive=request.allow_destructive,
        comment=request.comment,
        approved_at=moment(now),
        expires_at=moment(now + timedelta(seconds=roots.policy.expires_in)),
    )
    sealed = seal(encode_approval(approval), APPROVAL_TYPE, request.key, APPROVAL, parts.environment)
    signer = sole_signer(sealed, APPROVAL_TYPE, APPROVAL, ring, now)
    path = request.out or approval_path(parts, approval.subject, signer.key_id)
    write_atomically(path, envelope.write(sealed), 0o644, within=None if request.out else parts.platform)
    return ApproveReport(
        plan=str(request.plan),
        source_sha=approval.source_sha,
        plan_digest=approval.subject,
        approver=signer.principal,
        allows_destructive=approval.allows_destructive,
        expires_at=approval.expires_at,
        path=shown(parts, path),
    )


@dataclass(frozen=True)
class VouchRequest:
    """A change of the trust roots to vouch for: since which commit, and with whose key."""

    since: str
    key: Path
    comment: str


def vouch(parts: Parts, request: VouchRequest) -> NoteReport:
    """Sign that today's signers and approval rules may follow those of an earlier commit that a host remembers.

    The signer must be in the allowed_signers of that earlier commit. The file is to be committed, so that every clone
    has it. Raises `Usage` when the trust roots come from a folder, which has no history.
    """
    before, after = roots_at(parts, parts.repository.resolve(request.since), request.since), trust_roots(parts)
    if after.commit is None:
        raise Usage(
            "a folder has no history to vouch for", detail=after.origin, hint="name a ref instead: --trust-ref REF"
        )
    now = parts.clock.now()
    change = TrustChange(
        before=Trusted.of(before),
        after=Trusted.of(after),
        commit=after.commit,
        comment=request.comment,
        signed_at=Moment.of(now),
    )
    sealed = seal(encode_trust_change(change), TRUST_TYPE, request.key, TRUST, parts.environment)
    signer = sole_signer(sealed, TRUST_TYPE, TRUST, keyring(parts, before), now)
    path = parts.platform / "trust" / f"{sealed.digest.hexadecimal}.json"
    write_atomically(path, envelope.write(sealed), 0o644, within=parts.platform)
    details = {"file": shown(parts, path), "next": "commit it, then apply again"}
    return NoteReport(
        message=f"✓ {signer.principal} vouches for the trust roots since {request.since}", details=details
    )


def _subject(parts: Parts, file: PlanFile, ring: Keyring) -> tuple[Subject, tuple[ShowReport, ...]]:
    """Return what is to be approved, and every plan of it for the person to look at.

    Raises the first refusal that counts: what can not be shown is not approved.
    """
    if file.sealed.payload_type == INDEX_PAYLOAD_TYPE:
        return _index_subject(parts, file, ring)
    found = verdict(parts, file, trust_roots(parts))
    speaks_against = [refusal for refusal in found.refusals if _counts(refusal)]
    if found.plan is None or speaks_against:
        raise speaks_against[0] if speaks_against else found.refusals[0]
    subject = Subject((found.plan.host.name,), found.plan.source_sha, found.plan.destructive, found.plan.module)
    return subject, (ShowReport(plan=planned_module(file), verification=verification(file, found)),)


def _counts(refusal: Exception) -> bool:
    """Return whether a refusal speaks against approving a plan.

    A refusal that the approval is about to mend does not, nor do approvals that do not count.
    """
    reason = getattr(refusal, "reason", "")
    return not isinstance(refusal, DestructiveNeedsApproval) and not str(reason).startswith("approval_")


def _index_subject(parts: Parts, file: PlanFile, ring: Keyring) -> tuple[Subject, tuple[ShowReport, ...]]:
    sole_signer(file.sealed, INDEX_PAYLOAD_TYPE, PLAN, ring, parts.clock.now())
    index = decode_index(file.sealed.payload)
    if not index.plans:
        raise ApprovalMismatch("the index lists no plan", reason="digest")
    shows: list[ShowReport] = []
    for entry in index.plans:
        listed = read_plan(parts, file.path.parent / Path(entry.path).name)
        subject, show = _subject(parts, listed, ring)
        if (listed.sealed.digest, subject) != (entry.digest, _listed(entry, index)):
            raise ApprovalMismatch(
                "a plan is not the one that the index lists",
                detail=f"{listed.path} is not {entry.module} as the index has it",
                hint="platformctl plan --all",
                reason="digest",
            )
        shows.extend(show)
    hosts = tuple(sorted({entry.host for entry in index.plans}))
    names = ", ".join(entry.module for entry in index.plans)
    destructive = any(entry.destructive for entry in index.plans)
    return Subject(hosts, index.source_sha, destructive, names), tuple(shows)


def _listed(entry: IndexEntry, index: Index) -> Subject:
    return Subject((entry.host,), index.source_sha, entry.destructive, entry.module)
