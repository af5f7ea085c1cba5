"""The sink itself: texts and streams go in, what may be shown comes out."""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterable

from platformctl.model.secret import Secret
from platformctl.redaction.sanitising import neutralised, visible
from platformctl.redaction.spans import REDACTED, Span, markers, merged, replaced

_CARRIED = 64 * 1024  # characters a stream holds back at most, or eight times the longest known value if that is more

_WORD, _WORDS = 40, 4096
"""How long a text may be whose result is kept, in characters, and how many results are kept.

Names of fields, modules and hosts are repeated often.
"""

# What is dropped as the rest of a secret that is too long to be held back.
_TO_LINE_END = re.compile(r"[^\n]*+")
_TO_ARMOUR = re.compile(r"(?:[^\-]|-(?!----))*+(?:-----END [^\-\n]*+-----)?")
_PART_OF_COMMAND = re.compile(r"#+\w{0,32}\Z")


class Redactor:
    """Takes known and recognisable secrets out of text. Immutable; safe to share between threads."""

    __slots__ = ("_known", "_words")

    def __init__(self, known: Iterable[Secret] = ()) -> None:
        # Here and in `spans`, imported on first use: the tables take longer to build than `--help` takes.
        from platformctl.redaction.known import KnownSecrets

        self._known = KnownSecrets(known)
        self._words: dict[str, str] = {}

    def clean(self, text: str) -> str:
        """Return `text` as it may be shown: sanitised, each secret replaced by `[redacted]`; never raises."""
        if len(text) > _WORD:
            return self._cleaned(text)
        if text not in self._words and len(self._words) < _WORDS:
            self._words[text] = self._cleaned(text)
        return self._words[text] if text in self._words else self._cleaned(text)

    def _cleaned(self, text: str) -> str:
        shown = visible(text)
        return neutralised(replaced(shown, self.spans(shown)))

    def stream(self) -> "RedactedStream":
        """Return a sink for one output that arrives in pieces."""
        return RedactedStream(self)

    def spans(self, shown: str) -> list[Span]:
        """Return what must not be seen of a text whose hidden characters are already visible, merged and in order."""
        from platformctl.redaction.recognising import recognised

        return merged([*self._known.spans(shown), *recognised(shown), *markers(shown)])

    def open_from(self, shown: str) -> int:
        """Return where a known value may have begun that is not complete at the end of `shown`."""
        return self._known.open_from(shown)

    @property
    def carried(self) -> int:
        """How many characters a stream may have to hold back."""
        return max(_CARRIED, 8 * self._known.longest)


class RedactedStream:
    """Takes secrets out of output that arrives in pieces, also one that is split over pieces.

    Whole lines are given out as soon as nothing in them can be the beginning of a secret.  What is held back is
    bounded: a line longer than the bound is given out in parts, a secret longer than it is cut off with one marker.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._decoder = getincrementaldecoder("utf-8")("backslashreplace")
        self._pieces: list[str] = []
        self._length = 0
        self._dropping: re.Pattern[str] | None = None

    def feed(self, chunk: bytes | str) -> str:
        """Take a piece of output and return what may be shown by now, perhaps nothing."""
        piece = visible(chunk if isinstance(chunk, str) else self._decoder.decode(chunk))
        self._keep(piece)
        if "\n" in piece or self._length > self._redactor.carried:
            return self._released()
        return ""

    def finish(self) -> str:
        """Return what was held back; the stream takes nothing after that."""
        self._keep(visible(self._decoder.decode(b"", final=True)))
        rest = self._taken()
        return neutralised(replaced(rest, self._redactor.spans(rest)))

    def _keep(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)

    def _taken(self) -> str:
        """Return and forget what is held back, without the rest of a secret that is being dropped."""
        held = "".join(self._pieces)
        self._pieces, self._length = [], 0
        if self._dropping is None:
            return held
        dropped = self._dropping.match(held)
        end = dropped.end() if dropped else 0
        if end < len(held):
            self._dropping = None
        return held[end:]

    def _released(self) -> str:
        held = self._taken()
        spans = self._redactor.spans(held)
        cut = _before_open(held, held.rfind("\n") + 1, spans, self._redactor)
        if len(held) - cut > self._redactor.carried:
            return self._forced(held, spans)
        self._keep(held[cut:])
        return _shown(held, cut, spans)

    def _forced(self, held: str, spans: list[Span]) -> str:
        """Give out half of what is too long to keep, or drop it where it is one secret."""
        half = len(held) - self._redactor.carried // 2
        cut = _between_words(held, half, spans, self._redactor)
        if cut > 0:
            self._keep(held[cut:])
            return _shown(held, cut, spans)
        block = any(span.block for span in spans[:1])
        self._dropping = _TO_ARMOUR if block else _TO_LINE_END
        return _shown(held, spans[0].start if spans else 0, spans) + REDACTED


def _shown(held: str, cut: int, spans: list[Span]) -> str:
    return neutralised(replaced(held[:cut], [span for span in spans if span.end <= cut]))


def _before_open(held: str, cut: int, spans: list[Span], redactor: Redactor) -> int:
    """Return the last line start up to `cut` before which everything is decided."""
    start = min(redactor.open_from(held[:cut]), cut)
    for span in reversed(spans):
        if span.lead < start and (start < span.end or (span.block and not held[span.end : cut].strip())):
            start = span.lead
    return start if start == cut else held.rfind("\n", 0, start) + 1


def _between_words(held: str, cut: int, spans: list[Span], redactor: Redactor) -> int:
    """Return where a long line may be parted: in no secret, in no name of one, and if possible after a blank."""
    cut = max(held.rfind(" ", 0, cut), held.rfind("\n", 0, cut)) + 1 or cut
    cut = min(cut, redactor.open_from(held[:cut]))
    for span in reversed(spans):
        if span.lead < cut < span.end or (span.block and span.lead < cut and not held[span.end :].strip()):
            cut = span.lead
    command = _PART_OF_COMMAND.search(held, max(0, cut - 64), cut)
    return command.start() if command else cut
