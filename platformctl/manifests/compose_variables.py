"""Resolve the variables of a whole compose document, and tell which of them the host may decide.

Values of a service's `environment:` may come from the host: only the program in the container reads them. Everything
else must be decided by the repository, or a host could turn a named volume into docker.sock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from platformctl.errors import InvalidInput
from platformctl.manifests.interpolation import mentioned, resolve
from platformctl.model.compose import GIVEN

Place = tuple[str, ...]


@dataclass
class Resolver:
    """Resolves one document. `refuse` turns an error at a place into a refusal that names file and line.

    Afterwards `unset` has the variables without a value or default that the host may not decide, `left_to_host` those
    that it must, and `deciding` all variables that decide anything but `environment:` values, each with the dotted path
    of the value that names it. `by_service` has all variables that a service names.
    """

    variables: Mapping[str, str]
    refuse: Callable[[Place, InvalidInput], InvalidInput]
    unset: list[tuple[str, str]] = field(default_factory=list)
    deciding: list[tuple[str, str]] = field(default_factory=list)
    left_to_host: list[tuple[str, str]] = field(default_factory=list)
    by_service: dict[str, set[str]] = field(default_factory=dict)

    def resolved(self, value: Any, place: Place = ()) -> Any:
        """Return `value` with every string in it resolved; keys are left as they are, as in Compose."""
        if isinstance(value, dict):
            return {key: self.resolved(item, (*place, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolved(item, (*place, str(index))) for index, item in enumerate(value)]
        return self._text(value, place) if isinstance(value, str) else value

    def _text(self, value: str, place: Place) -> str:
        try:
            text, missing = resolve(value, self.variables)
        except InvalidInput as error:
            raise self.refuse(place, error) from error
        if place[:1] == ("services",) and len(place) > 1:
            self.by_service.setdefault(place[1], set()).update(mentioned(value))
        if not is_the_hosts(place):
            self.unset.extend((name, ".".join(place)) for name in missing)
            self.deciding.extend((name, ".".join(place)) for name in mentioned(value))
        elif place[:1] == ("services",):
            self.left_to_host.extend((name, ".".join(place)) for name in missing if not GIVEN.match(name))
        return text


def is_the_hosts(place: Place) -> bool:
    """Whether the host may decide the value at `place`, or Compose does not act on it.

    A top-level `x-` field has no effect by itself, only where an anchor repeats it, and is judged there.
    """
    match place:
        case ("services", _, "environment", *_):
            return True
        case (top, *_):
            return top.startswith("x-")
        case _:
            return False
