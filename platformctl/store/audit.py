"""The audit log of one clone, `.platform/audit/audit.jsonl`, and its comparison with the one on a host.

A record may carry a signed envelope as text; the caller checks its signature. Each machine has its own chain, since
several clones write to one host, so the two ends are compared by what happened, not by the place in the log.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from platformctl.store import chain, files
from platformctl.store.chain import Entry

_LOG = Path("audit", "audit.jsonl")


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


def missing_from(log: Sequence[Entry], records: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return those of `records` that `log` lacks, in their order. A record that is there twice counts twice."""
    left = Counter(entry.content for entry in log)
    missing = []
    for entry in records:
        if left[entry.content]:
            left[entry.content] -= 1
        else:
            missing.append(entry)
    return tuple(missing)
