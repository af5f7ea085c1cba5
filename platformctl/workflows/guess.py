"""What a look will have to ask, guessed before the host says what it remembers (ADR 0031)."""

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

    With `hashes` the host's orchestrator has to compute them; `version` is the orchestrator's, empty where the host
    must say it; `files` of the release before have contents that this one has not.
    """

    hashes: bool
    version: str = ""
    files: tuple[PlannedFile, ...] = ()


Guesses = Mapping[ModuleId, Guess]

_SAME_RELEASE = {Cause.MISSING, Cause.DEPENDENCY, Cause.ENGINE_DRIFT, Cause.UNHEALTHY, Cause.NEW_VOLUME, Cause.NETWORK}
"""Why containers of a release that is there already would change."""


def by_plan(plan: Plan) -> Guess:
    """What the plan was made from is what its host will remember."""
    there = plan.rollback.to is not None
    files = tuple(PlannedFile(o.path, o.digest, o.mode) for s in plan.steps for o in s.undo if isinstance(o, Place))
    others = {cause for change in plan.changes for cause in change.causes} - _SAME_RELEASE
    hashes = plan.has_changes and bool(not there or files or others)
    return Guess(hashes, plan.observed.compose_version if there else "", files if there else ())


def by_states(parts: Parts, releases: Iterable[Release]) -> Guesses:
    """What this clone knows of the last apply of each; nothing where it knows of none, or can not read what it knew."""
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
