"""The audit log of one clone, `.platform/audit/audit.jsonl`, and its comparison with the one on a host.

A record may carry a signed envelope as text; whoever asks checks its signature. Each machine has its own chain, since
several clones write to one host, so the two ends are compared by what happened, not by the place in the log.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from platformctl.model.frozen import dataclass
from platformctl.store import chain, files
from platformctl.store.chain import Entry

_LOG = Path("audit", "audit.jsonl")


@dataclass(frozen=True)
class Comparison:
    """Records that one of two logs lacks, in the order of the log that has them."""

    only_local: tuple[Entry, ...]
    only_remote: tuple[Entry, ...]

    @property
    def agree(self) -> bool:
        """Whether every local record is on the host; the host also has those of other clones."""
        return not self.only_local


class AuditLog:
    """The audit chain of one clone; `folder` is its `.platform`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / _LOG

    def append(self, at: str, event: str, fields: Mapping[str, Any]) -> Entry:
        """Add a record and wait until the disk has it; raises `ToolError` when it could not be written."""
        line = files.append_after(
            self.path,
            lambda tail: chain.next_line(tail, at, event, fields, what=str(self.path)),
            within=self._folder,
        )
        return chain.parse(line, str(self.path))

    def read(self) -> tuple[tuple[bytes, ...], bytes]:
        """Return the lines and the torn last line, which is empty in a sound log."""
        return files.whole_lines(files.read(self.path, within=self._folder) or b"")


def compare(local: Sequence[Entry], remote: Sequence[Entry]) -> Comparison:
    """Return what each end lacks; `local` are the clone's records about that host. Records equal twice count twice."""
    return Comparison(_without(local, remote), _without(remote, local))


def _without(entries: Sequence[Entry], others: Sequence[Entry]) -> tuple[Entry, ...]:
    left = Counter(other.content for other in others)
    missing = []
    for entry in entries:
        if left[entry.content]:
            left[entry.content] -= 1
        else:
            missing.append(entry)
    return tuple(missing)
