"""Ask hosts about modules that may have no manifest any more."""

from collections.abc import Iterator, Mapping, Sequence

from platformctl.errors import Refusal, Unreachable
from platformctl.model.desired import NOTHING, HostEntry, Release
from platformctl.model.names import GitSha, ModuleId
from platformctl.model.policy import TrustRoots
from platformctl.store.host import HostLayout
from platformctl.workflows.desire import Desire
from platformctl.workflows.every_host import every_host
from platformctl.workflows.hosts import Hosts
from platformctl.workflows.looking import Seen
from platformctl.workflows.parts import Parts, keyring, require_host
from platformctl.workflows.records import Memory, remember, remember_each


def applied(parts: Parts, desire: Desire, reached: Hosts, module: ModuleId) -> GitSha | None:
    """Return the commit of the module's release on the host that has one; None if no host has."""
    for _, memory in remembering(parts, desire.roots, reached, module):
        if memory.record.current is not None:
            return memory.record.current.source_sha
    return None


def left_behind(
    parts: Parts, desire: Desire, reached: Hosts, looked_at: Mapping[ModuleId, tuple[Release, Seen | Refusal]]
) -> dict[ModuleId, GitSha | Refusal]:
    """Return modules without a manifest of which a host still has something, with its commit or a refusal.

    Only hosts that were looked at are asked. This clone's state does not tell: in a pipeline there is none.
    """
    known = {
        release.host.name: (release.host, seen.memory.recalled.modules)
        for release, seen in looked_at.values()
        if not isinstance(seen, Refusal)
    }
    found: dict[ModuleId, GitSha | Refusal] = {}
    for entry, modules in known.values():
        left = sorted(set(modules) - {*desire.names, *looked_at, *found})
        for module, memory in zip(left, memories_at(parts, desire.roots, reached, entry, left), strict=True):
            if isinstance(memory, Refusal):
                found[module] = memory
            elif memory.record.current is not None and memory.record.current.desired != NOTHING:
                found[module] = memory.record.current.source_sha
    return found


def memories_at(
    parts: Parts, roots: TrustRoots, reached: Hosts, entry: HostEntry, modules: Sequence[ModuleId]
) -> tuple[Memory | Refusal, ...]:
    """Return what a host remembers of each module, or why that can not be said.

    All are asked for in one exchange; without modules nothing is asked.
    """
    if not modules:
        return ()
    try:
        transport = reached.reach(entry).transport
        return remember_each(transport, HostLayout(entry.root), modules, keyring(parts, roots), parts.clock.now())
    except Refusal as refusal:
        return (refusal,) * len(modules)


def remembering(
    parts: Parts, roots: TrustRoots, reached: Hosts, module: ModuleId, *, whole: bool = False
) -> Iterator[tuple[HostEntry, Memory]]:
    """Yield the hosts that remember a module: the one that this clone's state names, else any.

    Raises `Unreachable` after the last if a host that could remember it does not answer: then nobody knows.
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
    yield from every_host(parts, roots)


def _memory(
    parts: Parts, roots: TrustRoots, reached: Hosts, entry: HostEntry, module: ModuleId, *, whole: bool
) -> Memory:
    transport = reached.reach(entry).transport
    layout, keys = HostLayout(entry.root), keyring(parts, roots)
    return remember(transport, layout, module, keys, parts.clock.now(), whole=whole)
