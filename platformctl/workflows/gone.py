"""Modules that have no manifest any more: known to this clone's state, or to the host that they were applied on."""

from collections.abc import Iterable, Iterator

from platformctl.errors import InvalidInput, Unreachable
from platformctl.model.desired import NOTHING, HostEntry, Release
from platformctl.model.names import GitSha, ModuleId
from platformctl.model.state import HostRecord, ModuleStatus
from platformctl.store.host import HostLayout
from platformctl.workflows.desire import Desire
from platformctl.workflows.hosts import Hosts
from platformctl.workflows.parts import Parts, keyring, require_host, require_module
from platformctl.workflows.records import remember

DRIVER = "docker-compose"
"""Whoever has no manifest names no driver; who answers on a host is asked in the same words by each."""


def gone_modules(desire: Desire, known: Iterable[ModuleStatus]) -> tuple[ModuleId, ...]:
    """Modules of this clone's state that have no manifest and were not removed yet."""
    manifests = frozenset(desire.names)
    there = (status.module for status in known if status.desired != NOTHING)
    return tuple(sorted(module for module in there if module not in manifests))


def gone_release(parts: Parts, desire: Desire, reached: Hosts, name: str, *, offline: bool) -> Release:
    """What is wanted of a module without a manifest: nothing of what its host says was applied last.

    Raises `InvalidInput` for a module that neither this clone nor a host knows, and `Unreachable` where a host that
    could know it does not answer.
    """
    try:
        module = ModuleId.parse(name)
    except InvalidInput:
        require_module(desire.names, name)
        raise
    applied = _recorded(parts, module) if offline else _applied(parts, desire, reached, module)
    if applied is None:
        require_module(desire.names, name)
        raise InvalidInput("there is no such module", detail=name)
    return desire.removal(module, applied)


def _recorded(parts: Parts, module: ModuleId) -> GitSha | None:
    status = parts.states.read(module)
    return None if status is None or status.desired == NOTHING else status.last_apply_sha


def _applied(parts: Parts, desire: Desire, reached: Hosts, module: ModuleId) -> GitSha | None:
    """The commit of the release on the host that has one. A host that was not asked may have it: then nobody knows."""
    silent: list[Unreachable] = []
    for entry in _candidates(parts, desire, module):
        try:
            current = _record(parts, desire, reached, entry, module).current
        except Unreachable as refusal:
            silent.append(refusal)
            continue
        if current is not None:
            return current.source_sha
    if silent:
        raise silent[0]
    return None


def _candidates(parts: Parts, desire: Desire, module: ModuleId) -> Iterator[HostEntry]:
    status = parts.states.read(module)
    if status is not None:
        yield require_host(desire.roots, status.host)
        return
    yield from desire.roots.hosts.values()


def _record(parts: Parts, desire: Desire, reached: Hosts, entry: HostEntry, module: ModuleId) -> HostRecord:
    transport = reached.reach(entry, parts.driver_for(DRIVER)).transport
    layout, keys = HostLayout(entry.root), keyring(parts, desire.roots)
    return remember(transport, layout, module, keys, parts.clock.now()).record
