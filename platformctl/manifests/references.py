"""Checks that need all manifests together: references to hosts and other modules, and which module owns a service."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter

from platformctl.model.compose import ComposeModel
from platformctl.model.desired import HostEntry, Module
from platformctl.model.finding import Finding
from platformctl.model.names import HostName, ModuleId, ServiceName


def check_references(modules: Sequence[Module], hosts: Mapping[HostName, HostEntry]) -> tuple[Finding, ...]:
    """Return a finding for every reference between `modules` and to `hosts` that is wrong.

    The findings have no line: a checked module does not know on which lines its values were.
    """
    known = {module.id: module for module in modules}
    return (
        *(finding for module in modules for finding in _host_findings(module, hosts)),
        *(finding for module in modules for finding in _dependency_findings(module, known)),
        *_cycle_findings(known),
        *_ownership_findings(modules),
    )


def _host_findings(module: Module, hosts: Mapping[HostName, HostEntry]) -> Iterator[Finding]:
    if module.host not in hosts:
        hint = _near(module.host, hosts) or "add it to .platform/hosts.yaml and have that merged"
        message = f"the host {module.host} is not on the allow-list"
        yield _error(module, "host-allow-list", "spec.host", message, hint, severity="deny")


def _dependency_findings(module: Module, known: Mapping[ModuleId, Module]) -> Iterator[Finding]:
    for index, needed in enumerate(module.depends_on):
        if needed not in known:
            hint = _near(needed, known) or f"add modules/{needed}/module.yaml, or remove the line"
            yield _error(module, "depends-on", f"spec.depends_on.{index}", f"there is no module {needed}", hint)


def _cycle_findings(known: Mapping[ModuleId, Module]) -> Iterator[Finding]:
    """Yield one finding for each module of each cycle; cycles are removed one by one until none is left."""
    graph = {name: {needed for needed in module.depends_on if needed in known} for name, module in known.items()}
    while cycle := _cycle(graph):
        told = " → ".join((*cycle, cycle[0]))
        for name in cycle:
            hint = "remove one of these from depends_on"
            yield _error(known[name], "depends-on", "spec.depends_on", f"modules wait for each other: {told}", hint)
        graph = {name: needed - set(cycle) for name, needed in graph.items() if name not in cycle}


def _cycle(graph: Mapping[ModuleId, Iterable[ModuleId]]) -> tuple[ModuleId, ...]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # graphlib repeats the first module at the end, and names each before the one that needs it.
        return tuple(reversed(error.args[1][1:]))
    return ()


def _ownership_findings(modules: Iterable[Module]) -> Iterator[Finding]:
    """Yield a finding where two modules have one service of a project on a host, or two compose files for a project."""
    services: defaultdict[tuple[str, str, str], list[Module]] = defaultdict(list)
    projects: defaultdict[tuple[str, str], list[Module]] = defaultdict(list)
    for module in modules:
        services[module.host, module.runtime.project, module.runtime.compose_service].append(module)
        projects[module.host, module.runtime.project].append(module)
    for (_, project, service), owners in services.items():
        for module in owners[1:]:
            message = f"service {service} of project {project} already belongs to module {owners[0].id}"
            hint = "give it another compose_service or project, or remove one of the modules"
            yield _error(module, "service-owner", "spec.runtime.compose_service", message, hint)
    for (_, project), sharing in projects.items():
        for module in sharing[1:]:
            if module.runtime.compose_file != sharing[0].runtime.compose_file:
                message = f"project {project} already has another compose file, that of module {sharing[0].id}"
                hint = "modules that share a project share its compose file; choose another spec.runtime.project"
                yield _error(module, "project-owner", "spec.runtime.project", message, hint)


def check_reached(modules: Sequence[Module], compose: ComposeModel) -> tuple[Finding, ...]:
    """Return a finding for each service that several of `modules` reach and none names: whose it is nobody has said.

    They share a host, a project, and its compose file.
    """
    named = {module.runtime.compose_service for module in modules}
    reaching: defaultdict[ServiceName, list[Module]] = defaultdict(list)
    for module in modules:
        for service in compose.reached(module.runtime.compose_service, named).difference(named):
            reaching[service].append(module)
    return tuple(
        _error(
            module,
            "service-owner",
            "spec.runtime.compose_service",
            f"service {service} of project {module.runtime.project} is reached by modules "
            f"{', '.join(each.id for each in sharing)}, and belongs to none",
            f"give it a module of its own, whose spec.runtime.compose_service is {service}",
        )
        for service, sharing in sorted(reaching.items())
        for module in sharing
        if len(sharing) > 1
    )


def _near(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else ""


def _error(module: Module, rule: str, field: str, message: str, hint: str, *, severity: str = "error") -> Finding:
    return Finding(module.id, rule, severity, module.path, None, field, message, hint)
