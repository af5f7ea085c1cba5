"""The release that a record names, from this clone's git: for plans that nobody applies, as no host was asked.

A plan that may be applied takes it from the host alone (`earlier`), so that another clone that plans again agrees.
"""

from collections.abc import Iterable
from contextlib import suppress

from platformctl.errors import Refusal
from platformctl.model.desired import NOTHING, Release
from platformctl.model.names import GitSha, ModuleId
from platformctl.model.observed import Earlier, FileSeen
from platformctl.model.policy import TrustRoots
from platformctl.model.state import ModuleStatus, Receipt
from platformctl.releases import manifest_path
from platformctl.releases.trees import CommitTree
from platformctl.workflows.desire import release_at
from platformctl.workflows.parts import Parts


def recorded_release(
    parts: Parts, roots: TrustRoots, release: Release, record: ModuleStatus | Receipt | None
) -> Earlier | None:
    """Return what `release` would replace.

    None if the record is of the same release or of a removal, if this clone does not have its commit, or if the files
    there do not give the recorded release any more.
    """
    if record is None or record.desired in (NOTHING, release.digest) or release.gone:
        return None
    try:
        there = release_at(parts, roots, _commit(record), release.module.id)
    except Refusal:
        return None
    if there.digest != record.desired:
        return None
    files = tuple(FileSeen(file.path, file.digest, file.mode) for file in there.files)
    return Earlier(there.compose, files, {file.digest: file.content for file in (*release.files, *there.files)})


def fetch_recorded(parts: Parts, modules: Iterable[str]) -> None:
    """Load ahead what `recorded_release` reads by this clone's states, because each call of git costs a process."""
    folders: dict[GitSha, list[str]] = {}
    for name in modules:
        with suppress(Refusal):  # it is met again where the module is planned
            status = parts.states.read(ModuleId(name))
            if status is not None:
                folders.setdefault(status.last_apply_sha, []).append(manifest_path(status.module).parent)
    for commit, each in folders.items():
        with suppress(Refusal):
            CommitTree(parts.repository, commit).fetch(each)


def _commit(record: ModuleStatus | Receipt) -> GitSha:
    return record.last_apply_sha if isinstance(record, ModuleStatus) else record.source_sha
