"""One look for several plans of a host, taken under its lock before the first of them is applied (ADR 0028).

What it saw of a later plan's module counts for a while, and only if none of the plans before it can have changed that.
If planning again from it gives another answer, the plan gets a look of its own: none is refused by a shared one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace

from platformctl.drivers.interface import Preceding
from platformctl.errors import Refusal, or_raise
from platformctl.model.frozen import dataclass
from platformctl.model.names import HostName, ModuleId
from platformctl.model.observed import Observation
from platformctl.model.plan import Place, Remove
from platformctl.store.host import HostLayout
from platformctl.workflows.case import Case
from platformctl.workflows.guess import by_plan
from platformctl.workflows.hosts import Hosts
from platformctl.workflows.looking import Seen, look, look_at_all
from platformctl.workflows.parts import Parts, keyring
from platformctl.workflows.records import remember

FRESH = 30.0
"""Seconds for which a look serves. More may lie between a look and the first step anyway, if images are pulled."""


@dataclass(frozen=True)
class _SharedLook:
    """What was seen under the lock of `token`, when (by the monotonic clock), and which plans were begun since."""

    token: int
    at: float
    seen: Mapping[ModuleId, Seen | Refusal]
    begun: list[Preceding] = field(default_factory=list)


class SharedLooks:
    """The looks of one run, one at a time for each host; `cases` are the plans in the order of the index."""

    def __init__(self, cases: Mapping[ModuleId, Case]) -> None:
        self._cases = cases
        self._looks: dict[HostName, _SharedLook] = {}

    def __call__(self, parts: Parts, case: Case, reached: Hosts, token: int) -> Iterator[Seen]:
        """Yield what is known of a plan's module and, if that is not from now, then what a look of its own sees."""
        shared = self._looks.get(case.plan.host.name)
        if shared is None or shared.token != token:  # another lock: nobody knows what happened in between
            seen = or_raise(self._look(parts, case, reached, token).seen[case.plan.module])
            yield self._begun(case, seen)
            return
        kept = _kept(parts, case, reached, shared)
        if kept is not None:
            yield self._begun(case, kept)
        yield self._begun(case, Seen(*look(parts, reached, case.release, case.roots, by_plan(case.plan))))

    def _begun(self, case: Case, seen: Seen) -> Seen:
        before = Preceding(case.release, case.plan, seen.observation)
        self._looks[case.plan.host.name].begun.append(before)
        return seen

    def _look(self, parts: Parts, case: Case, reached: Hosts, token: int) -> _SharedLook:
        at = parts.clock.monotonic()
        soon = self._soon(case)
        releases = [each.release for each in soon]
        guesses = {each.plan.module: by_plan(each.plan) for each in soon}
        shared = _SharedLook(token, at, look_at_all(parts, reached, releases, case.roots, guesses))
        self._looks[case.plan.host.name] = shared
        return shared

    def _soon(self, first: Case) -> Sequence[Case]:
        """Return `first` and the plans after it on its host whose turn comes while a look is fresh if all goes well."""
        cases = tuple(self._cases.values())
        behind = [each for each in cases[cases.index(first) + 1 :] if each.plan.host.name == first.plan.host.name]
        found, ahead = [first], first.release.module.health.stable_for
        for case in behind:
            if ahead < FRESH and case.plan.has_changes:
                found.append(case)
            ahead += case.release.module.health.stable_for
        return found


def _kept(parts: Parts, case: Case, reached: Hosts, shared: _SharedLook) -> Seen | None:
    """Return what was seen, with what the host remembers by now; None if it is not sure that all is still so."""
    seen = shared.seen.get(case.plan.module)
    if not isinstance(seen, Seen) or parts.clock.monotonic() - shared.at > FRESH:
        return None
    if not all(_is_apart(parts, case, seen.observation, before) for before in shared.begun):
        return None
    host = case.release.host
    transport = reached.reach(host, parts.driver_of(case.release.module)).transport
    keys, now = keyring(parts, case.roots), parts.clock.now()
    memory = remember(transport, HostLayout(host.root), case.plan.module, keys, now)
    return replace(seen, memory=memory) if memory.content == seen.memory.content else None


def _is_apart(parts: Parts, case: Case, seen: Observation, before: Preceding) -> bool:
    """Return whether the plan `before` can have changed nothing that was seen: not its project, files or images.

    What a way back could use only grows, and is not compared. Planning again asks which of it a plan rests on.
    """
    driver, module = parts.driver_of(case.release.module), case.release.module
    if module.runtime.project == before.release.module.runtime.project or not driver.stands_alone(case.release):
        return False
    operations = (operation for step in before.plan.steps for operation in (*step.do, *step.undo))
    if module.env.file in {each.path for each in operations if isinstance(each, Place | Remove)}:
        return False
    after = driver.foresee(case.release, seen, before)
    return replace(after, kept=seen.kept, image_ids=seen.image_ids) == seen
