"""Find the release that a plan would replace, from the host alone, so that another clone that plans again agrees."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from platformctl.errors import Refusal
from platformctl.manifests.compose import read_compose
from platformctl.model.command import Command
from platformctl.model.compose import ComposeModel
from platformctl.model.desired import Release
from platformctl.model.names import Digest
from platformctl.model.observed import Earlier, FileSeen, Observation
from platformctl.model.plan import PlannedFile, is_own
from platformctl.model.state import HostRecord, Receipt
from platformctl.releases.env_files import read_environment
from platformctl.store.host import HostLayout
from platformctl.store.host_files import read_recollected, recollect
from platformctl.transports.interface import Transport

_MOST_FILES, _AT_ONCE = 64, 16
_MOST_BYTES = 256 << 10
"""Of a file. As many as are asked for at once fit into what a transport takes of an answer, in base64."""


def with_earlier(
    transport: Transport,
    looks: Sequence[tuple[Release, HostRecord, Observation]],
    known: Mapping[Digest, bytes],
) -> tuple[Observation, ...]:
    """Return the observations of one host, each with the release that would be replaced, if it is another one.

    This costs one more question for all of them (one per 16 files); none if nothing is replaced or all contents are
    `known`.
    """
    changing = [(release, current) for release, record, _ in looks if (current := _replaced(release, record))]
    contents = _recollected(transport, changing, known) if changing else {}
    return tuple(_with(release, _replaced(release, record), seen, contents) for release, record, seen in looks)


def _replaced(release: Release, record: HostRecord) -> Receipt | None:
    """Return the receipt of the release that would be replaced.

    None if that is the same release, if nothing is recorded, or for a removal.
    """
    current = record.current
    replaced = current is not None and current.desired != release.digest and not release.gone
    return current if replaced else None


def recollecting(root: str, files: Iterable[PlannedFile]) -> tuple[Command, ...]:
    """Return the commands that ask a host for the contents of `files`."""
    asked, layout = tuple(dict.fromkeys(files)), HostLayout(root)
    parts = (asked[begin : begin + _AT_ONCE] for begin in range(0, len(asked), _AT_ONCE))
    return tuple(recollect(layout, part, limit=_MOST_BYTES) for part in parts)


def wanted(release: Release, files: Sequence[PlannedFile]) -> tuple[PlannedFile, ...]:
    """Return those `files` of the earlier release whose contents are not in `release` and must be asked for.

    At most 64, first those that the release can not be read without. Of further ones a plan tells the digest.
    """
    known, needed = {file.digest for file in release.files}, _needed(files)
    asked = (file for file in files if file.digest not in known)
    return tuple(sorted(asked, key=lambda file: file not in needed))[:_MOST_FILES]


def _needed(files: Sequence[PlannedFile]) -> tuple[PlannedFile, ...]:
    """Return the compose file and what is set for its variables."""
    return (*files[:1], *(file for file in files if is_own(file.path)))


def _recollected(
    transport: Transport, changing: Sequence[tuple[Release, Receipt]], known: Mapping[Digest, bytes]
) -> Mapping[Digest, bytes]:
    """Return the contents, by digest, of files that the earlier releases had otherwise; some may be missing."""
    files = (file for release, current in changing for file in wanted(release, current.files))
    contents = dict(known)
    for command in recollecting(transport.entry.root, (file for file in files if file.digest not in known)):
        contents.update(read_recollected(transport.run(command), transport.entry.name))
    return contents


def _with(
    release: Release, current: Receipt | None, seen: Observation, recollected: Mapping[Digest, bytes]
) -> Observation:
    """Return the observation with the earlier release, or as it is if the host has not kept what it is read from."""
    if current is None:
        return seen
    asked = {file.digest for file in wanted(release, current.files)}
    kept = {digest: content for digest, content in recollected.items() if digest in asked}
    contents = {**{file.digest: file.content for file in release.files}, **kept}
    compose = _resolved(release, current, contents)
    files = tuple(FileSeen(file.path, file.digest, file.mode) for file in current.files)
    return seen if compose is None else replace(seen, earlier=Earlier(compose, files, contents))


def _resolved(release: Release, current: Receipt, contents: Mapping[Digest, bytes]) -> ComposeModel | None:
    if any(file.digest not in contents for file in _needed(current.files)):
        return None
    variables = {"COMPOSE_PROJECT_NAME": str(release.module.runtime.project)}
    for file in current.files:
        if is_own(file.path):
            variables.update(read_environment(contents[file.digest]))
    compose_file = current.files[0]
    try:
        return read_compose(contents[compose_file.digest], compose_file.path, variables)
    except Refusal:
        return None  # it was read by another version of this tool; its fields are not worth a plan
