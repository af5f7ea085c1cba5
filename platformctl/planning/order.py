"""In which order modules come: each after those it depends on, by name where that leaves a choice."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from platformctl.errors import InvalidInput
from platformctl.model.names import ModuleId


def in_order(needs: Mapping[ModuleId, Iterable[ModuleId]]) -> tuple[ModuleId, ...]:
    """The modules of `needs` in their order; what they need beside each other does not count.

    Raises `InvalidInput` naming modules that wait for each other.
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
