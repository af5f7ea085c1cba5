"""Compose's variable interpolation, done here so that nothing on a host can change what is judged.

The grammar is Compose's own (compose-go, package `template`): `$NAME`, `${NAME}`, `${NAME:-default}`,
`${NAME-default}`, `${NAME:?error}`, `${NAME?error}`, `${NAME:+other}`, `${NAME+other}` and `$$` for a dollar; defaults
may nest. A dollar that begins none of these stands for itself. Two things that Compose accepts are refused, because a
reader and Compose, or two versions of Compose, would read them differently: a bare brace inside `${…}`, and the
letters ſ and K (Kelvin), which its case-insensitive pattern takes for s and k.
"""

import re
from collections.abc import Mapping
from typing import Final

from platformctl.errors import InvalidInput

MAXIMUM_DEPTH: Final = 16
MAXIMUM_LENGTH: Final = 1 << 20

_NAME = r"[A-Za-z_\u017f\u212a][A-Za-z0-9_\u017f\u212a]*"
_ASCII_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TOKEN = re.compile(rf"\$(?:(?P<dollar>\$)|(?P<name>{_NAME})|(?P<brace>\{{))")
_BRACED = re.compile(rf"(?P<name>{_NAME})(?:(?P<empty_counts>:?)(?P<operator>[-?+])(?P<word>.*))?\Z")
_BRACE = re.compile(r"\$\{|[{}]")
_MENTION = re.compile(rf"\$(?:\$|\{{?(?P<name>{_NAME}))")

Resolved = tuple[str, tuple[str, ...]]


def resolve(value: str, variables: Mapping[str, str]) -> Resolved:
    """Return `value` with its variables replaced, and the names that had neither value nor default, in order.

    A name without a value is replaced by an empty text, as Compose does, also in `${NAME?error}`. Raises `InvalidInput`
    for a form Compose does not accept, for nesting beyond `MAXIMUM_DEPTH` and for replacements of more than
    `MAXIMUM_LENGTH` characters together.
    """
    resolved, unset = _expand(value, variables, 0)
    return resolved, tuple(dict.fromkeys(unset))


def mentioned(value: str) -> tuple[str, ...]:
    """Return every name that could change what `value` resolves to, those inside defaults included."""
    names = (match["name"] for match in _MENTION.finditer(value))
    return tuple(dict.fromkeys(name for name in names if name))


def _expand(text: str, variables: Mapping[str, str], depth: int) -> Resolved:
    if depth > MAXIMUM_DEPTH:
        raise _invalid(f"variables are nested more than {MAXIMUM_DEPTH} deep")
    parts: list[str] = []
    unset: list[str] = []
    position = length = 0
    while match := _TOKEN.search(text, position):
        parts.append(text[position : match.start()])
        replacement, missing, position = _replace(text, match, variables, depth)
        parts.append(replacement)
        unset.extend(missing)
        length += len(replacement)
        if length > MAXIMUM_LENGTH:
            raise _invalid(f"the resolved value is longer than {MAXIMUM_LENGTH} characters")
    return "".join([*parts, text[position:]]), tuple(unset)


def _replace(
    text: str, match: re.Match[str], variables: Mapping[str, str], depth: int
) -> tuple[str, tuple[str, ...], int]:
    """Return the replacement of one token, the names that had no value, and the position after the token."""
    if match["dollar"]:
        return "$", (), match.end()
    if match["name"]:
        return (*_plain(match["name"], variables), match.end())
    end = _closing_brace(text, match.end())
    return (*_braced(text[match.end() : end], variables, depth), end + 1)


def _plain(name: str, variables: Mapping[str, str]) -> Resolved:
    value = variables.get(_checked(name))
    return ("", (name,)) if value is None else (value, ())


def _braced(inner: str, variables: Mapping[str, str], depth: int) -> Resolved:
    match = _BRACED.match(inner)
    if match is None:
        raise _invalid("what stands between ${ and } is not a variable")
    if match["operator"] is None:
        return _plain(match["name"], variables)
    word, missing_in_word = _expand(match["word"], variables, depth + 1)
    value = variables.get(_checked(match["name"]))
    there = bool(value) if match["empty_counts"] else value is not None
    match (match["operator"], there):
        case ("+", True) | ("-", False):
            return word, missing_in_word
        case ("?", False):
            return "", (match["name"],)
        case ("+", False):
            return "", ()
        case _:
            return value or "", ()


def _closing_brace(text: str, start: int) -> int:
    """Return the position of the brace that closes the `${` right before `start`; raises `InvalidInput` without one."""
    opened = 1
    for brace in _BRACE.finditer(text, start):
        if brace[0] == "{":
            raise _invalid("a brace inside ${…} is read differently by versions of Compose")
        opened += 1 if brace[0] == "${" else -1
        if opened == 0:
            return brace.start()
    raise _invalid("${ is not closed")


def _checked(name: str) -> str:
    if not _ASCII_NAME.match(name):
        raise _invalid("a variable's name has a letter that only looks like s or k")
    return name


def _invalid(detail: str) -> InvalidInput:
    return InvalidInput(
        "a variable is not written as Compose reads it", detail=detail, hint="write $$ for a dollar sign"
    )
