"""The step that removes services, and its undo, both with the compose file that brought the services up."""

from dataclasses import replace

from platformctl.drivers.compose_up import bring_back
from platformctl.errors import PolicyViolation
from platformctl.model.desired import Release
from platformctl.model.names import Digest, RepoPath
from platformctl.model.observed import Observation
from platformctl.model.plan import OWN_FOLDER, Action, Change, Run, Step
from platformctl.model.state import Receipt


def removal_step(
    release: Release, changes: tuple[Change, ...], observation: Observation, current: Receipt
) -> tuple[Step, ...]:
    """Return one step that runs `docker compose … rm -s -f -- <service>…`; empty when no service is to go.

    Its undo is the recorded `up`. Both use the compose file that the receipt recorded. Another module may have
    delivered a newer version of a shared file, which may not have these services any more: then the recorded one is
    taken from the kept files. Raises `PolicyViolation` when it is not there either.
    """
    gone = tuple(change.service for change in changes if change.action is Action.DELETE)
    if not gone:
        return ()
    file = _recorded_file(release, observation, current)
    recorded = tuple(_with_file(up, release, file) for up in current.up)
    prefix = recorded[0].argv[: recorded[0].argv.index("up")]
    removal = Run((*prefix, "rm", "-s", "-f", "--", *gone), release.host.timeouts.step)
    back = bring_back(release, changes, replace(current, up=recorded), alone=False)
    return (Step("removal", (removal,), back),)


def _with_file(up: Run, release: Release, file: str) -> Run:
    usual = f"{release.host.root}/{release.module.runtime.compose_file}"
    return Run(tuple(file if word == usual else word for word in up.argv), up.timeout)


def _recorded_file(release: Release, observation: Observation, current: Receipt) -> str:
    """Return the path on the host of the receipt's compose file; raises `PolicyViolation` when it is gone."""
    path: RepoPath = release.module.runtime.compose_file
    digest: Digest = next(file.digest for file in current.files if file.path == path)
    if any(file.path == path and file.digest == digest for file in observation.files):
        return f"{release.host.root}/{path}"
    if digest in observation.kept:
        return f"{release.host.root}/{OWN_FOLDER}/blobs/{digest.hexadecimal}"
    raise PolicyViolation(
        "the recorded compose file is not on the host any more",
        detail=f"{release.host.name}: {path} differs from what was applied, and that was not kept",
        hint=f"put the file of commit {current.source_sha[:12]} back, or remove the containers by hand",
        reason="nothing-recorded",
        host=release.host.name,
    )
