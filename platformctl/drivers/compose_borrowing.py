"""Services that borrow a part of another service's container: its network, IPC or process namespace, or its volumes.

`up` replaces the name of the other service by the id of its container before it hashes a definition; `config --hash`
hashes the name. So before hashes are asked for, the ids of the live containers are put into the definition that Compose
has completed (seen with 2.26.1: a namespace becomes `container:ID`; an item of `volumes_from` becomes the bare id,
without its mode, or the bare name where the file names a container itself).
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
    """Return the services that `service` borrows from, each once."""
    volumes = (item.split(":") for item in service.definition.get("volumes_from", ()))
    named = (*namespaces(service).values(), *(words[0] for words in volumes if words[0] != "container"))
    return tuple(dict.fromkeys(map(ServiceName, named)))


def lenders_of(release: Release) -> tuple[ServiceName, ...]:
    """Return the services that services of the closure borrow from, each once."""
    return tuple(dict.fromkeys(name for each in release.closure for name in lenders(release.compose.services[each])))


def from_others(release: Release) -> bool:
    """Whether a service of the closure names a container, which may be of any project, to borrow from or link to."""
    definitions = [release.compose.services[name].definition for name in release.closure]
    namespaces = any(str(each.get(key, "")).startswith("container:") for each in definitions for key in _NAMESPACES)
    volumes = any(item.startswith("container:") for each in definitions for item in each.get("volumes_from", ()))
    links = any(each.get("external_links") for each in definitions)
    return namespaces or volumes or links


def borrowed(release: Release) -> str:
    """Return a compose override with the fields that `up` hashes in another form than the file has them.

    `@service@` stands for the id of that service's container. `NOTHING` where no service borrows.
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
    """Return the services whose namespaces `service` uses, by key: `network_mode`, `ipc` or `pid`."""
    definition: Mapping[str, Any] = service.definition
    split = ((key, str(definition.get(key, "")).partition(":")) for key in _NAMESPACES)
    return {key: name for key, (kind, _, name) in split if kind == "service"}
