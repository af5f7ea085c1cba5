"""Which plans of an index may begin now: after those they need, one at a time on a host, the first host before all.

Pure: the caller runs the plans, and says when one begins and how it ended. Only one thread may call it.
"""

from collections.abc import Iterator, Mapping, Sequence

from platformctl.model.frozen import dataclass
from platformctl.model.names import HostName, ModuleId
from platformctl.planning.order import in_order


@dataclass(frozen=True)
class Leg:
    """One plan of an index. `needs` are the modules of the same index that must have ended well before it."""

    module: ModuleId
    host: HostName
    needs: frozenset[ModuleId]


class Schedule:
    """The plans of an index that have not begun, that run, and that ended well or not.

    Until the plans of the host `first` are over, only they and those they need begin. After a plan that did not end
    well nothing begins any more or, with `keep_going`, only what does not need it.
    """

    def __init__(self, legs: Sequence[Leg], *, first: HostName, parallel: int, keep_going: bool) -> None:
        """Raise `InvalidInput` for modules that wait for each other: none of them could ever begin."""
        in_order({leg.module: leg.needs for leg in legs})
        self._waiting = {leg.module: leg for leg in legs}
        self._running: dict[ModuleId, Leg] = {}
        self._bad: dict[ModuleId, Leg] = {}
        self._good: set[ModuleId] = set()
        self._vanguard = _with_needs(self._waiting, {leg.module for leg in legs if leg.host == first})
        self._parallel = parallel
        self._keep_going = keep_going

    def begin(self) -> Leg | None:
        """Return the next plan, which counts as running from now on; None when none may begin now."""
        for leg in self._candidates():
            self._running[leg.module] = self._waiting.pop(leg.module)
            return leg
        return None

    def ended(self, leg: Leg, *, well: bool) -> None:
        """Record how a plan ended, also for one that never began."""
        self._running.pop(leg.module, None)
        self._waiting.pop(leg.module, None)
        if well:
            self._good.add(leg.module)
        else:
            self._bad[leg.module] = leg

    def left(self) -> Mapping[ModuleId, str]:
        """Return the plans that never began, and why."""
        lost = self._lost()
        return {name: f"needs {lost[name]}" if name in lost else "stopped before it" for name in self._waiting}

    def _candidates(self) -> Iterator[Leg]:
        stopped = self._bad and not self._keep_going
        if stopped or len(self._running) >= self._parallel:
            return
        busy = {leg.host for leg in self._running.values()}
        lost = self._lost()
        ahead = [name for name in self._vanguard if name in self._running or (name in self._waiting.keys() - lost)]
        for name, leg in tuple(self._waiting.items()):
            if leg.host not in busy and leg.needs <= self._good and (not ahead or name in self._vanguard):
                yield leg

    def _lost(self) -> Mapping[ModuleId, ModuleId]:
        """Return waiting plans that can not begin any more, each with one that it needs and that will not be there."""
        lost: dict[ModuleId, ModuleId] = {}
        found = True
        while found:
            gone = self._bad.keys() | lost.keys()
            new = {n: min(leg.needs & gone) for n, leg in self._waiting.items() if n not in lost and leg.needs & gone}
            lost.update(new)
            found = bool(new)
        return lost


def _with_needs(legs: Mapping[ModuleId, Leg], names: set[ModuleId]) -> set[ModuleId]:
    more = names.union(*(legs[name].needs for name in names))
    return names if more == names else _with_needs(legs, more)
