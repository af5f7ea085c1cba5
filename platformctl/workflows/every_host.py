"""The hosts that are asked by a command that has to ask every host of the allow-list."""

from platformctl.errors import Refusal
from platformctl.model.desired import HostEntry, Module
from platformctl.model.policy import TrustRoots
from platformctl.releases.trees import CommitTree
from platformctl.workflows.neighbours import neighbours
from platformctl.workflows.parts import Parts


def every_host(parts: Parts, roots: TrustRoots) -> tuple[HostEntry, ...]:
    """Return the hosts of the allow-list, whether or not a module is on them.

    The last module of a host may have been removed by an apply that died. A host with transport `local` is left out
    unless it has to do with this clone: `init` writes such an entry, and on the machines of others it is the wrong
    host, or one without Docker.
    """
    entries = roots.hosts.values()
    return tuple(entry for entry in entries if entry.transport != "local" or _may_be_ours(parts, entry))


def _may_be_ours(parts: Parts, entry: HostEntry) -> bool:
    """Return whether a module of HEAD or of this clone's state is on the host; True if nobody can tell."""
    try:
        modules = neighbours(CommitTree(parts.repository, parts.repository.head()))
        states = parts.states.all()
    except Refusal:
        return True
    here = (m.host == entry.name if isinstance(m, Module) else m.may_be_on(n, entry.name) for n, m in modules.items())
    return any(here) or any(status.host == entry.name for status in states)
