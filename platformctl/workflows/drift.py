"""Report where hosts are no longer what was applied last: engine, files, images and values. Changes nothing.

Each module is compared with the release of its last receipt, so what HEAD would change is no drift.
"""

from collections.abc import Mapping, Sequence

from platformctl.errors import ExitCode, PolicyViolation, Refusal, or_raise
from platformctl.model.desired import Module, Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import HostName, ModuleId
from platformctl.model.plan import Action, Change, Plan
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import DriftReport, DriftRow
from platformctl.model.state import Receipt
from platformctl.planning.build import build
from platformctl.releases import module_ids, read_manifest
from platformctl.releases.trees import CommitTree
from platformctl.workflows.desire import owners_at, release_at
from platformctl.workflows.guess import by_states
from platformctl.workflows.hosts import Hosts, hosts
from platformctl.workflows.left_there import memories_at
from platformctl.workflows.looking import Seen, look_at_all
from platformctl.workflows.parts import Parts, require_host, require_module, trust_roots
from platformctl.workflows.records import Memory
from platformctl.workflows.release_plan import circumstances


@dataclass(frozen=True)
class _Applied:
    """What was applied of a module last, as its host recorded it."""

    release: Release
    receipt: Receipt


def drift(parts: Parts, names: tuple[str, ...]) -> DriftReport:
    """Report the drift of the named modules, or of all.

    A module that can not be read and a host that does not answer become warnings, and do not hide the others.
    """
    roots = trust_roots(parts)
    tree = CommitTree(parts.repository, parts.repository.head())
    wanted = tuple(require_module(module_ids(tree), name) for name in names) or module_ids(tree)
    rows: list[DriftRow] = []
    warnings: list[str] = []
    with hosts(parts) as reached:
        modules = {name: _module(tree, name) for name in wanted}
        memories = _memories(parts, roots, reached, [each for each in modules.values() if isinstance(each, Module)])
        applied = {name: _applied(parts, roots, each, memories) for name, each in modules.items()}
        releases = [each.release for each in applied.values() if isinstance(each, _Applied)]
        seen = look_at_all(parts, reached, releases, roots, by_states(parts, releases))
    for name, then in applied.items():
        try:
            if isinstance(then, Refusal):
                raise then
            rows.append(then if isinstance(then, DriftRow) else _row(parts, roots, then, seen[name]))
        except Refusal as refusal:
            warnings.append(f"{name}: {refusal.summary} ({refusal.detail})")
    drifted = any(row.has_drifted for row in rows)
    code = ExitCode.UNREACHABLE if warnings else ExitCode.CHANGES_PRESENT if drifted else ExitCode.NO_CHANGES
    status = "incomplete" if warnings else "drift" if drifted else "ok"
    return DriftReport(exit_code=code, status=status, modules=tuple(rows), warnings=tuple(warnings))


def _module(tree: CommitTree, name: ModuleId) -> Module | Refusal:
    try:
        return read_manifest(tree, name)
    except Refusal as refusal:
        return refusal


def _memories(
    parts: Parts, roots: TrustRoots, reached: Hosts, modules: Sequence[Module]
) -> Mapping[ModuleId, Memory | Refusal]:
    """Return what each module's host remembers of it. Hosts are reached side by side, and asked once each."""
    found: dict[ModuleId, Memory | Refusal] = {}
    by_host: dict[HostName, list[Module]] = {}
    for module in modules:
        try:
            reached.begin(require_host(roots, module.host, file=module.path), parts.driver_of(module))
            by_host.setdefault(module.host, []).append(module)
        except Refusal as refusal:
            found[module.id] = refusal
    for name, those in by_host.items():
        names = [module.id for module in those]
        found.update(zip(names, memories_at(parts, roots, reached, roots.hosts[name], names), strict=True))
    return found


def _applied(
    parts: Parts, roots: TrustRoots, wanted: Module | Refusal, memories: Mapping[ModuleId, Memory | Refusal]
) -> _Applied | DriftRow | Refusal:
    """Return the release to compare with, a row for a module that was never applied, or a refusal."""
    try:
        module = or_raise(wanted)
        current = or_raise(memories[module.id]).record.current
        if current is None:
            return DriftRow(module.id, module.host, "", "", (), "never applied")
        return _Applied(release_at(parts, roots, current.source_sha, module.id), current)
    except Refusal as refusal:
        return refusal


def _row(parts: Parts, roots: TrustRoots, applied: _Applied, seen: Seen | Refusal) -> DriftRow:
    """Return what the plan of the applied release would change. If policy refuses that plan, this is the drift."""
    changes: tuple[Change, ...] = ()
    note = ""
    try:
        plan = _plan(parts, roots, applied, or_raise(seen))
        changes = tuple(change for change in plan.changes if change.action is not Action.KEEP)
    except PolicyViolation as refusal:
        note = f"{refusal.summary}: {refusal.detail}"
    receipt = applied.receipt
    return DriftRow(receipt.module, receipt.host, receipt.source_sha, receipt.applied_at, changes, note)


def _plan(parts: Parts, roots: TrustRoots, applied: _Applied, seen: Seen) -> Plan:
    """Return the plan that brings the recorded release back, with the very images it was applied with."""
    release, name = applied.release, applied.release.module.id
    owners = owners_at(parts, roots, release.source_sha, release)
    foreign = frozenset(service for service, owner in owners.items() if owner != name)
    pinned = {image.ref: image for image in applied.receipt.images}
    driver, when = parts.driver_of(release.module), circumstances(parts, roots)
    return build(release, seen.observation, seen.memory.record, driver, when, (), foreign, pinned)
