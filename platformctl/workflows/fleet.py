"""Apply the plans of an index: hosts side by side, over one connection each, and report what became of each plan."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from platformctl.errors import EXIT_CODES, ApprovalMismatch, ExitCode, Refusal, StalePlan, ToolError, Touched, worst
from platformctl.model.events import Event, OfModule
from platformctl.model.frozen import dataclass
from platformctl.model.names import HostName, ModuleId
from platformctl.model.plan import INDEX_PAYLOAD_TYPE
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import ApplyReport, ErrorReport, FleetReport, PlanOutcome, Report
from platformctl.releases import manifest_path
from platformctl.releases.trees import CommitTree
from platformctl.store import lock
from platformctl.trust.envelope import Envelope
from platformctl.trust.index import Index, IndexEntry, decode_index
from platformctl.trust.signatures import sole_signer
from platformctl.trust.signers import PLAN
from platformctl.workflows.apply import applied_before, apply_plan, case_of, require_key_of, run_case
from platformctl.workflows.case import ApplyRequest, Case
from platformctl.workflows.hosts import Hosts, hosts
from platformctl.workflows.parts import Parts, keyring, trust_roots
from platformctl.workflows.schedule import Leg, Schedule
from platformctl.workflows.shared_look import SharedLooks
from platformctl.workflows.signed import read_envelope

Result = ApplyReport | ErrorReport
Results = dict[ModuleId, Result]
GOOD = (ExitCode.NO_CHANGES, ExitCode.APPLIED)
PARALLEL = 4
"""How many hosts are worked on at the same time, unless the operator says otherwise."""


@dataclass(frozen=True)
class Train:
    """How the plans of an index are applied: whether to go on after one that failed, and on how many hosts at once."""

    keep_going: bool = False
    parallel: int = PARALLEL


def apply(parts: Parts, request: ApplyRequest, train: Train) -> Report:
    """Apply what the file holds: one plan, or every plan of an index. Raises what `apply_plan` raises for one plan.

    Everything that this machine can find against any plan of an index is found before the first host is reached.
    """
    sealed = read_envelope(request.plan)
    if sealed.payload_type != INDEX_PAYLOAD_TYPE:
        return apply_plan(parts, request)
    roots = trust_roots(parts)
    parts.get_ready(roots.hosts.values(), (lock.load,))
    index = _trusted_index(parts, sealed, roots)
    results: Results = {}
    cases = _cases(parts, replace(request, index=sealed), index, roots, results)
    require_key_of(parts, cases.values())
    schedule = _schedule(index, cases, roots, train)
    for leg in _legs(index, cases):
        if leg.module not in cases:
            schedule.ended(leg, well=False)
    looks = SharedLooks(cases)
    with hosts(parts, f"apply index {sealed.digest[:19]}") as reached:

        def one(leg: Leg) -> bool:
            return _one(parts, cases[leg.module], reached, looks, results)

        _run(parts, schedule, train.parallel, reached, one)
    return _report(sealed, index, results, schedule.left(), parts.interrupted())


def _trusted_index(parts: Parts, sealed: Envelope, roots: TrustRoots) -> Index:
    """Return the index if a planner signed it; each plan that it lists is verified on its own."""
    sole_signer(sealed, INDEX_PAYLOAD_TYPE, PLAN, keyring(parts, roots), parts.clock.now())
    return decode_index(sealed.payload)


def _cases(
    parts: Parts, request: ApplyRequest, index: Index, roots: TrustRoots, results: Results
) -> Mapping[ModuleId, Case]:
    """Return the plans that may run as far as this machine can tell; put the refusals of the others into `results`."""
    cases: dict[ModuleId, Case] = {}
    with suppress(Refusal):  # only saves processes: a file that can not be read is refused plan by plan
        folders = [manifest_path(entry.module).parent for entry in index.plans]
        CommitTree(parts.repository, index.source_sha).fetch(folders)
    for entry in index.plans:
        try:
            cases[entry.module] = _case(parts, request, entry, roots)
        except Refusal as refusal:
            results[entry.module] = ErrorReport.of(refusal)
    return cases


def _case(parts: Parts, request: ApplyRequest, entry: IndexEntry, roots: TrustRoots) -> Case:
    """Return the case of a listed plan. Raises `ApprovalMismatch` (`digest`) if the file is another plan.

    A plan lies beside its index, and only the name of its file counts, so that no index can point elsewhere.
    """
    case = case_of(parts, replace(request, plan=request.plan.parent / Path(entry.path).name), roots)
    if (case.plan.module, case.verified.digest) != (entry.module, entry.digest):
        raise ApprovalMismatch(
            "a plan is not the one that the index lists",
            detail=f"{entry.path} is a plan of {case.plan.module}",
            hint="platformctl plan --all",
            reason="digest",
        )
    return case


def _legs(index: Index, cases: Mapping[ModuleId, Case]) -> Sequence[Leg]:
    listed = frozenset(entry.module for entry in index.plans)

    def needs(module: ModuleId) -> frozenset[ModuleId]:
        return listed.intersection(cases[module].release.module.depends_on) if module in cases else frozenset()

    return [Leg(entry.module, entry.host, needs(entry.module)) for entry in index.plans]


def _schedule(index: Index, cases: Mapping[ModuleId, Case], roots: TrustRoots, train: Train) -> Schedule:
    """Return the schedule. The first host is the one that policy names, if listed, else that of the first plan."""
    used = [entry.host for entry in index.plans]
    named = roots.policy.first_host
    first = named if named in used else next(iter(used), HostName(""))
    return Schedule(_legs(index, cases), first=first, parallel=train.parallel, keep_going=train.keep_going)


def _run(parts: Parts, schedule: Schedule, parallel: int, reached: Hosts, run: Callable[[Leg], bool]) -> None:
    """Begin the plans that may begin, wait until one ends, and repeat; once somebody asked to stop, only wait.

    A host with no plan under way is unlocked, so that waiting for plans of other hosts keeps nobody from it.
    """
    running: dict[Future[bool], Leg] = {}
    with ThreadPoolExecutor(parallel, "host") as pool:
        while True:
            while parts.interrupted() is None and (leg := schedule.begin()) is not None:
                running[pool.submit(run, leg)] = leg
            reached.let_go(*(reached.under_lock - {leg.host for leg in running.values()}))
            if not running:
                return
            for ended in wait(running, return_when=FIRST_COMPLETED).done:
                schedule.ended(running.pop(ended), well=ended.result())


def _one(parts: Parts, case: Case, reached: Hosts, looks: SharedLooks, results: Results) -> bool:
    """Apply one plan, keep its result, and return whether it ended well.

    After one that did not, the host is unlocked; locking it again waits for a step whose end was not seen.
    """
    told = replace(parts, tell=_named(parts.tell, case.plan.module))
    try:
        result: Result = _applied(told, case, reached, looks)
    except Refusal as refusal:
        result = ErrorReport.of(refusal)
    except Exception as mistake:  # noqa: BLE001 - other plans may have touched hosts: the report must say so
        detail = f"{case.plan.module}: {type(mistake).__name__}"
        result = ErrorReport.of(ToolError("platformctl made a mistake", detail=detail))
    results[case.plan.module] = result
    well = result.exit_code in GOOD
    if not well:
        reached.let_go(case.plan.host.name)
    return well


def _applied(parts: Parts, case: Case, reached: Hosts, looks: SharedLooks) -> ApplyReport:
    """Apply one plan. One of an index that was applied in part may be what its host has, and is not in the way then."""
    try:
        return run_case(parts, case, reached, looks)
    except StalePlan as refusal:
        before = applied_before(parts, case, reached) if refusal.reason == "used" else None
        if before is None:
            raise
        return before


def _named(tell: Callable[[Event], None], module: ModuleId) -> Callable[[Event], None]:
    return lambda event: tell(OfModule(module, event))


def _report(
    sealed: Envelope,
    index: Index,
    results: Results,
    left: Mapping[ModuleId, str],
    interrupted: type[Refusal] | None,
) -> FleetReport:
    ended = tuple(results[entry.module] for entry in index.plans if entry.module in results)
    code = code_of([result.exit_code for result in ended], skipped=bool(left), interrupted=interrupted)
    touched = {result.mutated for result in ended if isinstance(result, ApplyReport)}
    return FleetReport(
        exit_code=code,
        status=_WORDS.get(code, "failed"),
        mutated=next((word for word in ("unknown", "yes") if word in touched), "no"),
        plan_digest=sealed.digest,
        source_sha=index.source_sha,
        outcomes=tuple(_outcome(entry, results.get(entry.module), left) for entry in index.plans),
        results=ended,
        skipped=tuple(left),
    )


def _outcome(entry: IndexEntry, result: Result | None, left: Mapping[ModuleId, str]) -> PlanOutcome:
    if result is None:
        return PlanOutcome(entry.module, entry.host, entry.digest, "skipped", None, left[entry.module])
    reason = result.reason or (result.summary if isinstance(result, ErrorReport) else "")
    return PlanOutcome(entry.module, entry.host, entry.digest, result.status, int(result.exit_code), reason)


def code_of(codes: Sequence[ExitCode], *, skipped: bool, interrupted: type[Refusal] | None = None) -> ExitCode:
    """Return how the whole ended: `PARTIAL` when some plans were applied and others were not.

    If none was applied, this is the worst code that says that a host may be touched, or else that of the first failure.
    """
    bad = [code for code in codes if code not in GOOD]
    if ExitCode.APPLIED in codes:
        return ExitCode.PARTIAL if bad or skipped else ExitCode.APPLIED
    if bad:
        return worst(code for code in bad if EXIT_CODES[code].touched is not Touched.NO) or bad[0]
    return interrupted.exit_code if skipped and interrupted else ExitCode.NO_CHANGES


_WORDS = {ExitCode.NO_CHANGES: "no_changes", ExitCode.APPLIED: "applied", ExitCode.PARTIAL: "partial"}
