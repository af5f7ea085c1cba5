"""Plan modules: find what would change and why, and sign it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from platformctl.drivers.interface import Preceding
from platformctl.errors import ExitCode, PolicyViolation, Refusal, Usage, or_raise, worst
from platformctl.model.desired import NOTHING, Module, Release
from platformctl.model.finding import Finding
from platformctl.model.frozen import dataclass
from platformctl.model.names import GitSha, ModuleId, ServiceName
from platformctl.model.plan import Bystander, Plan
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import ErrorReport, NotPlanned, PlannedModule, PlanReport
from platformctl.model.state import HostRecord, ModuleStatus
from platformctl.planning.build import Circumstances, build_offline
from platformctl.planning.order import in_order
from platformctl.planning.refusals import refuse_foreign
from platformctl.planning.removal import build_removal, build_removal_offline
from platformctl.planning.sighted import build_sighted, build_unseen
from platformctl.planning.spreading import done
from platformctl.releases import inputs_digest, manifest_path
from platformctl.trust.keys import require_usable
from platformctl.workflows.desire import Desire, agreed
from platformctl.workflows.gone import gone_modules, gone_release, is_left, recorded
from platformctl.workflows.parts import Parts, trust_roots
from platformctl.workflows.plan_files import write_plans
from platformctl.workflows.recorded_release import fetch_recorded, recorded_release
from platformctl.workflows.release_plan import circumstances, plan_release

if TYPE_CHECKING:
    from platformctl.trust.fleet_observation import FleetObservation
    from platformctl.workflows.hosts import Hosts
    from platformctl.workflows.looking import Seen


@dataclass(frozen=True)
class PlanRequest:
    """What the operator asked for. `key` is the planner's; `expires_in` is in seconds, None for what policy says."""

    modules: tuple[str, ...]
    everything: bool = False
    offline: bool = False
    observation: Path | None = None
    out: Path | None = None
    expires_in: int | None = None
    key: Path | None = None
    long: bool = False


def plan_now(parts: Parts, request: PlanRequest) -> PlanReport:
    """Plan the named modules, or all. One module that can not be planned does not hide the others.

    Raises `Usage` when there is no key to sign with; a speculative plan may do without. If one module was named, its
    own refusal is raised.
    """
    _require_usable(request)
    roots = trust_roots(parts)
    if not (request.offline or request.observation):
        parts.get_ready(roots.hosts.values(), ())
    desire = Desire(parts, roots, parts.repository.head())
    names, unchanged = _split(parts, desire, request)
    desire.commit.fetch(manifest_path(ModuleId(name)).parent for name in names)
    when = circumstances(parts, roots, request.expires_in)
    seen: Mapping[ModuleId, Seen | Refusal] = {}
    if request.offline or request.observation:
        fetch_recorded(parts, names)
        wanted = dict(_wanted(desire, when, names, partial(recorded, parts)))
    else:
        wanted, seen = _look(parts, desire, when, names, everything=request.everything)
    fleet = _read_observation(parts, request.observation, roots) if request.observation else None
    plans: list[Plan] = []
    failed: list[NotPlanned] = []
    preceding: list[Preceding] = []
    for name in _in_order(wanted):
        try:
            each, there = or_raise(wanted[name]), seen.get(ModuleId(name))
            if fleet is not None:
                plans.append(_sighted(parts, desire, when, each, fleet))
                continue
            plans.append(_plan_one(parts, desire, when, each, there, preceding, alone=not request.everything))
        except Refusal as refusal:
            if len(names) == 1 and not request.everything:
                raise
            failed.append(NotPlanned(name, ErrorReport.of(refusal)))
    planned, index = write_plans(
        parts, plans, request.key, request.out, head=desire.head if request.everything else None
    )
    return _report(request, planned, index, unchanged, failed)


@dataclass(frozen=True)
class _Wanted:
    """A release that policy agreed to, with the findings that its plan carries."""

    release: Release
    findings: tuple[Finding, ...]


def _wanted(
    desire: Desire, when: Circumstances, names: Iterable[str], applied: Callable[[ModuleId], GitSha | None]
) -> Iterator[tuple[str, _Wanted | Refusal]]:
    """Yield what is wanted of each module, or why that can not be said; its removal if it has no manifest."""

    def wanted(name: str) -> _Wanted | Refusal:
        try:
            known = name in desire.names
            release = desire.release(ModuleId(name)) if known else gone_release(desire, name, applied)
            desire.require_owned(release)
            return _Wanted(release, agreed(release, when.trust.policy, when.created_at[:10]))
        except Refusal as refusal:
            return refusal

    return ((name, wanted(name)) for name in names)


