"""Say what runs, what was applied, and whether the two agree. Reads hosts; changes nothing."""

from collections.abc import Iterator, Mapping

from platformctl.errors import ExitCode, Refusal, Unreachable
from platformctl.model.desired import HostEntry, Module, TrustRoots
from platformctl.model.names import HostName, ModuleId
from platformctl.model.observed import Container
from platformctl.model.reports import HistoryReport, HistoryRow, ModuleRow, StatusReport
from platformctl.model.state import HostRecord, Receipt
from platformctl.releases import CommitTree, module_ids, read_manifest
from platformctl.store import chain
from platformctl.store.host import HostLayout
from platformctl.store.host_records import read_recall, recall
from platformctl.trust import envelope
from platformctl.workflows.every_host import every_host
from platformctl.workflows.hosts import Hosts, hosts
from platformctl.workflows.left_there import remembering
from platformctl.workflows.parts import Parts, keyring, no_such_module, require_host, require_module, trust_roots
from platformctl.workflows.records import Memory, read_receipt, remember

_UNSETTLED = "an apply was never settled: platformctl recover"


def status(parts: Parts, names: tuple[str, ...]) -> StatusReport:
    """What runs of each module now, and where something is unsettled.

    A host that does not answer is said and does not hide the others; one that no module is on keeps nothing from being
    known of any module.
    """
    roots = trust_roots(parts)
    tree = CommitTree(parts.repository, parts.repository.head())
    wanted = tuple(require_module(module_ids(tree), name) for name in names) or module_ids(tree)
    rows: list[ModuleRow] = []
    warnings: list[str] = []
    besides: list[str] = []
    asked: set[HostName] = set()
    everywhere = () if names else every_host(parts, roots)
    with hosts(parts) as reached:
        for entry in everywhere:
            reached.begin(entry)
        for name in wanted:
            try:
                module = read_manifest(tree, name)
                asked.add(module.host)
                rows.append(_row(parts, roots, reached, module))
            except Refusal as refusal:
                warnings.append(f"{name}: {refusal.summary} ({refusal.detail})")
        for entry in (each for each in everywhere if each.name not in asked):
            try:
                if _is_unsettled(reached, entry):
                    besides.append(f"{entry.name}: {_UNSETTLED}")
            except Refusal as refusal:
                besides.append(f"{entry.name}, which no module is on: {refusal.summary} ({refusal.detail})")
    code = ExitCode.UNREACHABLE if warnings else ExitCode.NO_CHANGES
    return StatusReport(
        exit_code=code,
        status="incomplete" if warnings else "ok",
        modules=tuple(rows),
        warnings=(*warnings, *besides),
    )


def _is_unsettled(reached: Hosts, entry: HostEntry) -> bool:
    """Whether a host that no module is on has an apply whose end nobody saw: that of a module that was removed."""
    transport = reached.reach(entry).transport
    return bool(read_recall(transport.run(recall(HostLayout(entry.root))), entry.name).journals)


def history(parts: Parts, name: str) -> HistoryReport:
    """A module's receipts, newest first: the host's, or this clone's audit when the host does not answer."""
    roots = trust_roots(parts)
    try:
        host, memory = recall_module(parts, roots, name)
    except Unreachable:
        module = ModuleId.parse(name)
        rows = tuple(map(_history_row, _audited(parts, module)))
        if not rows:
            raise
        return HistoryReport(module=module, source="this clone's audit; the host does not answer", rows=rows)
    receipts = (signed.receipt for signed in reversed(memory.record.receipts))
    return HistoryReport(module=memory.record.module, source=f"host {host}", rows=tuple(map(_history_row, receipts)))


def _audited(parts: Parts, module: ModuleId) -> Iterator[Receipt]:
    """The receipts of a module that this clone's own audit chain holds, newest first."""
    lines, _ = parts.audit.read()
    for number, line in reversed(tuple(enumerate(lines, 1))):
        fields = chain.parse(line, f"audit record {number}").fields
        if fields.get("module") == module and isinstance(fields.get("receipt"), str):
            yield read_receipt(envelope.read(str(fields["receipt"]).encode()))


