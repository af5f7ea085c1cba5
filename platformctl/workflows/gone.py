"""Modules that have no manifest any more: known to this clone's state, or to the host that they were applied on."""

from collections.abc import Iterable, Iterator

from platformctl.errors import Unreachable
from platformctl.model.desired import NOTHING, HostEntry, Release, TrustRoots
from platformctl.model.names import GitSha, ModuleId
from platformctl.model.state import ModuleStatus
from platformctl.store.host import HostLayout
from platformctl.workflows.desire import Desire
from platformctl.workflows.hosts import Hosts
from platformctl.workflows.parts import Parts, keyring, no_such_module, require_host
from platformctl.workflows.records import Memory, remember

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
    if not ModuleId.pattern.match(name):
        raise no_such_module(desire.names, name)
    module = ModuleId(name)
    applied = _recorded(parts, module) if offline else _applied(parts, desire, reached, module)
    if applied is None:
        raise no_such_module(desire.names, name)
    return desire.removal(module, applied)


def _recorded(parts: Parts, module: ModuleId) -> GitSha | None:
    status = parts.states.read(module)
    return None if status is None or status.desired == NOTHING else status.last_apply_sha


def _applied(parts: Parts, desire: Desire, reached: Hosts, module: ModuleId) -> GitSha | None:
    """The commit of the release on the host that has one."""
    for _, memory in remembering(parts, desire.roots, reached, module):
        if memory.record.current is not None:
            return memory.record.current.source_sha
    return None


def remembering(
    parts: Parts, roots: TrustRoots, reached: Hosts, module: ModuleId, *, whole: bool = False
) -> Iterator[tuple[HostEntry, Memory]]:
    """Hosts that remember a module: the one of this clone's state, else any.

    Raises `Unreachable` behind the last where one that could remember it does not answer: then nobody knows.
    """
    silent: list[Unreachable] = []
    for entry in _candidates(parts, roots, module):
        try:
            memory = _memory(parts, roots, reached, entry, module, whole=whole)
        except Unreachable as refusal:
            silent.append(refusal)
            continue
        if memory.content is not None:
            yield entry, memory
    if silent:
        raise silent[0]


def _candidates(parts: Parts, roots: TrustRoots, module: ModuleId) -> Iterator[HostEntry]:
    status = parts.states.read(module)
    if status is not None:
        yield require_host(roots, status.host)
        return
    yield from roots.hosts.values()


def _memory(
    parts: Parts, roots: TrustRoots, reached: Hosts, entry: HostEntry, module: ModuleId, *, whole: bool
) -> Memory:
    transport = reached.reach(entry, parts.driver_for(DRIVER)).transport
    layout, keys = HostLayout(entry.root), keyring(parts, roots)
    return remember(transport, layout, module, keys, parts.clock.now(), whole=whole)
