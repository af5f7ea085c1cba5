"""Whether planning again gives the same answer, and where it does not."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from platformctl.model.plan import Change, Plan

_MATERIAL = ("module", "source_sha", "desired", "files", "images", "closure", "changes", "steps", "rollback")
_LIMIT = 20


def differences(plan: Plan, again: Plan) -> tuple[str, ...]:
    """What planning again says otherwise, one line a field: `changes.web.action: recreate, now create`."""
    found: list[str] = []
    for name in _MATERIAL:
        found.extend(_compare(name, getattr(plan, name), getattr(again, name)))
    return tuple(found[:_LIMIT])


def _compare(path: str, before: Any, after: Any) -> Iterator[str]:
    if type(before) is not type(after):
        yield _line(path, before, after)
    elif is_dataclass(before):
        for field in fields(before):
            yield from _compare(f"{path}.{field.name}", getattr(before, field.name), getattr(after, field.name))
    elif isinstance(before, tuple):
        yield from _compare_rows(path, before, after)
    elif isinstance(before, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _compare(f"{path}.{key}", before.get(key), after.get(key))
    elif before != after:
        yield _line(path, before, after)


def _compare_rows(path: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> Iterator[str]:
    if all(isinstance(word, str) for word in (*before, *after)):
        if before != after:
            yield _line(path, " ".join(before), " ".join(after))
        return
    mine, theirs = ({_key(row, n): row for n, row in enumerate(rows)} for rows in (before, after))
    for key in [*mine, *(key for key in theirs if key not in mine)]:
        yield from _compare(f"{path}.{key}", mine.get(key), theirs.get(key))


def _key(row: Any, position: int) -> str:
    """Rows are told apart by their name where they have one, so that one row more does not shift all others."""
    names = (getattr(row, name, None) for name in ("service", "path", "ref"))
    return next((str(name) for name in names if name), str(position))


def _line(path: str, before: Any, after: Any) -> str:
    return f"{path}: {_shown(before)}, now {_shown(after)}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Change):
        return value.action.value
    if is_dataclass(value):
        return "there"
    return str(value.value) if isinstance(value, Enum) else str(value)
