"""The hosts that are asked where every host of the allow-list must be."""

from platformctl.errors import Refusal
from platformctl.model.desired import HostEntry, TrustRoots
from platformctl.model.names import HostName
from platformctl.releases import CommitTree
from platformctl.workflows.parts import Parts, manifests


def every_host(parts: Parts, roots: TrustRoots) -> tuple[HostEntry, ...]:
    """The allow-list, whether or not a module is on a host: the last one may have been removed by an apply that died.

    Of transport `local` only hosts that have to do with this clone: `init` writes one, and on the machines of others
    it is the wrong host, or one without Docker.
    """
    entries = tuple(roots.hosts.values())
    if all(entry.transport != "local" for entry in entries):
        return entries
    ours = _ours(parts)
    return tuple(entry for entry in entries if entry.transport != "local" or ours is None or entry.name in ours)


def _ours(parts: Parts) -> frozenset[HostName] | None:
    """The hosts of HEAD's modules and of this clone's state; None where they can not all be read."""
    try:
        modules = manifests(CommitTree(parts.repository, parts.repository.head())).values()
        return frozenset({module.host for module in modules} | {status.host for status in parts.states.all()})
    except Refusal:
        return None
