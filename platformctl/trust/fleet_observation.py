"""What was seen of all modules at one time, to plan from without reaching a host: the file that `observe` writes.

It is signed as a plan is, in a namespace of its own. It holds what hosts said of containers and what they remember; a
receipt in it is believed for its own signature, as everywhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, make_dataclass, replace
from typing import Any, get_type_hints

from platformctl.errors import InvalidInput
from platformctl.model import codec, strict_json
from platformctl.model.frozen import dataclass
from platformctl.model.moment import Moment
from platformctl.model.names import GitSha, HostName, ModuleId
from platformctl.model.observed import Observation, Source

PAYLOAD_TYPE = "application/vnd.platformctl.observation.v1+json"
FORMAT = "platformctl/observation"
FORMAT_VERSION = "1.0"


@dataclass(frozen=True)
class ModuleSeen:
    """What was seen of a module; `record` is what its host remembers of it, None if that is nothing yet."""

    module: ModuleId
    host: HostName
    observation: Observation
    record: str | None


@dataclass(frozen=True)
class Unseen:
    """A module that could not be looked at, and why."""

    module: ModuleId
    host: str
    reason: str
    summary: str
    detail: str


@dataclass(frozen=True)
class FleetObservation:
    """All modules of one commit, as their hosts were at one time."""

    source_sha: GitSha
    at: str
    modules: tuple[ModuleSeen, ...]
    unseen: tuple[Unseen, ...]


_HINTS = get_type_hints(Observation)
_Looked: Any = make_dataclass(
    "_Looked", [(each.name, _HINTS[each.name]) for each in fields(Observation) if each.name != "earlier"], frozen=True
)
"""An observation without the files of the earlier release, which would be read from the repository."""


@dataclass(frozen=True)
class _Module:
    module: ModuleId
    host: HostName
    observation: Any
    record: str | None


@dataclass(frozen=True)
class _Document:
    format: str
    format_version: str
    source_sha: GitSha
    at: Moment
    modules: tuple[_Module, ...]
    unseen: tuple[Unseen, ...]


def encode_fleet(fleet: FleetObservation, hide: Callable[[str], str]) -> bytes:
    """Return the payload; every text goes through `hide`, except a record, which is signed as it stands."""
    modules = tuple(_encoded(each, hide) for each in fleet.modules)
    unseen = tuple(replace(each, detail=hide(each.detail)) for each in fleet.unseen)
    document = _Document(FORMAT, FORMAT_VERSION, fleet.source_sha, Moment.parse(fleet.at), modules, unseen)
    return strict_json.dump(codec.encode(document))


def decode_fleet(payload: bytes) -> FleetObservation:
    """Return the observation in `payload`; raise `InvalidInput`, also when a module stands in it twice."""
    data = strict_json.load(payload, "observation")
    version = data.get("format_version") if isinstance(data, dict) and data.get("format") == FORMAT else None
    if not isinstance(version, str) or version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        raise InvalidInput(
            "a document is not an observation this tool reads", detail=f"observation: format: expected {FORMAT} 1.x"
        )
    document = codec.decode(_Document, data, "observation", ignore_unknown=True)
    names = [*(each.module for each in document.modules), *(each.module for each in document.unseen)]
    if len(set(names)) != len(names):
        raise InvalidInput("an observation names something twice", detail="observation: the same module twice")
    modules = tuple(_decoded(each) for each in document.modules)
    return FleetObservation(document.source_sha, document.at, modules, document.unseen)


def _encoded(seen: ModuleSeen, hide: Callable[[str], str]) -> _Module:
    data = codec.encode(replace(seen.observation, source=Source.OBSERVATION, earlier=None))
    del data["earlier"]
    return _Module(seen.module, seen.host, _hidden(data, hide), seen.record)


def _decoded(module: _Module) -> ModuleSeen:
    looked = codec.decode(_Looked, module.observation, "observation", ignore_unknown=True)
    observation = Observation(**{each.name: getattr(looked, each.name) for each in fields(looked)})
    return ModuleSeen(module.module, module.host, replace(observation, source=Source.OBSERVATION), module.record)


def _hidden(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {name: _hidden(each, hide) for name, each in value.items()}
    return [_hidden(each, hide) for each in value] if isinstance(value, list) else value
