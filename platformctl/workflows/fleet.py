"""Apply the plans of an index one after the other, in its order, and say of each what became of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from platformctl.errors import ExitCode, Refusal, ToolError
from platformctl.model.plan import INDEX_PAYLOAD_TYPE
from platformctl.model.reports import ApplyReport, ErrorReport, FleetReport, Report
from platformctl.trust.envelope import Envelope
from platformctl.trust.index import Index, decode_index
from platformctl.trust.signatures import sole_signer
from platformctl.trust.signers import PLAN
from platformctl.workflows.apply import apply_plan
from platformctl.workflows.case import ApplyRequest
from platformctl.workflows.parts import Parts, keyring, trust_roots
from platformctl.workflows.signed import read_envelope

Result = ApplyReport | ErrorReport
GOOD = (ExitCode.NO_CHANGES, ExitCode.APPLIED)


def apply(parts: Parts, request: ApplyRequest, *, keep_going: bool) -> Report:
    """Apply what the file holds: one plan, or every plan of an index. Raises what `apply_plan` raises for one plan."""
    sealed = read_envelope(request.plan)
    if sealed.payload_type != INDEX_PAYLOAD_TYPE:
        return apply_plan(parts, request)
    index = _trusted_index(parts, sealed)
    results = tuple(_results(parts, request, index, keep_going=keep_going))
    skipped = tuple(entry.module for entry in index.plans[len(results) :])
    code = _code(results, skipped)
    return FleetReport(exit_code=code, status=_WORDS.get(code, "failed"), results=results, skipped=skipped)


def _trusted_index(parts: Parts, sealed: Envelope) -> Index:
    """The index of a planner; what it lists is verified again plan by plan."""
    sole_signer(sealed, INDEX_PAYLOAD_TYPE, PLAN, keyring(parts, trust_roots(parts)), parts.clock.now())
    return decode_index(sealed.payload)


def _results(parts: Parts, request: ApplyRequest, index: Index, *, keep_going: bool) -> Iterator[Result]:
    """One result a plan; the first that is not good is the last, unless the operator wants to go on."""
    for entry in index.plans:
        result = _one(parts, replace(request, plan=_beside(request.plan, entry.path)))
        yield result
        stopped = parts.interrupted() is not None
        if stopped or (result.exit_code not in GOOD and not keep_going):
            return


def _one(parts: Parts, request: ApplyRequest) -> Result:
    try:
        return apply_plan(parts, request)
    except Refusal as refusal:
        return ErrorReport.of(refusal)
    except Exception as mistake:  # noqa: BLE001 - plans before this one may have touched hosts: the report must say so
        detail = f"{request.plan.name}: {type(mistake).__name__}"
        return ErrorReport.of(ToolError("platformctl made a mistake", detail=detail))


def _beside(index: Path, name: str) -> Path:
    """A listed plan lies beside its index; only its name counts, so that no index can point elsewhere."""
    return index.parent / Path(name).name


def _code(results: tuple[Result, ...], skipped: tuple[str, ...]) -> ExitCode:
    """As the one plan's, if all ended alike; `PARTIAL` when some were applied and others were not."""
    bad = [result.exit_code for result in results if result.exit_code not in GOOD]
    touched = any(isinstance(result, ApplyReport) and result.mutated != "no" for result in results)
    if touched and ((bad and len(results) > 1) or (skipped and not bad)):
        return ExitCode.PARTIAL
    if bad:
        return bad[0]
    if skipped:
        return ExitCode.INTERRUPTED
    return ExitCode.APPLIED if touched else ExitCode.NO_CHANGES


_WORDS = {ExitCode.NO_CHANGES: "no_changes", ExitCode.APPLIED: "applied", ExitCode.PARTIAL: "partial"}
