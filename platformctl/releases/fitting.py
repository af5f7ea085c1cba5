"""Whether a manifest and its compose file fit: what Compose would refuse on a host is found before any is asked."""

from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter

from platformctl.errors import InvalidInput
from platformctl.model.compose import ComposeModel
from platformctl.model.desired import TAG, Module


def require_fit(module: Module, compose: ComposeModel) -> None:
    """Raise `InvalidInput` for the first thing in which the two do not fit."""
    _require_service(module, compose)
    _require_order(module, compose)
    _require_names(module, compose)
    _require_tag(module, compose)


def _require_service(module: Module, compose: ComposeModel) -> None:
    name = module.runtime.compose_service
    if name not in compose.services:
        near = get_close_matches(name, compose.services, n=1)
        raise InvalidInput(
            "the service is not in the compose file",
            detail=f"{compose.path} has no service {name}; it has: {', '.join(sorted(compose.services))}",
            hint=(f"did you mean {near[0]}? " if near else "") + f"set spec.runtime.compose_service of {module.id}",
            file=module.path,
        )


def _require_order(module: Module, compose: ComposeModel) -> None:
    """Raise `InvalidInput` when services of the closure need each other in a cycle.

    Compose would refuse it on the host; here it is found before any host is asked.
    """
    closure = compose.closure(module.runtime.compose_service)
    needs = {name: [each for each in compose.services[name].needs if each in closure] for name in closure}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        around = tuple(reversed(error.args[1]))
        raise InvalidInput(
            "services wait for each other",
            detail=" → ".join(around),
            hint="remove one of them from what another one needs: depends_on, links, volumes_from, service:NAME",
            file=compose.path,
            line=compose.line_of(f"services.{around[0]}"),
        ) from error


def _require_names(module: Module, compose: ComposeModel) -> None:
    """Compose finds it out too, on a host, of all services that it knows."""
    for name in sorted(compose.brought_by(module.runtime.compose_service)):
        service = compose.services[name]
        if service.definition.get("container_name") and service.replicas > 1:
            raise InvalidInput(
                "several containers would have one name",
                detail=f"service {service.name} has container_name and is to have {service.replicas} containers",
                hint="leave container_name out, or scale and deploy.replicas",
                file=compose.path,
                line=compose.line_of(f"services.{service.name}.container_name"),
            )


def _require_tag(module: Module, compose: ComposeModel) -> None:
    """Raise `InvalidInput` when the canary expects `{tag}` and the service's image has no tag.

    The canary would then expect an empty text, which every answer has.
    """
    version = module.canary.version if module.canary else None
    if version and TAG in version.expect and not compose.services[module.runtime.compose_service].tag:
        raise InvalidInput(
            "the canary expects a tag that the image does not have",
            detail=f"{module.id}: spec.canary.version.expect has {TAG}, and {compose.path} names no tag",
            hint="write image: name:tag or name:tag@sha256:…, or the version itself",
            file=module.path,
        )
