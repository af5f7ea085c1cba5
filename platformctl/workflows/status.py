"""Say what runs, what was applied, and whether the two agree. Reads hosts; changes nothing."""

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress

from platformctl.drivers.interface import Driver
from platformctl.errors import ExitCode, Refusal, Unreachable
from platformctl.model.desired import NOTHING, HostEntry, Module, ModuleKind
from platformctl.model.names import HostName, ModuleId
from platformctl.model.observed import Container
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import HistoryReport, HistoryRow, ModuleRow, StatusReport
from platformctl.model.state import HostRecord, Receipt
from platformctl.releases import module_ids, read_manifest
from platformctl.releases.trees import CommitTree
from platformctl.store import chain
from platformctl.store.host import HostLayout
from platformctl.store.host_lock import look_at_lock, read_lock_look
from platformctl.store.host_records import Recalled, read_recall, recall
from platformctl.trust import envelope
from platformctl.workflows.every_host import every_host
from platformctl.workflows.hosts import DRIVER, Hosts, hosts
from platformctl.workflows.left_there import memories_at, remembering
from platformctl.workflows.parts import Parts, keyring, no_such_module, require_host, trust_roots
from platformctl.workflows.records import Memory, read_receipt, remember

_UNSETTLED = "an apply was never settled: platformctl recover"


def status(parts: Parts, names: tuple[str, ...]) -> StatusReport:
    """What runs of each module now, also of those that have no manifest any more, and where something is unsettled.

    A host that does not answer becomes a warning and does not hide the others. If no module is on it, the exit code
    does not change: all is known of every module.
    """
    roots = trust_roots(parts)
    tree = CommitTree(parts.repository, parts.repository.head())
    known = module_ids(tree)
    rows: list[ModuleRow] = []
    warnings: list[str] = []
    besides: list[str] = []
    asked: dict[HostName, Recalled | None] = {}
    everywhere = () if names else every_host(parts, roots)
    with hosts(parts) as reached:
        for entry in everywhere or _named(tree, roots, names):
            reached.begin(entry)
        for name in names or known:
            if name not in known:
                entry, memory = _remembered(parts, roots, reached, known, name)
                rows.append(_row_of_removed(parts, reached, entry, memory))
                continue
            try:
                module = read_manifest(tree, ModuleId.parse(name))
                asked.setdefault(module.host, None)
                memory = _memory(parts, roots, reached, module)
                asked[module.host] = memory.recalled
                rows.append(_row(parts, roots, reached, module, memory))
            except Refusal as refusal:
                warnings.append(f"{name}: {refusal.summary} ({refusal.detail})")
        for entry in everywhere:
            try:
                recalled = asked[entry.name] if entry.name in asked else _recalled(reached, entry)
                if entry.name not in asked and recalled is not None and recalled.journals:
                    besides.append(f"{entry.name}: {_unsettled(parts, reached, entry, recalled)}")
                for each in _left(parts, roots, reached, entry, recalled, known) if recalled is not None else ():
                    if isinstance(each, Refusal):
                        warnings.append(f"{entry.name}: {each.summary} ({each.detail})")
                    else:
                        rows.append(each)
            except Refusal as refusal:
                where = entry.name if entry.name in asked else f"{entry.name}, which no module is on"
                besides.append(f"{where}: {refusal.summary} ({refusal.detail})")
    code = ExitCode.UNREACHABLE if warnings else ExitCode.NO_CHANGES
    return StatusReport(
        exit_code=code,
        status="incomplete" if warnings else "ok",
        modules=tuple(rows),
        warnings=(*warnings, *besides),
    )


def _named(tree: CommitTree, roots: TrustRoots, names: tuple[str, ...]) -> Iterator[HostEntry]:
    """Yield the hosts that these modules' manifests name; one that can not be read is told where it is read again."""
    for name in names:
        with suppress(Refusal):
            yield require_host(roots, read_manifest(tree, ModuleId.parse(name)).host)


