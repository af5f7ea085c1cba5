"""Containers that were made from below a root and belong to no module. They are listed and never touched."""

from collections.abc import Iterator, Mapping

from platformctl.errors import ExitCode, Refusal
from platformctl.model.desired import NOTHING, HostEntry, TrustRoots
from platformctl.model.names import HostName
from platformctl.model.observed import Container
from platformctl.model.reports import Stray, StrayReport
from platformctl.releases import CommitTree, read_release
from platformctl.workflows.hosts import Hosts, hosts
from platformctl.workflows.left_there import DRIVER
from platformctl.workflows.parts import Parts, manifests, require_host, trust_roots

Owned = Mapping[HostName, frozenset[tuple[str, str]]]
"""Projects and services of all modules, by host."""


def strays(parts: Parts) -> StrayReport:
    """Every host of the allow-list is asked; one that does not answer is said and does not hide the others."""
    roots = trust_roots(parts)
    owned = _owned(parts, roots)
    removed = _removed(parts)
    found: list[Stray] = []
    warnings: list[str] = []
    with hosts(parts) as reached:
        for entry in roots.hosts.values():
            try:
                mine = owned.get(entry.name, frozenset())
                seen = _surveyed(parts, reached, entry)
                found.extend(_stray(entry, c, removed) for c in seen if (c.project, c.service) not in mine)
            except Refusal as refusal:
                warnings.append(f"{entry.name}: {refusal.summary} ({refusal.detail})")
    code = ExitCode.UNREACHABLE if warnings else ExitCode.NO_CHANGES
    status = "incomplete" if warnings else "ok"
    return StrayReport(exit_code=code, status=status, strays=tuple(found), warnings=tuple(warnings))


def _owned(parts: Parts, roots: TrustRoots) -> Owned:
    """What the modules of HEAD name and need. One that can not be read is refused: its containers are no strays."""
    head = parts.repository.head()
    tree = CommitTree(parts.repository, head)
    owned: dict[HostName, frozenset[tuple[str, str]]] = {}
    for module in manifests(tree).values():
        release = read_release(tree, module, require_host(roots, module.host), head, dirty=False)
        services = frozenset((str(module.runtime.project), str(service)) for service in release.closure)
        owned[module.host] = owned.get(module.host, frozenset()) | services
    return owned


def _removed(parts: Parts) -> Mapping[str, str]:
    """Modules of this clone's state by the containers they were seen with."""
    known = (status for status in parts.states.all() if status.desired != NOTHING)
    return {container.id: status.module for status in known for container in status.containers}


def _surveyed(parts: Parts, reached: Hosts, entry: HostEntry) -> Iterator[Container]:
    driver = parts.driver_for(DRIVER)
    transport = reached.reach(entry, driver).transport
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
