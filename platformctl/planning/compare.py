"""Compare a plan with the one that planning again gives."""

from collections.abc import Iterator, Mapping
from typing import Any

from platformctl.model.codec import encode
from platformctl.model.plan import Plan
from platformctl.model.reports import Difference

_MATERIAL = (
    *("module", "kind", "source_sha", "desired", "files", "images", "closure"),
    *("changes", "steps", "rollback", "policy"),
)
_LIMIT = 20
"""The most lines of difference that are shown; whoever sees twenty makes a new plan anyway."""


def differences(plan: Plan, again: Plan) -> tuple[str, ...]:
    """Return the first 20 differences, one line for each field: `changes.web.action: recreate, now create`."""
    return tuple(_line(each) for each in compare(plan, again)[:_LIMIT])


def compare(plan: Plan, again: Plan) -> tuple[Difference, ...]:
    """Return every field that differs, with its planned value and the one that planning again gives."""
    return tuple(each for name in _MATERIAL for each in _told(name, _data(plan, name), _data(again, name)))


def _data(plan: Plan, name: str) -> Any:
    return _spelt(encode(getattr(plan, name)))


def _spelt(value: Any, key: str = "") -> Any:
    """Return a value of a plan with the modes of files as the plan's JSON and people write them: `0644`."""
    if isinstance(value, dict):
        return {name: _spelt(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_spelt(each) for each in value]
    return f"{value:04o}" if key == "mode" and isinstance(value, int) else value


def _told(name: str, before: Any, after: Any) -> tuple[Difference, ...]:
    """Return the differences below a field, or the whole field where its values differ and no single part does."""
    if before == after:
        return ()
    return tuple(_compare(name, before, after)) or (Difference(name, before, after),)


def _compare(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _compare(f"{path}.{key}", before.get(key), after.get(key))
    elif _are_rows(before) and _are_rows(after):
        mine, theirs = _by_name(before), _by_name(after)
        if mine.keys() == theirs.keys() and list(mine) != list(theirs):
            yield Difference(path, list(mine), list(theirs))
        for key in [*mine, *(key for key in theirs if key not in mine)]:
            yield from _compare(f"{path}.{key}", mine.get(key), theirs.get(key))
    else:
        yield Difference(path, before, after)


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _by_name(rows: list[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return rows by their name, or by their number where they have none, so that one more row does not shift others.

    Names that come twice, as in a plan written by hand, get their number appended: no row may hide another.
    """
    names = [str(row.get("service") or row.get("path") or row.get("ref") or n) for n, row in enumerate(rows)]
    named = enumerate(zip(names, rows, strict=True))
    return {name if names.count(name) == 1 else f"{name} ({n})": row for n, (name, row) in named}


def _line(each: Difference) -> str:
    return f"{each.field}: {_shown(each.planned)}, now {_shown(each.now)}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return str(value.get("action", "there"))
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
