"""The order of modules: each comes after those it depends on, and by name where that leaves a choice."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from platformctl.errors import InvalidInput
from platformctl.model.names import ModuleId


def in_order(needs: Mapping[ModuleId, Iterable[ModuleId]]) -> tuple[ModuleId, ...]:
    """Return the modules of `needs`, each after those it needs; modules that are no keys of `needs` are ignored.

    Raises `InvalidInput`, naming them, when modules wait for each other.
    """
    sorter = TopologicalSorter({name: [each for each in needed if each in needs] for name, needed in needs.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        raise InvalidInput(
            "modules wait for each other",
            detail=" → ".join(reversed(error.args[1])),
            hint="remove one of them from another's depends_on",
        ) from error
    ordered: list[ModuleId] = []
    while ready := sorted(sorter.get_ready()):
        ordered += ready
        sorter.done(*ready)
    return tuple(ordered)
