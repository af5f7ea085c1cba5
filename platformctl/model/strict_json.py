"""JSON with one meaning: every other program reads it as we do, and what is written has one spelling.

`json.loads` accepts NaN, and of two equal keys the last one wins; both let two readers of the same signed bytes
disagree. Here they are refused, as are floats, whole numbers that a double can not hold (RFC 7493, section 2.2), text
that is not UTF-8, lone surrogates, and documents made to exhaust the reader.
"""

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from platformctl.errors import InvalidInput, Refusal

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1
_MAX_DIGITS = len(str(MAX_INTEGER)) + 1


class _Ambiguous(ValueError):
    """Raised for what some JSON reader accepts and we refuse; the text never repeats the document's own words."""


def load(text: bytes, what: str, *, refusal: type[Refusal] = InvalidInput) -> Any:
    """Return what the JSON document `text` says; raise `refusal`, naming the document as `what`, if it is ambiguous.

    Text that is no JSON at all is refused in the same way.
    """
    try:
        return _parse(text)
    except _Ambiguous as error:
        problem = str(error)
    except json.JSONDecodeError as error:
        problem = f"not JSON at line {error.lineno}, column {error.colno}"
    except UnicodeError:
        problem = "not UTF-8"
    except RecursionError:
        problem = _TOO_DEEP
    raise refusal("a document is not the JSON it must be", detail=f"{what}: {problem}")


def dump(value: Any) -> bytes:
    """Return `value` in its one spelling: UTF-8, keys sorted, no white space, no newline.

    Raises `TypeError` or `ValueError` for what `load` would refuse: handing that over is a mistake of ours.
    """
    for level in _levels(value):
        for node in level:
            _refuse_unwritable(node)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _parse(text: bytes) -> Any:
    if len(text) > MAX_BYTES:
        raise _Ambiguous(f"longer than {MAX_BYTES} bytes")
    value = _DECODER.decode(text.decode("utf-8"))
    if text.count(b"{") + text.count(b"[") > MAX_DEPTH:
        _refuse_deep(value)
    if b"\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Ambiguous("an object has the same key twice")
    return made


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or abs(int(digits)) > MAX_INTEGER:
        raise _Ambiguous("a whole number is too large")
    return int(digits)


def _fraction(_: str) -> NoReturn:
    raise _Ambiguous("a number is not a whole number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction, parse_constant=_fraction
)
_TOO_DEEP = f"nested deeper than {MAX_DEPTH}"


def _levels(value: Any) -> Iterator[list[Any]]:
    """Yield the values at each depth, outermost first; not recursive, so that no depth can exhaust it."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        yield level
        containers = [node for node in level if isinstance(node, dict | list | tuple)]
        if not containers:
            return
        level = [child for node in containers for child in (node.values() if isinstance(node, dict) else node)]
    raise _Ambiguous(_TOO_DEEP)


def _refuse_deep(value: Any) -> None:
    for _ in _levels(value):
        pass


def _refuse_unwritable(node: Any) -> None:
    if type(node) is str:  # most are
        return
    if isinstance(node, dict) and not all(isinstance(key, str) for key in node):
        raise TypeError("the keys of a JSON object are strings")
    if isinstance(node, int) and abs(node) > MAX_INTEGER:
        raise ValueError("a whole number is too large")
    if not isinstance(node, dict | list | tuple | str | int | None):
        raise TypeError(f"{type(node).__name__} has no place in our JSON")