def recall_module(parts: Parts, roots: TrustRoots, name: str) -> tuple[HostName, Memory]:
    """All that the host of a module remembers of it, and which host that is; also of one that has no manifest any more.

    Raises `InvalidInput` where nobody knows the module.
    """
    tree = CommitTree(parts.repository, parts.repository.head())
    known = module_ids(tree)
    with hosts(parts) as reached:
        if name in known:
            module = read_manifest(tree, ModuleId.parse(name))
            return module.host, _memory(parts, roots, reached, module, whole=True)
        if ModuleId.pattern.match(name):
            for entry, memory in remembering(parts, roots, reached, ModuleId(name), whole=True):
                return entry.name, memory
    raise no_such_module(known, name)


def _memory(parts: Parts, roots: TrustRoots, reached: Hosts, module: Module, *, whole: bool = False) -> Memory:
    entry = require_host(roots, module.host, file=module.path)
    there = reached.reach(entry, parts.driver_of(module))
    now = parts.clock.now()
    return remember(there.transport, HostLayout(entry.root), module.id, keyring(parts, roots), now, whole=whole)


def _row(parts: Parts, roots: TrustRoots, reached: Hosts, module: Module) -> ModuleRow:
    memory = _memory(parts, roots, reached, module)
    entry = require_host(roots, module.host)
    driver = parts.driver_of(module)
    transport = reached.reach(entry, driver).transport
    containers = driver.read_watch(transport.run(driver.watch(module.runtime.project)), entry)
    current = memory.record.current
    mine = _mine(module, containers, current)
    return ModuleRow(
        module=module.id,
        host=module.host,
        source_sha=current.source_sha if current else "",
        applied_at=current.applied_at if current else "",
        outcome=current.outcome if current else "",
        containers=tuple(_shown(container) for container in mine),
        in_step=_agrees(current, mine),
        attempt=_attempt(memory.record),
        note=_note(memory),
    )


def _mine(module: Module, containers: tuple[Container, ...], current: Receipt | None) -> tuple[Container, ...]:
    services = set(current.closure) if current else {module.runtime.compose_service}
    return tuple(container for container in containers if container.service in services and not container.oneoff)


def _agrees(current: Receipt | None, containers: tuple[Container, ...]) -> bool:
    """Whether the services of the receipt are there with its images, and run or ended well.

    By image and not by container: after a rollback the release is the recorded one in new containers.
    """
    if current is None:
        return False
    there = {(c.service, c.image_id) for c in containers if c.running or (c.state == "exited" and c.exit_code == 0)}
    return there == {(c.service, c.image_id) for c in current.containers}


def _attempt(record: HostRecord) -> Mapping[str, str]:
    """The last apply, where another release is the last one that was proven; else nothing."""
    latest = record.latest
    if latest is None or latest == record.current:
        return {}
    return {"source_sha": latest.source_sha, "at": latest.applied_at, "outcome": latest.outcome}


def _note(memory: Memory) -> str:
    attempt = _attempt(memory.record)
    if memory.recalled.journals:
        return _UNSETTLED
    if attempt:
        return f"last attempt {attempt['source_sha'][:12]} at {attempt['at']}: {attempt['outcome']}"
    return "; ".join(memory.distrusted)


def _shown(container: Container) -> Mapping[str, str]:
    state = f"{container.state} ({container.health})" if container.health else container.state
    return {
        "service": container.service,
        "id": container.id,
        "name": container.name,
        "state": state,
        "image": container.image_ref,
        "image_id": container.image_id,
    }


def _history_row(receipt: Receipt) -> HistoryRow:
    return HistoryRow(
        applied_at=receipt.applied_at,
        source_sha=receipt.source_sha,
        outcome=receipt.outcome,
        applied_by=receipt.applied_by,
        plan_digest=receipt.plan_digest,
        pull_request=receipt.pull_request,
    )
