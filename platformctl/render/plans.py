"""A plan in lines, for people: what changes and why, field by field, and the way back; markdown is made of them too."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import unified_diff
from typing import Any

from platformctl.model.plan import Action, Change, Plan
from platformctl.model.reports import PlannedModule

Lines = Iterable[str]

SIGNS = {
    Action.CREATE: "+",
    Action.RECREATE: "±",
    Action.START: "▸",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.KEEP: " ",
}
_FOR_MACHINES = ("config_hash", "image_id", "state")
"""Fields that tell a person little beside the others; they are shown when everything is."""


def heading(this: Plan) -> str:
    """What the plan is about, what it adds up to, and what to be careful of."""
    return f"{this.module} on {this.host.name} at {this.source_sha[:12]}: {counts(this)}{_marks(this)}"


def counts(this: Plan) -> str:
    """What the plan adds up to: `1 to create, 2 to recreate`."""
    parts = [f"{count} to {action.value}" for action, count in this.changes_by_action.items()]
    return ", ".join(parts) or "no changes"


def lines(planned: PlannedModule, *, long: bool) -> Lines:
    """Changes, files, findings, the way back and the digest; `long` adds what stays and what only machines compare."""
    this = planned.plan
    for change in this.changes:
        if long or change.action is not Action.KEEP:
            yield from change_lines(change, long=long)
    placed = [operation for step in this.steps for operation in step.do if hasattr(operation, "path")]
    yield from (f"  ~ file {operation.path}" for operation in placed)
    yield from (f"  ! {n.rule}: {n.message}{f' (waived: {n.waiver})' if n.waiver else ''}" for n in this.policy)
    yield from (f"  ! {left.kind} {left.name} stays: {left.why}" for left in this.untouched)
    if this.has_changes:
        yield f"  rollback: {'ready' if this.rollback.ready else 'NOT READY'}: {this.rollback.reason}"
    yield f"  digest {planned.digest}" + (f"  {planned.path}" if planned.path else "")


def _marks(this: Plan) -> str:
    marks = (
        (this.source_dirty, "dirty"),
        (this.speculative, "speculative"),
        (this.destructive, "DESTRUCTIVE"),
        (this.host.allow_root, "as root"),
    )
    found = [mark for holds, mark in marks if holds]
    return f" [{', '.join(found)}]" if found else ""


def change_lines(change: Change, *, long: bool = False) -> Lines:
    """What would happen to one container, why, and the fields that differ."""
    causes = ", ".join(cause.value for cause in change.causes)
    yield f"  {SIGNS[change.action]} {change.action.value} {change.service}  ({causes}) {change.reason}".rstrip()
    fields = [each for each in _fields("", change.before, change.after) if long or each[0] not in _FOR_MACHINES]
    width = max((len(name) for name, _, _ in fields), default=0) + 1
    for name, before, after in fields:
        if "\n" in f"{before}{after}":
            yield f"      {name}:"
            yield from _text(str(before or ""), str(after or ""))
        elif change.before is None:
            yield f"      {name + ':':{width}} {value(after)}"
        else:
            yield f"      {name + ':':{width}} {value(before)} -> {value(after)}"


def _fields(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every field that differs, by its dotted name, with both values."""
    if before == after:
        return
    if _is_mapping(before) and _is_mapping(after):
        old, new = before or {}, after or {}
        for key in sorted({*old, *new}):
            yield from _fields(f"{path}.{key}".removeprefix("."), old.get(key), new.get(key))
    else:
        yield path, before, after


def _is_mapping(value: Any) -> bool:
    return value is None or isinstance(value, Mapping)


def value(any_value: Any) -> str:
    """A value of a field in a line: lists with commas, and `(none)` for what is not there."""
    match any_value:
        case None | "" | [] | ():
            return "(none)"
        case list() | tuple():
            return ", ".join(map(value, any_value))
        case Mapping():
            return " ".join(f"{key}={value(item)}" for key, item in any_value.items())
        case _:
            return str(any_value)


def _text(before: str, after: str) -> Lines:
    """Only what differs, with a few lines around it."""
    found = unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    return (f"        {line}" for line in found if not line.startswith(("---", "+++")))
