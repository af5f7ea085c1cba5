"""A log whose every record holds the digest of the line before, so that a change in its middle can be named.

A line is one JSON object: `seq` (from 1), `previous` (the digest of the line before, null in the first), `at` (UTC,
`Z`), `event`, and fields of the event. A chain alone can not show that its end was cut off or written anew by somebody
who may write the file. To see that, it is compared with a head kept elsewhere, with the copy on the other machine, or
with the signed envelopes inside the records.
"""

import hashlib
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import Any

from platformctl.errors import InvalidInput, ToolError
from platformctl.model import strict_json
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest

_OWN = ("seq", "previous", "at", "event")


@dataclass(frozen=True)
class Entry:
    """One record as it stands in a log. `digest` is of its line; `fields` are the event's own."""

    seq: int
    previous: Digest | None
    at: str
    event: str
    fields: Mapping[str, Any]
    digest: Digest

    @property
    def content(self) -> bytes:
        """What happened, without its place in the log: equal for the same record in two logs."""
        return strict_json.dump({"at": self.at, "event": self.event, "fields": self.fields})


class Damage(Enum):
    """What happened to a record since it was written."""

    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    TORN = "torn"


@dataclass(frozen=True)
class Problem:
    """A place where the log is not what was written; `line` is 1-based, `seq` is the record's number where known."""

    damage: Damage
    line: int
    seq: int | None

    def __str__(self) -> str:
        return f"line {self.line}: record {self.seq or 'of unknown number'} was {self.damage.value}"


def digest_of(line: bytes) -> Digest:
    """Return the digest by which the next record names this line; the newline is not part of it."""
    return Digest("sha256:" + hashlib.sha256(line).hexdigest())


def parse(line: bytes, what: str) -> Entry:
    """Return the record on a line; raises `ToolError` when it is none."""
    data = strict_json.load(line, what, refusal=ToolError)
    try:
        return _entry(data, digest_of(line))
    except (InvalidInput, KeyError, TypeError):
        raise ToolError("a record can not be read", detail=f"{what}: a field is missing or has another type") from None


def _entry(data: Any, digest: Digest) -> Entry:
    seq, previous, at, event = (data[name] for name in _OWN)
    if type(seq) is not int or type(at) is not str or type(event) is not str:
        raise TypeError
    fields = {name: value for name, value in data.items() if name not in _OWN}
    return Entry(seq, None if previous is None else Digest.parse(previous), at, event, fields, digest)


def next_line(tail: bytes, at: str, event: str, fields: Mapping[str, Any], *, what: str) -> bytes:
    """Return the line that follows `tail`, which is the end of a log or all of it.

    A torn last line keeps its place: the new record holds its digest, and the number after the last readable one.
    Raises `ToolError` when no line of a log that is not empty can be read.
    """
    lines = tail.removesuffix(b"\n").split(b"\n") if tail else []
    previous = digest_of(lines[-1]) if lines else None
    seq = _last_number(lines, what) + 1 if lines else 1
    return strict_json.dump({**fields, "seq": seq, "previous": previous, "at": at, "event": event})


def _last_number(lines: Sequence[bytes], what: str) -> int:
    for line in reversed(lines):
        entry = _readable(line)
        if entry:
            return entry.seq
    hint = "have a person look at it and move it away; another one is begun then"
    raise ToolError("a record can not be read", detail=f"{what}: none of its last lines is a record", hint=hint)


def head(lines: Sequence[bytes]) -> Digest | None:
    """Return the digest of a log's last line, by which a log that was cut off can be told; None for an empty log."""
    return digest_of(lines[-1]) if lines else None


def records(lines: Sequence[bytes]) -> tuple[Entry, ...]:
    """Return the records of a log, leaving out lines that are none."""
    return tuple(entry for line in lines if (entry := _readable(line)))


def verify(lines: Sequence[bytes], torn: bytes = b"") -> tuple[Problem, ...]:
    """Return every place where a log is not as it was written, in the order of its lines; none when it is sound.

    Goes backwards from where the log ends, because each record vouches for the one before; lines behind that, which
    follow nothing or an early record, were put there. That its end was cut off, a log can not show.
    """
    problems = [Problem(Damage.TORN, len(lines) + 1, None)] if torn else []
    log = _Log([_readable(line) for line in lines], [digest_of(line) for line in lines])
    number = log.end
    problems += log.added(number + 1, len(lines))
    while number >= 0:
        found, number = log.step_back(number)
        problems += found
    return tuple(sorted(problems, key=lambda problem: problem.line))


@dataclass(frozen=True)
class _Log:
    """The lines of a log, None for a line that is no record. Lines are numbered from 0; -1 is before the first."""

    entries: Sequence[Entry | None]
    digests: Sequence[Digest]

    @property
    def end(self) -> int:
        """The line that most others lie before, the last of several; -1 where there is none."""
        before: list[int] = []
        for number, entry in enumerate(self.entries):
            there = number - 1 if entry is None else self._preceding(entry, number)
            before.append((before[there] if there >= 0 else 0) + (entry is not None))
        return max(range(len(before)), key=lambda number: (before[number], number), default=-1)

    def _preceding(self, entry: Entry, number: int) -> int:
        """The line before a record, also where that was changed or lines between were taken out; -1 for none."""
        there = self._followed(entry, number)
        if there is not None:
            return there
        before = self.entries[number - 1] if number else None
        return -1 if before and entry.seq <= before.seq else number - 1

    def step_back(self, number: int) -> tuple[list[Problem], int]:
        """Return what is wrong at a line and between it and the line it follows, and the line to look at next."""
        entry = self.entries[number]
        if entry is None:
            return [Problem(Damage.TORN, number + 1, None)], number - 1
        there = self._followed(entry, number)
        if there is None:
            return self._lost(entry, number)
        return self._misnumbered(entry, number, there) + self.added(there + 1, number), there

    def _followed(self, entry: Entry, number: int) -> int | None:
        """Return the line whose digest `entry` holds, the nearest first; None when no line before has it.

        -1 means that `entry` says it is the first.
        """
        if entry.previous is None:
            return -1
        if number and self.digests[number - 1] == entry.previous:
            return number - 1
        return self._places.get(entry.previous) if self._places.get(entry.previous, number) < number else None

    @cached_property
    def _places(self) -> Mapping[Digest, int]:
        return {digest: number for number, digest in reversed(list(enumerate(self.digests)))}

    def _misnumbered(self, entry: Entry, number: int, there: int) -> list[Problem]:
        before = self.entries[there] if there >= 0 else None
        if there >= 0 and before is None:
            return []
        return (
            [] if entry.seq == (before.seq if before else 0) + 1 else [Problem(Damage.CHANGED, number + 1, entry.seq)]
        )

    def added(self, start: int, end: int) -> list[Problem]:
        """The lines from `start` to before `end` stand where none should, as between records that follow each other."""
        return [
            Problem(Damage.ADDED, n + 1, entry.seq if (entry := self.entries[n]) else None) for n in range(start, end)
        ]

    def _lost(self, entry: Entry, number: int) -> tuple[list[Problem], int]:
        """Return how the line that `entry` follows was lost: it was taken out, or changed where it stands."""
        before = self.entries[number - 1] if number else None
        gone = range(before.seq + 1 if before else 1, entry.seq)
        if gone and (before or not number):
            return [Problem(Damage.REMOVED, number + 1, seq) for seq in gone], number - 1
        return [Problem(Damage.CHANGED, max(number, 1), entry.seq - 1)], number - (1 if before else 2)


def _readable(line: bytes) -> Entry | None:
    try:
        return parse(line, "a record")
    except ToolError:
        return None
