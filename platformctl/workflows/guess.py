"""Guess what a look has to ask, before the host says what it remembers (ADR 0031)."""

from collections.abc import Iterable, Mapping

from platformctl.errors import Refusal
from platformctl.model.desired import Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import ModuleId
from platformctl.model.plan import Cause, Place, Plan, PlannedFile
from platformctl.workflows.earlier import wanted
from platformctl.workflows.parts import Parts


@dataclass(frozen=True)
class Guess:
    """What has to be asked about a release. A wrong guess costs an exchange, and changes no answer.

    `hashes` says whether the host's orchestrator has to compute them. `version` is the orchestrator's, empty if the
    host must be asked for it. `files` are those of the earlier release whose contents this one does not have.
    """

    hashes: bool
    version: str = ""
    files: tuple[PlannedFile, ...] = ()


Guesses = Mapping[ModuleId, Guess]

_SAME_RELEASE = {Cause.MISSING, Cause.DEPENDENCY, Cause.ENGINE_DRIFT, Cause.UNHEALTHY, Cause.NEW_VOLUME, Cause.NETWORK}
"""Causes for which containers change although their release is on the host already."""


def by_plan(plan: Plan) -> Guess:
    """Return the guess for a plan: its host probably remembers what the plan was made from."""
    there = plan.rollback.to is not None
    files = tuple(PlannedFile(o.path, o.digest, o.mode) for s in plan.steps for o in s.undo if isinstance(o, Place))
    others = {cause for change in plan.changes for cause in change.causes} - _SAME_RELEASE
    hashes = plan.has_changes and bool(not there or files or others)
    return Guess(hashes, plan.observed.compose_version if there else "", files if there else ())


def by_states(parts: Parts, releases: Iterable[Release]) -> Guesses:
    """Return guesses from what this clone knows of each module's last apply.

    A module has none if this clone knows of no apply, or can not read its state.
    """
    return {release.module.id: guess for release in releases if (guess := _by_state(parts, release))}


def _by_state(parts: Parts, release: Release) -> Guess | None:
    try:
        status = parts.states.read(release.module.id)
    except Refusal:
        return None
    if status is None:
        return None
    if status.desired == release.digest:
        return Guess(hashes=False)
    return Guess(hashes=True, files=wanted(release, status.files))