def _in_order(wanted: Mapping[str, _Wanted | Refusal]) -> tuple[str, ...]:
    """Return the modules, each after those it depends on and those whose services its own would start.

    Raises `InvalidInput` naming a cycle.
    """
    releases = _releases(wanted)
    owners = {_owned(release, release.module.runtime.compose_service): name for name, release in releases.items()}

    def needs(name: ModuleId) -> set[ModuleId]:
        if name not in releases:
            return set()
        release = releases[name]
        others = {owners.get(_owned(release, service), name) for service in release.closure}
        return (others - {name}).union(release.module.depends_on)

    return in_order({ModuleId(name): needs(ModuleId(name)) for name in wanted})


def _owned(release: Release, service: ServiceName) -> tuple[str, str, str]:
    return release.host.name, release.module.runtime.project, service


def _look(
    parts: Parts, desire: Desire, when: Circumstances, names: Iterable[str], *, everything: bool
) -> tuple[dict[str, _Wanted | Refusal], Mapping[ModuleId, "Seen | Refusal"]]:
    """Return what is wanted, and what hosts say. What speaks to a host is imported here: offline does without it."""
    from platformctl.workflows.guess import by_states
    from platformctl.workflows.hosts import hosts
    from platformctl.workflows.left_there import applied, left_behind
    from platformctl.workflows.looking import look_at_all

    with hosts(parts) as reached:
        if everything:
            _begin(parts, desire, when.trust, reached)
        wanted: dict[str, _Wanted | Refusal] = {}
        there = cache(partial(applied, parts, desire, reached))
        if everything:
            names = [name for name in names if name in desire.names or is_left(ModuleId(name), there)]
        for name, each in _wanted(desire, when, names, there):
            wanted[name] = each
            if isinstance(each, _Wanted):
                reached.begin(each.release.host, parts.driver_of(each.release.module))
        releases = _releases(wanted)
        seen = look_at_all(parts, reached, releases.values(), when.trust, by_states(parts, releases.values()))
        if everything:
            looked_at = {module: (release, seen[module]) for module, release in releases.items()}
            left = left_behind(parts, desire, reached, looked_at)
            gone = dict(_wanted(desire, when, left, lambda module: or_raise(left[module])))
            wanted.update(gone)
            seen = {**seen, **look_at_all(parts, reached, _releases(gone).values(), when.trust, {})}
        return wanted, seen


def _begin(parts: Parts, desire: Desire, roots: TrustRoots, reached: "Hosts") -> None:
    """Begin to reach every host that a module names: they have most to do, and can do it while releases are read."""
    for module in desire.modules.values():
        if isinstance(module, Module) and module.host in roots.hosts:
            reached.begin(roots.hosts[module.host], parts.driver_of(module))


def _releases(wanted: Mapping[str, "_Wanted | Refusal"]) -> dict[ModuleId, Release]:
    return {ModuleId(name): each.release for name, each in wanted.items() if isinstance(each, _Wanted)}


def _read_observation(parts: Parts, path: Path, roots: TrustRoots) -> "FleetObservation":
    from platformctl.workflows.sighting import read_observation

    return read_observation(parts, path, roots)


def _plan_one(
    parts: Parts,
    desire: Desire,
    when: Circumstances,
    wanted: _Wanted,
    seen: "Seen | Refusal | None",
    preceding: list[Preceding],
    *,
    alone: bool,
) -> Plan:
    """Return the plan of one module.

    Plans of an index (not `alone`) are built on each other, as they will be applied: each on what those before it
    bring.
    """
    release, findings = wanted.release, wanted.findings
    if seen is None:
        return _offline(parts, desire, release, when, findings)
    there = or_raise(seen)
    _refuse_quarantined(release, there.memory.record)
    owners, driver = desire.owners(release), parts.driver_of(release.module)
    observation = there.observation
    for before in preceding:
        if before.release.host.name == release.host.name:
            observation = driver.foresee(release, observation, before)
    plan = plan_release(parts, release, observation, there.memory.record, when, findings, owners)
    plan = replace(plan, untouched=(*plan.untouched, *_elsewhere(parts, release)))
    if plan.has_changes and not alone:
        preceding.append(Preceding(release, plan, observation))
    return plan


def _elsewhere(parts: Parts, release: Release) -> Iterator[Bystander]:
    """Yield containers on the host that the module was applied on last, as far as this clone knows, if it moved.

    A state that can not be read keeps nobody from planning: the host has the truth.
    """
    try:
        status = parts.states.read(release.module.id)
    except Refusal:
        return
    if status is not None and status.host != release.host.name and status.desired != NOTHING:
        where = f"on host {status.host}, which the module was applied on last; platformctl stray list shows it"
        yield from (Bystander("container", c.id[:12], f"service {c.service} {where}") for c in status.containers)


