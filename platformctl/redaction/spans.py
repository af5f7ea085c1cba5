"""Stretches of a text that must not be shown, and their replacement."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

REDACTED = "[redacted]"


class Span(NamedTuple):
    """Characters `start` to `end` are secret; `lead` is where the evidence for that begins (a key name, a scheme).

    `block` says that the secret may go on over line ends: a PEM block, a YAML block scalar.
    """

    start: int
    end: int
    lead: int
    block: bool = False


def merged(spans: Iterable[Span]) -> list[Span]:
    """Join spans that overlap or touch, in order."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start <= joined[-1].end:
            joined[-1] = _union(joined[-1], span)
        else:
            joined.append(span)
    return joined


def replaced(text: str, spans: Iterable[Span]) -> str:
    """Return `text` with each of the merged `spans` replaced by the marker."""
    pieces, position = [], 0
    for span in spans:
        pieces += [text[position : span.start], REDACTED]
        position = span.end
    return "".join([*pieces, text[position:]])


def markers(text: str) -> Iterator[Span]:
    """Yield the markers already in `text`, so that a match within or beside one leaves one marker, not a broken one."""
    start = text.find(REDACTED)
    while start >= 0:
        end = start + len(REDACTED)
        yield Span(start, end, start)
        start = text.find(REDACTED, end)


def _union(first: Span, second: Span) -> Span:
    return Span(
        first.start,
        max(first.end, second.end),
        min(first.lead, second.lead),
        first.block or second.block,
    )