def _recalled(reached: Hosts, entry: HostEntry) -> Recalled:
    """Return what a host remembers apart from its modules."""
    transport = reached.reach(entry).transport
    return read_recall(transport.run(recall(HostLayout(entry.root))), entry.name)


def _left(
    parts: Parts, roots: TrustRoots, reached: Hosts, entry: HostEntry, recalled: Recalled, known: Sequence[ModuleId]
) -> Iterator[ModuleRow | Refusal]:
    """Yield a row for each module without a manifest of which the host has something, or why that is not known."""
    names = sorted(set(recalled.modules) - set(known))
    for memory in memories_at(parts, roots, reached, entry, names):
        if isinstance(memory, Refusal):
            yield memory
        elif memory.record.current is not None:
            yield _row_of_removed(parts, reached, entry, memory)


def history(parts: Parts, name: str) -> HistoryReport:
    """Return a module's receipts, newest first: the host's, or this clone's audit if the host does not answer."""
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
    """Yield the receipts of a module that this clone's own audit chain holds, newest first."""
    lines, _ = parts.audit.read()
    for number, line in reversed(tuple(enumerate(lines, 1))):
        fields = chain.parse(line, f"audit record {number}").fields
        if fields.get("module") == module and isinstance(fields.get("receipt"), str):
            yield read_receipt(envelope.read(str(fields["receipt"]).encode()))


def recall_module(parts: Parts, roots: TrustRoots, name: str) -> tuple[HostName, Memory]:
    """Return the host of a module and all that it remembers of it, also if the module has no manifest.

    Raises `InvalidInput` if nobody knows the module.
    """
    tree = CommitTree(parts.repository, parts.repository.head())
    known = module_ids(tree)
    with hosts(parts) as reached:
        if name in known:
            module = read_manifest(tree, ModuleId.parse(name))
            return module.host, _memory(parts, roots, reached, module, whole=True)
        entry, memory = _remembered(parts, roots, reached, known, name, whole=True)
        return entry.name, memory


def _remembered(
    parts: Parts, roots: TrustRoots, reached: Hosts, known: Sequence[ModuleId], name: str, *, whole: bool = False
) -> tuple[HostEntry, Memory]:
    """Return the host that remembers a module without a manifest, and what; raise `InvalidInput` if none does."""
    if ModuleId.pattern.match(name):
        for entry, memory in remembering(parts, roots, reached, ModuleId(name), whole=whole):
            return entry, memory
    raise no_such_module(known, name)


def _memory(parts: Parts, roots: TrustRoots, reached: Hosts, module: Module, *, whole: bool = False) -> Memory:
    entry = require_host(roots, module.host, file=module.path)
    there = reached.reach(entry, parts.driver_of(module))
    now = parts.clock.now()
    return remember(there.transport, HostLayout(entry.root), module.id, keyring(parts, roots), now, whole=whole)


def _row(parts: Parts, roots: TrustRoots, reached: Hosts, module: Module, memory: Memory) -> ModuleRow:
    entry = require_host(roots, module.host)
    current = memory.record.current
    services = set(current.closure) if current else {module.runtime.compose_service}
    mine = _containers(reached, entry, parts.driver_of(module), module.runtime.project, services)
    runs = {module.runtime.compose_service} if module.kind is ModuleKind.SERVICE else set[str]()
    return _row_of(entry, memory, current, mine, _note(parts, reached, entry, memory, current), runs=runs)


def _row_of_removed(parts: Parts, reached: Hosts, entry: HostEntry, memory: Memory) -> ModuleRow:
    """Return the row of a module without a manifest: what is left of it, or that it was removed."""
    healthy = (signed.receipt for signed in reversed(memory.record.receipts) if signed.receipt.healthy)
    last = next(healthy, None)
    note = _note(parts, reached, entry, memory, last)
    if last is None or last.desired == NOTHING:
        gone = "it was removed" if last else "it has no manifest any more"
        return _row_of(entry, memory, last, (), "; ".join(filter(None, (gone, note))))
    driver = parts.driver_for(DRIVER)
    mine = _containers(reached, entry, driver, driver.project_of(last), set(last.closure))
    left = f"it has no manifest any more: platformctl plan {last.module}"
    return _row_of(entry, memory, last, mine, "; ".join(filter(None, (left, note))))


