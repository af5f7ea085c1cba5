"""Read signed files of this clone: a plan, once, and the approvals that lie beside it."""

from collections.abc import Iterable
from pathlib import Path

from platformctl.errors import InvalidInput, Refusal, Usage
from platformctl.model import strict_json
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest
from platformctl.model.plan import INDEX_PAYLOAD_TYPE, PAYLOAD_TYPE
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import PlannedModule, Reason, VerifyReport
from platformctl.trust import envelope
from platformctl.trust.envelope import Envelope
from platformctl.trust.index import decode_index
from platformctl.trust.plan_codec import decode_plan
from platformctl.trust.rules import for_apply
from platformctl.trust.verify import Verdict, assess
from platformctl.workflows.parts import Parts, keyring

SIZE_LIMIT = 16 << 20


@dataclass(frozen=True)
class PlanFile:
    """A plan's envelope as it was read, with every approval that may be about it and the index that lists it."""

    path: Path
    sealed: Envelope
    approvals: tuple[Envelope, ...]
    index: Envelope | None


def read_plan(
    parts: Parts, path: Path, extra_approvals: Iterable[Path] = (), index: Envelope | None = None
) -> PlanFile:
    """Read a plan file once, and what is signed about it.

    The index that lists the plan is looked for among this clone's, unless `index` lists it. Raises `Usage` when there
    is no file, `InvalidInput` when it is no envelope.
    """
    sealed = read_envelope(path)
    if index is None or not _lists(index, sealed.digest):
        index = _index_of(parts, sealed.digest)
    folders = [sealed.digest, *([index.digest] if index else [])]
    approvals = [read_envelope(each) for each in extra_approvals]
    approvals += [read_envelope(each) for digest in folders for each in _approval_files(parts, digest)]
    return PlanFile(path, sealed, tuple(approvals), index)


def read_envelope(path: Path) -> Envelope:
    """Return the envelope in a file, whose size is bounded before it is read.

    Raises `Usage` when the file can not be read, `InvalidInput` when it is no envelope.
    """
    try:
        if not path.is_file():
            raise Usage("a file can not be read", detail=f"{path} is not a regular file", hint="name another file")
        if path.stat().st_size > SIZE_LIMIT:
            raise InvalidInput(
                "a file is too large to be an envelope", detail=f"more than {SIZE_LIMIT} bytes", file=str(path)
            )
        return envelope.read(path.read_bytes())
    except OSError as error:
        raise Usage("a file can not be read", detail=f"{path}: {error.strerror}", hint="name another file") from error
    except InvalidInput as refusal:
        raise InvalidInput(
            refusal.summary,
            detail=refusal.detail,
            hint="plan again: this file is not as it was written",
            file=str(path),
        ) from refusal


def approval_path(parts: Parts, digest: Digest, key_id: str) -> Path:
    """Return where an approval lies: by what it approves and the key that signed it."""
    name = key_id.replace("/", "_").replace("+", "-")
    return parts.platform / "approvals" / digest.hexadecimal / f"{name}.json"


def verdict(parts: Parts, file: PlanFile, roots: TrustRoots) -> Verdict:
    """Return what speaks for and against a plan, without asking a host and without a commit to compare."""
    rule = for_apply(roots.policy.approvals, tool_version=parts.tool_version)
    ring, now = keyring(parts, roots), parts.clock.now()
    return assess(file.sealed, file.approvals, rule=rule, keyring=ring, head=None, now=now, index=file.index)


def verification(file: PlanFile, found: Verdict) -> VerifyReport:
    """Return a verdict as a report; the exit code is that of the first reason."""
    reasons = tuple(reason_of(refusal, file) for refusal in found.refusals)
    codes = {"exit_code": reasons[0].code, "status": "blocked"} if reasons else {}
    return VerifyReport(
        verified=found.verified,
        digest=file.sealed.digest,
        signed_by=found.signed_by,
        approved_by=found.approved_by,
        reasons=reasons,
        **codes,  # type: ignore[arg-type]
    )


def refuse_index(file: PlanFile, verb: str) -> None:
    """Raise `InvalidInput` for an index, which is easily taken for a plan; the hint names the first that it lists.

    Nothing is said of its signature. So its own words for where plans lie are in no command that somebody may copy.
    """
    if file.sealed.payload_type != INDEX_PAYLOAD_TYPE:
        return
    listed = decode_index(file.sealed.payload).plans
    first = [str(file.path.parent / f"{entry.digest.hexadecimal}.json") for entry in listed[:1]]
    raise InvalidInput(
        "the file is an index, and no plan",
        detail=f"it lists the plans of {', '.join(entry.module for entry in listed) or 'no module'}",
        hint=f"platformctl {verb} {''.join(first) or 'PLAN'}, one plan at a time; approve and apply take the index",
        file=str(file.path),
    )


def planned_module(file: PlanFile) -> PlannedModule:
    """Return a plan to look at, whether or not its signature holds; raise `InvalidInput` when it is no plan at all."""
    if file.sealed.payload_type != PAYLOAD_TYPE:
        raise InvalidInput(
            "the file is not a plan", detail=f"its payload is {file.sealed.payload_type}", file=str(file.path)
        )
    plan = decode_plan(file.sealed.payload)
    return PlannedModule(
        module=plan.module,
        digest=file.sealed.digest,
        path=str(file.path),
        signed=bool(file.sealed.signatures),
        plan=plan,
        payload=strict_json.load(file.sealed.payload, "plan"),
    )


def reason_of(refusal: Refusal, file: PlanFile) -> Reason:
    """Return a refusal as one reason among others. Where its hint says PLAN, this plan's file is put."""
    message = f"{refusal.summary}: {refusal.detail}".removesuffix(": ")
    return Reason(refusal.exit_code, refusal.reason, message, refusal.hint.replace(" PLAN", f" {file.path}"))


def _approval_files(parts: Parts, digest: Digest) -> list[Path]:
    return sorted((parts.platform / "approvals" / digest.hexadecimal).glob("*.json"))


def _index_of(parts: Parts, digest: Digest) -> Envelope | None:
    """Return the index of this clone that lists a plan, or None; its signature is checked where it counts."""
    for path in sorted((parts.platform / "plans").glob("*.json")):
        try:
            sealed = read_envelope(path)
            if _lists(sealed, digest):
                return sealed
        except Refusal:
            continue  # what can not be read lists nothing; it must not keep other plans from being looked at
    return None


def _lists(sealed: Envelope, digest: Digest) -> bool:
    return sealed.payload_type == INDEX_PAYLOAD_TYPE and decode_index(sealed.payload).entry(digest) is not None
