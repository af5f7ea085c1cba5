"""`.platform/journal/<plan digest>.jsonl` and its twin on the host: what was about to be done, and what came of it.

The intent of a step is durable before the step begins, its outcome after; a journal that is not settled belongs to an
apply whose end nobody saw. The lines are a chain (`store.chain`), one of its own on each end: a clone's may have lines
of an attempt that the host never heard of.
"""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from platformctl.errors import InvalidInput, ToolError
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest
from platformctl.store import chain, files

_FOLDER = Path("journal")
_SUFFIX = ".jsonl"
_HINT = "have a person look at it and at what runs, then move it out of its folder; on a host into settled below it"


class Kind(Enum):
    """What a record of a journal says: a step is about to begin, it is over, or the whole apply is settled."""

    INTENT = "intent"
    OUTCOME = "outcome"
    SETTLED = "settled"


@dataclass(frozen=True)
class Record:
    """One line of a journal. `step` is the step's id, or "" for the plan as a whole; `detail` holds nothing secret."""

    kind: Kind
    step: str
    at: str
    detail: Mapping[str, str]


@dataclass(frozen=True)
class Journal:
    """The records of one plan's apply, in order. `torn` says that the last write was cut off and does not count."""

    plan: Digest
    records: tuple[Record, ...]
    torn: bool

    @property
    def settled(self) -> bool:
        """Whether the apply's end is known and recorded."""
        return any(record.kind is Kind.SETTLED for record in self.records)

    @property
    def begun(self) -> bool:
        """Whether a step's intent was written; before that nothing was touched."""
        return any(record.detail.get("event") == "do" for record in self.records)


class Journals:
    """The journals of one clone; `folder` is its `.platform`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, plan: Digest) -> Path:
        """Return where the journal of `plan` is or would be."""
        return self._folder / _FOLDER / (plan.hexadecimal + _SUFFIX)

    def append(self, plan: Digest, record: Record) -> bytes:
        """Add a record, wait until the disk has it, and return its line.

        Raises `ToolError` when it could not be written: then the step must not be done.
        """
        path = self.path(plan)
        return files.append_after(path, lambda tail: line_after(tail, record, str(path)), within=self._folder)

    def read(self, plan: Digest) -> Journal | None:
        """Return the journal of `plan`, None if there is none; raise `ToolError` for one that was tampered with."""
        path = self.path(plan)
        content = files.read(path, within=self._folder)
        return None if content is None else parse(plan, content, str(path))

    def unsettled(self) -> tuple[Journal, ...]:
        """Return the journals of applies whose end is not known, sorted by digest.

        Raises `ToolError` when any journal can not be read.
        """
        folder = self._folder / _FOLDER
        found = files.read_folder(folder, _SUFFIX, within=self._folder)
        journals = (
            parse(plan_named(name.removesuffix(_SUFFIX), str(folder)), content, str(folder / name))
            for name, content in found.items()
        )
        return tuple(journal for journal in journals if not journal.settled)


def line_after(tail: bytes, record: Record, what: str) -> bytes:
    """Return the line of `record` that follows `tail`, the end of a journal or all of it."""
    fields = {"step": record.step, "detail": dict(record.detail)}
    return chain.next_line(tail, record.at, record.kind.value, fields, what=what)


def parse(plan: Digest, content: bytes, what: str) -> Journal:
    """Return the journal in the bytes of a file, from this clone or a host; `what` names it in a refusal.

    Raises `ToolError` when a record was changed, removed or added, or can not be read.
    """
    lines, torn = files.whole_lines(content)
    problems = chain.verify(lines)
    damage = [problem for problem in problems if problem.damage is not chain.Damage.TORN]
    if damage:
        raise ToolError("a journal can not be read", detail=f"{what}: {damage[0]}", hint=_HINT)
    torn_lines = {problem.line for problem in problems}
    records = tuple(_record(line, what) for number, line in enumerate(lines, 1) if number not in torn_lines)
    if not records and len(problems) > 1:  # nothing is ever written after a first record that was cut off
        raise ToolError("a journal can not be read", detail=f"{what}: none of its lines is a record", hint=_HINT)
    return Journal(plan, records, bool(torn))


def _record(line: bytes, what: str) -> Record:
    entry = chain.parse(line, what)
    step, detail = entry.fields.get("step"), entry.fields.get("detail")
    known = entry.event in {kind.value for kind in Kind}
    if not known or not isinstance(step, str) or not isinstance(detail, dict):
        detail = f"{what}: record {entry.seq} is of a kind not known here"
        raise ToolError("a journal can not be read", detail=detail, hint="update platformctl: a newer one wrote it")
    return Record(Kind(entry.event), step, entry.at, detail)


def plan_named(name: str, folder: str) -> Digest:
    """Return the plan that a file in a folder of journals is named for; raises `ToolError` when there is none."""
    try:
        return Digest.parse("sha256:" + name)
    except InvalidInput as error:
        detail = f"{folder}: a file is not named for a plan"
        raise ToolError("a journal can not be read", detail=detail, hint="move it out of that folder") from error
