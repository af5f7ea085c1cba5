"""Modules that no longer have a manifest, but are known to this clone's state or to the host they were applied on."""

from collections.abc import Callable, Iterable

from platformctl.errors import Refusal
from platformctl.model.desired import NOTHING, Release
from platformctl.model.names import GitSha, ModuleId
from platformctl.model.state import ModuleStatus
from platformctl.workflows.desire import Desire
from platformctl.workflows.parts import Parts, no_such_module


def gone_modules(desire: Desire, known: Iterable[ModuleStatus]) -> tuple[ModuleId, ...]:
    """Return the modules of this clone's state that have no manifest and were not removed yet."""
    manifests = frozenset(desire.names)
    there = (status.module for status in known if status.desired != NOTHING)
    return tuple(sorted(module for module in there if module not in manifests))


def is_left(module: ModuleId, applied: Callable[[ModuleId], GitSha | None]) -> bool:
    """Return whether something of a module without a manifest is left on a host; True if nobody can tell.

    The host is asked, as this clone's state does not know what another clone removed.
    """
    try:
        return applied(module) is not None
    except Refusal:
        return True


def gone_release(desire: Desire, name: str, applied: Callable[[ModuleId], GitSha | None]) -> Release:
    """Return the removal of a module without a manifest; `applied` gives the commit that was applied last.

    Raises `InvalidInput` for a module that nobody knows, and what `applied` raises.
    """
    if not ModuleId.pattern.match(name):
        raise no_such_module(desire.names, name)
    module = ModuleId(name)
    commit = applied(module)
    if commit is None:
        raise no_such_module(desire.names, name)
    return desire.removal(module, commit)


def recorded(parts: Parts, module: ModuleId) -> GitSha | None:
    """Return the commit of a module's release in this clone's state; None if there is none, or it was removed."""
    status = parts.states.read(module)
    return None if status is None or status.desired == NOTHING else status.last_apply_sha
