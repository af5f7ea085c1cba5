"""The release that a plan would replace, from the host alone: another clone that plans again gets the same."""

from collections.abc import Mapping
from dataclasses import replace

from platformctl.errors import Refusal
from platformctl.manifests.compose import read_compose
from platformctl.model.compose import ComposeModel
from platformctl.model.desired import Release
from platformctl.model.names import Digest
from platformctl.model.observed import Earlier, FileSeen, Observation
from platformctl.model.plan import OWN_FOLDER
from platformctl.model.state import HostRecord, Receipt
from platformctl.releases import read_environment
from platformctl.store.host import HostLayout
from platformctl.store.host_files import read_recollected, recollect
from platformctl.transports.interface import Transport

_MOST_FILES = 64
_MOST_BYTES = 256 << 10


def with_earlier(transport: Transport, release: Release, record: HostRecord, seen: Observation) -> Observation:
    """What was seen, and the release before where it is another one: one more question, for those that change alone."""
    current = record.current
    if current is None or current.desired == release.digest or not current.files:
        return seen
    return replace(seen, earlier=_recollected(transport, release, current))


def _recollected(transport: Transport, release: Release, current: Receipt) -> Earlier | None:
    """None where the host has not kept its compose file; the contents of other files may be missing."""
    known = {file.digest for file in release.files}
    compose_file, *others = current.files
    wanted = (compose_file, *(file for file in others if file.digest not in known))[:_MOST_FILES]
    command = recollect(HostLayout(release.host.root), wanted, limit=_MOST_BYTES)
    contents = read_recollected(transport.run(command), release.host.name)
    contents = {**{file.digest: file.content for file in release.files}, **contents}
    compose = _resolved(release, current, contents)
    files = tuple(FileSeen(file.path, file.digest, file.mode) for file in current.files)
    return None if compose is None else Earlier(compose, files, contents)


def _resolved(release: Release, current: Receipt, contents: Mapping[Digest, bytes]) -> ComposeModel | None:
    variables = {"COMPOSE_PROJECT_NAME": str(release.module.runtime.project)}
    for file in current.files:
        if file.path.startswith(f"{OWN_FOLDER}/") and file.digest in contents:
            variables.update(read_environment(contents[file.digest]))
    compose_file = current.files[0]
    if compose_file.digest not in contents:
        return None
    try:
        return read_compose(contents[compose_file.digest], compose_file.path, variables)
    except Refusal:
        return None  # it was read by another version of this tool; its fields are not worth a plan
