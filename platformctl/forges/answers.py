"""Take a forge's answer apart: a missing or wrong field is refused by its name, never by its value."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from platformctl.errors import InvalidInput, ToolError
from platformctl.model.forge import CheckState
from platformctl.model.names import GitSha

_STATES = {state.value: state for state in CheckState}


def text(answer: Any, *path: str) -> str:
    """Return the text at `path`; raise `ToolError` when there is none."""
    value = _at(answer, path)
    if not isinstance(value, str):
        raise _wrong(path, "text")
    return value


def number(answer: Any, *path: str) -> int:
    """Return the number at `path`; raise `ToolError` when there is none."""
    value = _at(answer, path)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(path, "a number")
    return value


def flag(answer: Any, *path: str) -> bool:
    """Return the truth value at `path`; raise `ToolError` when there is none."""
    value = _at(answer, path)
    if not isinstance(value, bool):
        raise _wrong(path, "true or false")
    return value


def items(answer: Any, *path: str) -> list[Any]:
    """Return the list at `path`; raise `ToolError` when there is none."""
    value = _at(answer, path)
    if not isinstance(value, list):
        raise _wrong(path, "a list")
    return value


def commit(answer: Any, *path: str) -> GitSha:
    """Return the commit id at `path`; raise `ToolError` when there is none."""
    try:
        return GitSha.parse(_at(answer, path))
    except InvalidInput as error:
        raise _wrong(path, GitSha.meaning) from error


def moment(answer: Any, *path: str) -> datetime:
    """Return the time at `path`, which must name its offset; raise `ToolError` when there is none."""
    try:
        found = datetime.fromisoformat(text(answer, *path))
    except ValueError as error:
        raise _wrong(path, "a time") from error
    if found.tzinfo is None:
        raise _wrong(path, "a time with an offset")
    return found


def check_state(word: str) -> CheckState:
    """Return the state that a forge's word means; an unknown word is a failure."""
    return _STATES.get(word, CheckState.FAILURE)


def person(answer: Any, *path: str) -> str:
    """Return the login name at `path`, or "" where the forge no longer knows who it was."""
    return text(answer, *path, "login") if _at(answer, path) else ""


def _at(answer: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        answer = answer.get(key) if isinstance(answer, Mapping) else None
    return answer


def _wrong(path: tuple[str, ...], meaning: str) -> ToolError:
    return ToolError(
        "a forge's answer can not be understood",
        detail=f"{'.'.join(path) or 'the answer'} is not {meaning}",
        hint="is the address the forge's own, and its kind the right one?",
        reason="forge",
    )