def _sighted(parts: Parts, desire: Desire, when: Circumstances, wanted: _Wanted, fleet: "FleetObservation") -> Plan:
    """Return a plan from what somebody else saw."""
    from platformctl.workflows.sighting import seen_then

    release, driver = wanted.release, parts.driver_of(wanted.release.module)
    seen = seen_then(parts, fleet, release, when.trust)
    if seen is None:
        return build_unseen(release, fleet.at, driver, when, wanted.findings, _foreign(release, desire))
    there = or_raise(seen)
    _refuse_quarantined(release, there.memory.record)
    if release.gone:
        return build_removal(release, there.observation, there.memory.record, driver, when, {})
    owners = desire.owners(release)
    foreign = _foreign(release, desire)
    record = there.memory.record
    known = replace(there.observation, earlier=recorded_release(parts, when.trust, release, record.current))
    plan = build_sighted(release, known, record, driver, when, wanted.findings, foreign)
    refuse_foreign(plan, owners, done(release, there.observation, driver))
    return plan


def _offline(parts: Parts, desire: Desire, release: Release, when: Circumstances, findings: Iterable[Finding]) -> Plan:
    status = parts.states.read(release.module.id)
    driver = parts.driver_of(release.module)
    if release.gone and status is not None:
        return build_removal_offline(release, status, driver, when)
    earlier = recorded_release(parts, when.trust, release, status)
    return build_offline(release, status, driver, when, findings, earlier, _foreign(release, desire))


def _foreign(release: Release, desire: Desire) -> frozenset[ServiceName]:
    """Return the services that other modules own. Other manifests are read only where there may be one."""
    if len(release.closure) == 1:
        return frozenset()
    return frozenset(service for service, owner in desire.owners(release).items() if owner != release.module.id)


def _require_usable(request: PlanRequest) -> None:
    if request.offline and request.observation:
        raise Usage(
            "two sources are named",
            detail="--offline plans from recorded state, --observation from a file",
            hint="leave one out",
        )
    if request.key is None and not (request.offline or request.observation):
        raise Usage(
            "there is no key to sign the plan with",
            detail="neither --key nor PLATFORMCTL_PLANNER_KEY names one",
            hint="platformctl init makes a planner key; a plan with --offline may do without",
        )
    if request.key is not None:
        require_usable(request.key)  # refused now, although there may be nothing to sign later
    if request.out is not None and (request.everything or len(request.modules) != 1):
        raise Usage(
            "--out names one file", detail="and this makes several plans", hint="plan one module, or leave it out"
        )
    if not request.modules and not request.everything:
        raise Usage("no module is named", hint="platformctl plan MODULE, or --all")


def _split(parts: Parts, desire: Desire, request: PlanRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the modules to plan, and those that recorded state settles without reading them again."""
    if not request.everything:
        return tuple(dict.fromkeys(request.modules)), ()
    known = {status.module: status for status in parts.states.all()}
    names = (*desire.names, *gone_modules(desire, known.values()))
    if not request.offline or desire.changed:
        return names, ()
    same = {name for name in names if name in known and _is_settled(desire, known[name])}
    return tuple(name for name in names if name not in same), tuple(sorted(same))


def _is_settled(desire: Desire, status: ModuleStatus) -> bool:
    """Return whether the recorded inputs are the very ones of HEAD, by git's object ids."""
    return status.inputs == inputs_digest(desire.commit, status.module, (file.path for file in status.files))


def _refuse_quarantined(release: Release, record: HostRecord) -> None:
    held = record.quarantine_of(release.digest)
    if held is not None:
        raise PolicyViolation(
            "the release is quarantined on this host",
            detail=f"{release.module.id} at {held.source_sha[:12]} failed at {held.at}: {held.reason}",
            hint=f"change it, or platformctl unquarantine {release.module.id} --reason …",
            reason="quarantined",
            host=release.host.name,
        )


def _report(
    request: PlanRequest,
    plans: tuple[PlannedModule, ...],
    index: str | None,
    unchanged: tuple[str, ...],
    failed: Sequence[NotPlanned],
) -> PlanReport:
    changing = any(planned.plan.has_changes for planned in plans)
    blocked = worst(each.error.exit_code for each in failed)
    code = blocked or (ExitCode.CHANGES_PRESENT if changing else ExitCode.NO_CHANGES)
    return PlanReport(
        exit_code=code,
        status="blocked" if blocked else "changes" if changing else "no_changes",
        plans=plans,
        unchanged=unchanged,
        failed=tuple(failed),
        index=index,
        long=request.long,
    )
