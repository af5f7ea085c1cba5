"""List containers that were made from below a root and belong to no module. They are never touched."""

from collections.abc import Iterator, Mapping

from platformctl.errors import ExitCode, InvalidInput, Refusal
from platformctl.model.desired import NOTHING, HostEntry, Module
from platformctl.model.names import GitSha, HostName, ServiceName
from platformctl.model.observed import Container
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import Stray, StrayReport
from platformctl.releases import manifest_path, read_release
from platformctl.releases.trees import CommitTree
from platformctl.workflows.every_host import every_host
from platformctl.workflows.hosts import DRIVER, Hosts, hosts
from platformctl.workflows.neighbours import Neighbours, Unreadable, neighbours
from platformctl.workflows.parts import Parts, require_host, trust_roots

_ALL = ""
"""Stands for every service of a project."""
Owned = Mapping[HostName, frozenset[tuple[str, str]]]
"""Projects and services of all modules, by host."""


def strays(parts: Parts) -> StrayReport:
    """List strays on every host of the allow-list.

    A host that does not answer becomes a warning and does not hide the others.
    """
    roots, head = trust_roots(parts), parts.repository.head()
    tree = CommitTree(parts.repository, head)
    known = neighbours(tree)
    warnings: list[str] = []
    owned = _owned(roots, tree, head, known, warnings)
    removed = _removed(parts)
    found: list[Stray] = []
    with hosts(parts) as reached:
        for entry in every_host(parts, roots):
            try:
                _refuse_unreadable(entry, known)
                mine = owned.get(entry.name, frozenset())
                seen = (
                    c
                    for c in _surveyed(parts, reached, entry)
                    if not {(c.project, c.service), (c.project, _ALL)} & mine
                )
                found.extend(_stray(entry, c, removed) for c in seen)
            except Refusal as refusal:
                warnings.append(f"{entry.name}: {refusal.summary} ({refusal.detail})")
    code = ExitCode.UNREACHABLE if warnings else ExitCode.NO_CHANGES
    status = "incomplete" if warnings else "ok"
    return StrayReport(exit_code=code, status=status, strays=tuple(found), warnings=tuple(warnings))


def _owned(roots: TrustRoots, tree: CommitTree, head: GitSha, known: Neighbours, warnings: list[str]) -> Owned:
    """Return what the modules of HEAD name and need.

    For a module whose files can not be read this is its whole project, and a warning says so.
    """
    owned: dict[HostName, frozenset[tuple[str, str]]] = {}
    for module in (each for each in known.values() if isinstance(each, Module)):
        try:
            closure = read_release(tree, module, require_host(roots, module.host), head, dirty=False).closure
        except Refusal as refusal:
            closure = (ServiceName(_ALL),)
            warnings.append(f"{module.id}: {refusal.summary} ({refusal.detail}); its project was left out")
        services = frozenset((str(module.runtime.project), str(service)) for service in closure)
        owned[module.host] = owned.get(module.host, frozenset()) | services
    return owned


def _refuse_unreadable(entry: HostEntry, known: Neighbours) -> None:
    """Raise `InvalidInput` if an unreadable manifest could name what runs there: that would be no stray."""
    for name, each in known.items():
        if isinstance(each, Unreadable) and each.may_be_on(name, entry.name):
            raise InvalidInput(
                "a module that can not be read may name what runs there",
                detail=f"{manifest_path(name)}: {each.refusal.detail}",
                host=entry.name,
            )


def _removed(parts: Parts) -> Mapping[str, str]:
    """Return the modules of this clone's state, by the ids of the containers they were seen with."""
    known = (status for status in parts.states.all() if status.desired != NOTHING)
    return {container.id: status.module for status in known for container in status.containers}


def _surveyed(parts: Parts, reached: Hosts, entry: HostEntry) -> Iterator[Container]:
    driver = parts.driver_for(DRIVER)
    transport = reached.reach(entry).transport
    below = f"{entry.root}/"
    containers = driver.read_watch(transport.run(driver.survey()), entry)
    return (c for c in containers if f"{c.folder}/".startswith(below) or c.compose_file.startswith(below))


def _stray(entry: HostEntry, container: Container, removed: Mapping[str, str]) -> Stray:
    return Stray(
        host=entry.name,
        container=container.name,
        project=container.project,
        service=container.service,
        image=container.image_ref,
        state=container.state,
        module=removed.get(container.id, ""),
    )
