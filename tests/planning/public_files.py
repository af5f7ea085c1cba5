"""Services as people publish them, made to run in a lab: images replaced, what reaches outside of the project left out.

The files are not part of this repository. A folder of them, one folder a project, is named by PLATFORMCTL_CORPUS.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.planning.edits import HEALTHY, JOB, SLEEPER, Document, closure

MISSING = "PLATFORMCTL_CORPUS names no folder of public compose files"
_KEPT = ("labels", "restart", "hostname", "init", "stop_grace_period", "mem_limit", "cpus", "read_only", "tmpfs")
_MOST = 5


def files() -> list[Path]:
    """Every compose file of the corpus; empty where there is none."""
    folder = os.environ.get("PLATFORMCTL_CORPUS")
    return sorted(Path(folder).glob("*/compose.yaml")) if folder else []


def tamed() -> Iterator[tuple[str, str, Document]]:
    """Name, main service and compose file of every project that has a closure of two to five services."""
    for path in files():
        try:
            document = yaml.load(path.read_bytes(), yaml.CSafeLoader)
        except yaml.YAMLError:
            continue
        services = {str(name): each for name, each in document.get("services", {}).items() if isinstance(each, dict)}
        made = _document(services)
        sizes = {name: len(closure(made, name)) for name in sorted(services)}
        fitting = [name for name, size in sizes.items() if 2 <= size <= _MOST]
        if fitting:
            yield path.parent.name, max(fitting, key=sizes.__getitem__), made


def _document(services: Mapping[str, Mapping[str, Any]]) -> Document:
    needed = {name: _needs(each, services) for name, each in services.items()}
    conditions: dict[str, set[str]] = {}
    for needs in needed.values():
        for name, condition in needs.items():
            conditions.setdefault(name, set()).add(condition)
    made = {name: _service(each, conditions.get(name, set())) for name, each in services.items()}
    for name, needs in needed.items():
        if needs:
            made[name]["depends_on"] = {each: {"condition": condition} for each, condition in needs.items()}
    return {"services": made}


def _service(each: Mapping[str, Any], conditions: set[str]) -> dict[str, Any]:
    one_shot, waited = "service_completed_successfully" in conditions, "service_healthy" in conditions
    made = {key: each[key] for key in _KEPT if key in each and "$" not in str(each[key])}
    if one_shot:
        made.pop("restart", None)
    environment = _pairs(each.get("environment"))
    made["environment"] = {
        name: "x" if "$" in value else value for name, value in environment.items() if name != "PATH"
    }
    made["labels"] = {name: "x" if "$" in value else value for name, value in _pairs(each.get("labels")).items()}
    return {"image": JOB if one_shot else HEALTHY if waited else SLEEPER, **made}


def _needs(each: Mapping[str, Any], services: Mapping[str, Any]) -> dict[str, str]:
    depends = each.get("depends_on") or {}
    if isinstance(depends, list):
        depends = {name: {} for name in depends}
    return {name: (how or {}).get("condition", "service_started") for name, how in depends.items() if name in services}


def _pairs(value: Any) -> dict[str, str]:
    """A mapping, or a list of `NAME=value`."""
    if isinstance(value, list):
        return {name: text for name, _, text in (str(each).partition("=") for each in value)}
    return {str(name): str(text) for name, text in (value or {}).items()}
