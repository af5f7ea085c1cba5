"""All ways to recognise a secret that is not known, in one call."""

from collections.abc import Iterator

from platformctl.redaction.contexts import surrounded
from platformctl.redaction.formats import tokens
from platformctl.redaction.settings import assigned
from platformctl.redaction.spans import Span

_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def recognised(text: str) -> Iterator[Span]:
    """Yield a span for every secret in `text` that its format, its name or its surroundings give away."""
    lowered = _lowered(text)
    yield from tokens(text)
    yield from surrounded(text, lowered)
    yield from assigned(text, lowered)


def _lowered(text: str) -> str:
    """Return `text` in lower case, position by position (`str.lower` makes two characters of some)."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text.translate(_LOWER)
