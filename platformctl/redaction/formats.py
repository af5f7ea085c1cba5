"""Find tokens of published formats: how the secrets of many vendors look, wherever they stand.

A format is a literal that every such token contains and a pattern for what follows it, so that a text is searched
for the literals (fast, linear) and a pattern is tried only where one stands.  The formats are in `vendors`.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from platformctl.redaction.identifiers import in_identifier
from platformctl.redaction.spans import Span
from platformctl.redaction.vendors import FORMATS, Format

_HEAD_LIMIT = 80  # characters; no token in the table has more than this before its literal


class _Search(NamedTuple):
    """Formats whose literals begin with the same character, and a pattern that matches where one of them stands.

    One pattern for each first character is the fastest way through a text: `re` skips to the character by itself, and
    sees at once whether the rest of a literal follows.
    """

    first: str
    pattern: re.Pattern[str]
    formats: tuple[Format, ...]


def tokens(text: str) -> Iterator[Span]:
    """Yield a span for every token in `text` whose format is in the table."""
    for search in _searches():
        if search.first not in text:  # true of most for a short text, and cheaper than the pattern
            continue
        taken: dict[str, int] = {}
        for match in search.pattern.finditer(text):
            position = match.start()
            for form in search.formats:
                if text.startswith(form.literal, position) and taken.get(form.vendor, 0) <= position:
                    span = _token_at(text, position, form)
                    if span is not None:
                        taken[form.vendor] = span.end  # else a run of literals would be searched again from each
                        yield span


@cache
def _searches() -> tuple[_Search, ...]:
    first: dict[str, list[Format]] = {}
    for form in FORMATS:
        first.setdefault(form.literal[0], []).append(form)
    return tuple(_Search(character, _standing(forms), tuple(forms)) for character, forms in first.items())


def _standing(forms: list[Format]) -> re.Pattern[str]:
    """Return a pattern of one character at which a literal stands; it takes no more, as literals may overlap."""
    rests = "|".join(sorted(re.escape(form.literal[1:]) for form in forms))
    return re.compile(rf"{re.escape(forms[0].literal[0])}(?={rests})")


def _token_at(text: str, position: int, form: Format) -> Span | None:
    # The boundary comes first: it is what keeps a tail from being tried at each place of a run that cannot match.
    if form.boundary and not _compiled(form.boundary).match(text, position):
        return None
    tail = _compiled(form.tail).match(text, position + len(form.literal))
    if tail is None:
        return None
    start = _head_start(text, position, form.head)
    return None if start is None or in_identifier(text, start) else Span(start, tail.end(), start)


def _head_start(text: str, position: int, head: str) -> int | None:
    if not head:
        return position
    match = _compiled(rf"{head}\Z").search(text, max(0, position - _HEAD_LIMIT), position)
    return match.start() if match else None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