def _row_of(
    entry: HostEntry,
    memory: Memory,
    last: Receipt | None,
    mine: tuple[Container, ...],
    note: str,
    *,
    runs: Set[str] = frozenset(),
) -> ModuleRow:
    """Return the row of a module whose `last` proven release, or removal, this is; services of `runs` must not end."""
    return ModuleRow(
        module=memory.record.module,
        host=entry.name,
        source_sha=last.source_sha if last else "",
        applied_at=last.applied_at if last else "",
        outcome=last.outcome if last else "",
        containers=tuple(_shown(container) for container in mine),
        in_step=_agrees(runs, last, mine),
        attempt=_attempt(memory.record, last),
        note=note,
    )


def _containers(
    reached: Hosts, entry: HostEntry, driver: Driver, project: str, services: Set[str]
) -> tuple[Container, ...]:
    transport = reached.reach(entry, driver).transport
    seen = driver.read_watch(transport.run(driver.watch(project)), entry)
    return tuple(container for container in seen if container.service in services and not container.oneoff)


def _agrees(runs: Set[str], current: Receipt | None, containers: tuple[Container, ...]) -> bool:
    """Whether the services of the receipt are there with its images, and run; those beside `runs` may have ended well.

    They are compared by image and not by container: after a rollback the recorded release runs in new containers.
    """
    if current is None:
        return False
    well = (c for c in containers if c.running or (c.service not in runs and (c.state, c.exit_code) == ("exited", 0)))
    return {(c.service, c.image_id) for c in well} == {(c.service, c.image_id) for c in current.containers}


def _attempt(record: HostRecord, last: Receipt | None) -> Mapping[str, str]:
    """Return what is told of the last apply if it is not the last one that was proven; else nothing."""
    latest = record.latest
    if latest is None or latest == last:
        return {}
    return {"source_sha": latest.source_sha, "at": latest.applied_at, "outcome": latest.outcome}


def _note(parts: Parts, reached: Hosts, entry: HostEntry, memory: Memory, last: Receipt | None) -> str:
    attempt = _attempt(memory.record, last)
    if memory.recalled.journals:
        return _unsettled(parts, reached, entry, memory.recalled)
    if memory.content is None:
        return _forgotten(parts, entry, memory.record.module)
    if attempt:
        return f"last attempt {attempt['source_sha'][:12]} at {attempt['at']}: {attempt['outcome']}"
    return "; ".join(memory.distrusted)


def _forgotten(parts: Parts, entry: HostEntry, module: ModuleId) -> str:
    """Return a note if this clone applied the module and the host has no record of it; else an empty text.

    Its root was emptied then, or it is the disk of another machine.
    """
    with suppress(Refusal):  # a state that can not be read must not hide what the host says
        status = parts.states.read(module)
        if status is not None and status.host == entry.name and status.desired != NOTHING:
            applied = f"this clone applied {status.last_apply_sha[:12]} at {status.applied_at}"
            return f"{applied}, and the host remembers nothing of it: platformctl audit verify"
    return ""


def _unsettled(parts: Parts, reached: Hosts, entry: HostEntry, recalled: Recalled) -> str:
    """Return why a host has an open journal: nobody saw the end of an apply, or one is at work just now."""
    owner = None
    if recalled.manual_lock is None:  # no apply is at work on a host that is locked by hand
        transport = reached.reach(entry, parts.driver_for(DRIVER)).transport
        owner = read_lock_look(transport.run(look_at_lock(HostLayout(entry.root))), entry.name)
    return f"an apply is not settled yet: the host is {owner}" if owner else _UNSETTLED


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
