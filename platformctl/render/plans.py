"""A plan in lines, for people: what changes and why, field by field, and the way back; markdown is made of them too."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from difflib import unified_diff
from itertools import islice
from typing import Any

from platformctl.model.observed import Source
from platformctl.model.plan import Action, Cause, Change, Place, Plan, Remove
from platformctl.model.reports import PlannedModule, PlanReport

Lines = Iterable[str]

SIGNS = {
    Action.CREATE: "+",
    Action.RECREATE: "±",
    Action.START: "▸",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.KEEP: " ",
}
BEFORE_TEXT = " " * 8
"""What stands before each line of a text that differs, and before its sign."""
_AGES = ((86400, "d"), (3600, "h"), (60, "min"))
_SOURCES = {Source.OBSERVATION: "as observed at", Source.STATE: "as recorded at"}
_UPGRADE = "the host's Compose is another version, and nothing else differs"


def heading(this: Plan) -> str:
    """What the plan is about, what it adds up to, and what to be careful of."""
    careful = f" [{', '.join(marks(this))}]" if marks(this) else ""
    return f"{this.module} on {this.host.name} at {this.source_sha[:12]}: {counts(this)}{careful}"


def counts(this: Plan) -> str:
    """Return what the plan adds up to: `1 to create, 2 to recreate`."""
    parts = [f"{count} to {action.value}" for action, count in this.changes_by_action.items()]
    return ", ".join(parts) or "no changes"


def lines(planned: PlannedModule, *, long: bool) -> Lines:
    """Yield changes, files, findings, the way back and the digest.

    `long` adds what stays as it is and what only machines compare.
    """
    this = planned.plan
    yield from (f"  ! {line}" for line in age(this))
    alike = () if long else upgraded(this)
    if len(alike) > 1:
        names = ", ".join(change.service for change in alike)
        yield f"  ± recreate {len(alike)} services  ({Cause.COMPOSE_VERSION.value}) {_UPGRADE}: {names}"
    for change in this.changes:
        if (long or change.action is not Action.KEEP) and not (len(alike) > 1 and change in alike):
            yield from change_lines(change, long=long)
    placed = [operation for step in this.steps for operation in step.do if isinstance(operation, Place | Remove)]
    yield from (f"  {'-' if isinstance(each, Remove) else '~'} file {each.path}" for each in placed)
    yield from (f"  ! {n.rule}: {n.message}{f' (waived: {n.waiver})' if n.waiver else ''}" for n in this.policy)
    yield from (f"  ! {left.kind} {left.name} stays: {left.why}" for left in this.untouched)
    if this.has_changes:
        yield f"  rollback: {_way_back(this)}"
    yield f"  digest {planned.digest}" + (f"  {planned.path}" if planned.path else "")


def age(this: Plan) -> Lines:
    """Yield how old the observation is that a plan rests on; nothing if the host was asked just now."""
    if this.observed.source is Source.LIVE or not this.observed.at:
        return
    seconds = (datetime.fromisoformat(this.created_at) - datetime.fromisoformat(this.observed.at)).total_seconds()
    count, unit = next(((seconds // size, unit) for size, unit in _AGES if seconds >= size), (0, "min"))
    yield f"{_SOURCES[this.observed.source]} {this.observed.at}, {count:.0f} {unit} ago; nobody asked the host now"


def _way_back(this: Plan) -> str:
    """Return whether there is a way back. If the host was not asked, nobody looked for one."""
    if this.observed.source is not Source.LIVE and not this.steps:
        return this.rollback.reason
    return f"{'ready' if this.rollback.ready else 'NOT READY'}: {this.rollback.reason}"


def upgraded(this: Plan) -> tuple[Change, ...]:
    """Return changes whose only reason is an upgrade of Compose on the host."""
    own = {Cause.COMPOSE_VERSION, Cause.DEPENDENCY}
    return tuple(c for c in this.changes if Cause.COMPOSE_VERSION in c.causes and set(c.causes) <= own)


def upgrades(planned: Iterable[PlannedModule]) -> Lines:
    """Yield one line per host for all modules that only an upgrade of Compose changes."""
    by_host: dict[str, list[Plan]] = {}
    for each in planned:
        by_host.setdefault(each.plan.host.name, []).append(each.plan)
    for host, found in by_host.items():
        services = sum(len(upgraded(this)) for this in found)
        names = ", ".join(this.module for this in found)
        yield f"± recreate {services} services of {len(found)} modules on {host}: {_UPGRADE}: {names}"


def told_together(report: PlanReport) -> tuple[PlannedModule, ...]:
    """Return modules that nothing but an upgrade of Compose on their host changes; none with `long`."""
    alike = tuple(each for each in report.plans if _is_upgrade_alone(each.plan))
    return alike if len(alike) > 1 and not report.long else ()


def _is_upgrade_alone(this: Plan) -> bool:
    alike = upgraded(this)
    return bool(alike) and all(c in alike or c.action is Action.KEEP for c in this.changes)


def marks(this: Plan) -> tuple[str, ...]:
    """What to be careful of, in a word each."""
    found = (
        (this.source_dirty, "dirty"),
        (this.speculative, "speculative"),
        (this.destructive, "DESTRUCTIVE"),
        (this.host.allow_root, "as root"),
    )
    return tuple(mark for holds, mark in found if holds)


def change_lines(change: Change, *, long: bool = False) -> Lines:
    """What would happen to one container, why, and the fields that differ."""
    causes = f" ({', '.join(cause.value for cause in change.causes)})" if change.causes else ""
    yield f"  {SIGNS[change.action]} {change.action.value} {change.service} {causes} {change.reason}".rstrip()
    new = change.before is None
    fields = [each for each in _fields("", change.before, change.after) if long or _tells(change, each[0])]
    width = max((len(name) for name, *values in fields if not _is_text(*values)), default=0) + 1
    for name, before, after in fields:
        if _is_text(before, after):
            yield f"      {name}:"
            yield from _text(str(before or ""), str(after or ""))
        elif new:
            yield f"      {name + ':':{width}} {value(after)}"
        else:
            yield f"      {name + ':':{width}} {value(before)} -> {value(after)}"


def _tells(change: Change, name: str) -> bool:
    """Return whether a field tells a person something that the others do not; with `long` all are shown."""
    before, after = change.before or {}, change.after or {}
    match name:
        case "config_hash":
            return False
        case "desired":
            return after.keys() == {"desired"}
        case "state":
            return change.action is Action.START
        case "image_id":
            return bool(before) and before.get("image") == after.get("image")
        case _:
            return True


def _fields(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield every field that differs, by its dotted name, with both values."""
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
    """A value of a field in a line: lists with commas, `(none)` for what is not there, `(empty)` for an empty text."""
    match any_value:
        case None | [] | ():
            return "(none)"
        case "":
            return "(empty)"
        case bool():
            return str(any_value).lower()
        case list() | tuple():
            return ", ".join(map(value, any_value))
        case Mapping():
            return " ".join(f"{key}={value(item)}" for key, item in any_value.items())
        case _:
            return str(any_value)


def _is_text(before: Any, after: Any) -> bool:
    return "\n" in f"{before}{after}"


def _text(before: str, after: str) -> Lines:
    """Only what differs, with a few lines around it."""
    found = unified_diff(_lines_of(before), _lines_of(after), lineterm="")
    return (f"{BEFORE_TEXT}{line}" for line in islice(found, 2, None))  # the first two name the files


def _lines_of(text: str) -> list[str]:
    """The lines of a text, its line breaks as they can be told apart."""
    *whole, rest = text.replace("\r", "\\r").split("\n")
    return [*whole, f"{rest} (no line break at the end)"] if rest else whole
