"""Services that use a part of another's container: its network, IPC or process namespace, or its volumes.

`up` puts the id of the other container in the place of its name and hashes the definition then; `config --hash` hashes
the name. So a question for hashes has the live ids put in first, into the definition as Compose has completed it
(seen with 2.26.1: a namespace becomes `container:ID`, an item of `volumes_from` the bare id, without its mode, and
one of a container that the file names itself that bare name).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from platformctl.model.compose import ComposeService
from platformctl.model.desired import Release
from platformctl.model.names import ServiceName

_NAMESPACES = ("network_mode", "ipc", "pid")
NOTHING = "services: {}\n"


def lenders(service: ComposeService) -> tuple[ServiceName, ...]:
    """The services whose container `service` uses a part of."""
    volumes = (item.split(":") for item in service.definition.get("volumes_from", ()))
    named = (*namespaces(service).values(), *(words[0] for words in volumes if words[0] != "container"))
    return tuple(dict.fromkeys(map(ServiceName, named)))


def lenders_of(release: Release) -> tuple[ServiceName, ...]:
    """Every service of the closure whose container another one of it uses a part of."""
    return tuple(dict.fromkeys(name for each in release.closure for name in lenders(release.compose.services[each])))


def from_others(release: Release) -> bool:
    """Whether a service of the closure names a container itself, of whatever project, to use a part of it."""
    definitions = [release.compose.services[name].definition for name in release.closure]
    namespaces = any(str(each.get(key, "")).startswith("container:") for each in definitions for key in _NAMESPACES)
    volumes = any(item.startswith("container:") for each in definitions for item in each.get("volumes_from", ()))
    links = any(each.get("external_links") for each in definitions)
    return namespaces or volumes or links


def borrowed(release: Release) -> str:
    """A compose file of what `up` hashes otherwise than it is written, with `@service@` in the place of each id;
    `NOTHING` where there is nothing of the kind.
    """
    fields = {name: ", ".join(_fields(release.compose.services[name])) for name in release.closure}
    lines = [f"  {json.dumps(name)}: {{{said}}}\n" for name, said in fields.items() if said]
    return f"services:\n{''.join(lines)}" if lines else NOTHING


def _fields(service: ComposeService) -> Iterator[str]:
    for key, lender in namespaces(service).items():
        yield f'"{key}": "container:@{lender}@"'
    volumes = [_bare(item.split(":")) for item in service.definition.get("volumes_from", ())]
    if volumes:
        yield f'"volumes_from": !override {json.dumps(volumes)}'


def _bare(words: list[str]) -> str:
    return words[1] if words[0] == "container" else f"@{words[0]}@"


def namespaces(service: ComposeService) -> Mapping[str, str]:
    """The services whose namespaces a service uses, by the key that names them."""
    definition: Mapping[str, Any] = service.definition
    split = ((key, str(definition.get(key, "")).partition(":")) for key in _NAMESPACES)
    return {key: name for key, (kind, _, name) in split if kind == "service"}
