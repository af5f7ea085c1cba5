"""Rules that policy.yaml fills: labels every service must have, and ports of the host that no service may publish."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from platformctl.policy.rules import Candidate, Rule, Sighting

_SHORT = re.compile(
    r"(?:(?:\[[^\]]*\]|[0-9.]+|localhost|):)?(?:(?P<low>[0-9]{1,5})(?:-(?P<high>[0-9]{1,5}))?)?:"
    r"[0-9]{1,5}(?:-[0-9]{1,5})?(?:/[a-z]+)?\Z"
)
_TARGET_ALONE = re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?(?:/[a-z]+)?\Z")
_PUBLISHED = re.compile(r"(?P<low>[0-9]{1,5})(?:-(?P<high>[0-9]{1,5}))?\Z")

Ports = tuple[int, int]


def _missing_labels(candidate: Candidate) -> Iterator[Sighting]:
    for service in candidate.services:
        labels = service.definition.get("labels") or {}
        for name in candidate.policy.required_labels:
            if not labels.get(name):
                yield Sighting(f"services.{service.name}", f"service {service.name} has no label {name}")


def _forbidden_ports(candidate: Candidate) -> Iterator[Sighting]:
    if not candidate.policy.forbidden_ports:
        return
    for service in candidate.services:
        items = service.definition.get("ports") or ()
        for index, item in enumerate(items if isinstance(items, list) else [items]):
            for ports in _published(item):
                if ports is None or any(_overlap(ports, forbidden) for forbidden in candidate.policy.forbidden_ports):
                    place = f"services.{service.name}.ports.{index}"
                    yield Sighting(place, f"service {service.name} takes {_named(ports)}")


def _published(item: Any) -> Iterator[Ports | None]:
    """Yield the ports of the host that an item publishes, None where they can not be told.

    Yields nothing for an item that leaves the choice of the port to Docker.
    """
    if isinstance(item, Mapping):
        published = item.get("published")
        if published not in (None, "", 0, "0"):
            yield _range(_PUBLISHED.match(str(published)))
    elif _TARGET_ALONE.match(str(item)) is None:
        match = _SHORT.match(str(item))
        if match is None or match["low"]:
            yield _range(match)


def _range(match: re.Match[str] | None) -> Ports | None:
    return (int(match["low"]), int(match["high"] or match["low"])) if match else None


def _overlap(one: Ports, other: Ports) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _named(ports: Ports | None) -> str:
    if ports is None:
        return "ports that can not be told"
    return f"port {ports[0]}" if ports[0] == ports[1] else f"ports {ports[0]} to {ports[1]}"


OWN_RULES = (
    Rule(
        "label-missing",
        why="policy.yaml names it in services.required_labels",
        instead="add it under labels",
        look=_missing_labels,
    ),
    Rule(
        "port-forbidden",
        why="policy.yaml names it in services.forbidden_ports",
        instead="publish another port, or reach the service over a network",
        look=_forbidden_ports,
    ),
)
