r"""Find known secret values in a text, whatever encoding they come back in.

A value is looked for as it is, in base64 (both alphabets, at each of the three places a byte can have in it) and in
hexadecimal; each line of a value with several lines is looked for too; wraps, colour codes and escapes are seen
through by `unfolding`.

A value is not looked for when replacing it everywhere would make the output useless and protect little: shorter than
four characters, up to four digits, or a common word (`true`, `root`, `localhost`, `info`, …).  Where a key name says
that it is a secret, such a value is still redacted, by `contexts`.
"""

from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from platformctl.model.secret import Secret
from platformctl.redaction.names import words_of
from platformctl.redaction.sanitising import visible
from platformctl.redaction.spans import Span
from platformctl.redaction.unfolding import Unfolding, View, without_cut_off_escape

_SHORTEST = 4  # characters
_TAIL = 64  # characters at the end of a text that one of a value can be spelled and wrapped in
_COMMON = words_of(
    """
    true false yes no on off none null enabled enable disabled disable always never auto default unset required
    root admin user users guest nobody daemon postgres mysql mariadb redis mongo mongodb sqlite rabbitmq nginx
    localhost 127.0.0.1 0.0.0.0 host bridge example.com http https tcp udp smtp ssl tls starttls
    trace debug info warn warning error critical fatal notice verbose quiet json text plain logfmt
    production prod staging stage development devel test testing local main master latest stable
    utf8 utf-8 c.utf-8 en_us.utf-8 latin1 utc etc/utc europe/berlin linux amd64 arm64 unless-stopped on-failure
    data name value type password secret token access server client public private redacted
    """
)


class Needle(NamedTuple):
    """A text to look for, and how many neighbours before and after it hold bits of the value too (base64)."""

    text: str
    before: int = 0
    after: int = 0


class KnownSecrets:
    """The encodings of some secret values, ready to be looked for."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        values = {line for secret in secrets for line in _lines(secret.reveal()) if is_telling(line)}
        self._unfolding = _unfolding(any(" " in value or "\t" in value for value in values))
        found = {needle for value in values for needle in _needles(value, self._unfolding)}
        self._needles = tuple(sorted(found))
        self.longest = max((len(needle.text) for needle in self._needles), default=0)

    def spans(self, text: str) -> Iterator[Span]:
        """Yield every stretch of `text` that shows a known value, and a value's beginning that the end cuts off."""
        for view in self._views(text):
            for needle in self._needles:
                yield from _occurrences(view, needle)
                begun = _begun(view.text, needle.text)
                if begun >= max(_SHORTEST, min(8, len(needle.text) // 2)):
                    yield _span(view, len(view.text) - begun, len(view.text))

    def open_from(self, text: str) -> int:
        """Return where in `text` a known value may have begun that the next piece of output completes."""
        tail = max(0, len(text) - _TAIL - _TAIL * self.longest)
        begun = [_open_from(view, needle) for view in self._views(text[tail:]) for needle in self._needles]
        return min((tail + start for start in begun if start is not None), default=len(text))

    def _views(self, text: str) -> list[View]:
        return self._unfolding.views(text) if self._needles and text else []


def _lines(value: str) -> Iterator[str]:
    yield value.strip("\r\n")
    if "\n" in value.strip():
        # Armour lines are the same for everybody, and the public half of a pair has them too.
        yield from (line.strip() for line in value.splitlines() if not line.startswith("-----"))


def is_telling(value: str) -> bool:
    """Return whether a value is looked for at all: a short or common word would take half of a log with it."""
    plain = value.strip().casefold()
    return len(plain) >= _SHORTEST and plain not in _COMMON and not (plain.isdigit() and len(plain) <= _SHORTEST)


def _needles(value: str, unfolding: Unfolding) -> Iterator[Needle]:
    spellings = {value, value.replace(" ", "+")}  # forms send a blank as a plus sign
    for spelling in spellings:
        yield Needle(visible(spelling))
        for view in unfolding.views(visible(spelling)):
            if len(view.text) >= _SHORTEST:
                yield Needle(view.text)
    encoded = value.encode("utf-8", "surrogatepass")
    yield Needle(encoded.hex())
    yield Needle(encoded.hex().upper())
    for shift in range(3):
        standard = _base64(encoded, shift)
        yield standard
        yield standard._replace(text=standard.text.replace("+", "-").replace("/", "_"))


def _base64(encoded: bytes, shift: int) -> Needle:
    """Return the characters of the base64 of `shift` foreign bytes and the value that depend on the value alone."""
    text = b2a_base64(bytes(shift) + encoded, newline=False).decode("ascii")
    first, end = -(-shift * 8 // 6), (shift + len(encoded)) * 8 // 6
    return Needle(text[first:end], before=min(shift, 1), after=min((shift + len(encoded)) % 3, 1))


def _occurrences(view: View, needle: Needle) -> Iterator[Span]:
    start = view.text.find(needle.text)
    while start >= 0:
        end = start + len(needle.text)
        yield _span(view, max(0, start - needle.before), min(len(view.text), end + needle.after))
        start = view.text.find(needle.text, start + 1)


def _span(view: View, start: int, end: int) -> Span:
    begin, stop = view.origin(start, end)
    return Span(begin, stop, begin)


def _open_from(view: View, needle: Needle) -> int | None:
    whole, shortened = view.text, without_cut_off_escape(view.text)
    begun = max(_begun(whole, needle.text), _begun(shortened, needle.text) + len(whole) - len(shortened))
    start = max(0, len(whole) - begun - needle.before)
    return view.origin(start, start + 1)[0] if begun else None


def _begun(text: str, needle: str) -> int:
    """Return how many characters at the end of `text` are the beginning of `needle`, and not all of it."""
    tail = text[-(len(needle) - 1) :]
    start = tail.find(needle[0])
    while start >= 0 and not needle.startswith(tail[start:]):
        start = tail.find(needle[0], start + 1)
    return 0 if start < 0 else len(tail) - start


@cache
def _unfolding(blanks: bool) -> Unfolding:
    return Unfolding(blanks=blanks)
