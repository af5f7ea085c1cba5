"""The release that a record names, from this clone's git: for plans that nobody applies, as no host was asked.

A plan that may be applied takes it from the host alone (`earlier`), so that another clone that plans again agrees.
"""

from platformctl.errors import Refusal
from platformctl.model.desired import NOTHING, Release
from platformctl.model.names import GitSha
from platformctl.model.observed import Earlier, FileSeen
from platformctl.model.policy import TrustRoots
from platformctl.model.state import ModuleStatus, Receipt
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


def _commit(record: ModuleStatus | Receipt) -> GitSha:
    return record.last_apply_sha if isinstance(record, ModuleStatus) else record.source_sha
