"""The hosts that are asked where every host of the allow-list must be."""

from platformctl.errors import Refusal
from platformctl.model.desired import HostEntry, Module, TrustRoots
from platformctl.releases import CommitTree
from platformctl.workflows.neighbours import neighbours
from platformctl.workflows.parts import Parts


def every_host(parts: Parts, roots: TrustRoots) -> tuple[HostEntry, ...]:
    """The allow-list, whether or not a module is on a host: the last one may have been removed by an apply that died.

    Of transport `local` only hosts that have to do with this clone: `init` writes one, and on the machines of others
    it is the wrong host, or one without Docker.
    """
    entries = roots.hosts.values()
    return tuple(entry for entry in entries if entry.transport != "local" or _may_be_ours(parts, entry))


def _may_be_ours(parts: Parts, entry: HostEntry) -> bool:
    """Whether a module of HEAD or of this clone's state is on the host, or nobody can tell."""
    try:
        modules = neighbours(CommitTree(parts.repository, parts.repository.head()))
        states = parts.states.all()
    except Refusal:
        return True
    here = (m.host == entry.name if isinstance(m, Module) else m.may_be_on(n, entry.name) for n, m in modules.items())
    return any(here) or any(status.host == entry.name for status in states)
