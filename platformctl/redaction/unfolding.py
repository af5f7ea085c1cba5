"""See through what happens to a value on its way out: line wraps, colour codes and escapes.

A `View` is the text without wraps and colour codes and, at deeper levels, with URL, JSON, C, shell, Compose and XML
escapes resolved.  It remembers where each of its characters came from, so that what is found in it can be replaced in
the text itself.
"""

import re
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator

_DEPTH = 4  # escapes within escapes that are resolved: a URL in JSON in a shell word, and one to spare

# What stands between two halves of a value: a line end with the indentation or the `service-1 | ` of Compose that
# follows it, colour codes, and hidden characters in the spelling of `visible` or of JSON.
_PREFIX = r"(?:[\w.\-]{1,64}+[ \t]++\|[ \t]++)?"
_WRAPS = rf"\n[ \t]*+{_PREFIX}"
_WRAPS_AND_BLANKS = rf" [ \t]*+(?:\n[ \t\n]*+{_PREFIX})?|\t[ \t]*+(?:\n[ \t\n]*+{_PREFIX})?|\n[ \t\n]*+{_PREFIX}"
_HIDDEN = (
    r"(?:x1b|u001[bB]|033|e)\[[0-9;:?]*+[ -/]*+[@-~]|x(?:0[0-8b-f]|1[0-9a-f]|7f)"
    r"|u(?:00[01][0-9a-f]|200[b-f]|202[89a-e]|206[0-9a-f]|feff)"
)
# Each alternative of a pattern starts with a literal: that is what lets `re` skip the rest of a text fast.
_BACKSLASHED = (
    r"(?P<bytes>x[89a-fA-F][0-9a-fA-F](?:\\x[89a-fA-F][0-9a-fA-F])*+)"
    r"|(?:x|u00)(?P<ascii>[0-7][0-9a-fA-F])|(?P<utf16>u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*+)"
    r"|U(?P<utf32>00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})"
    r"|(?P<octal>[0-3][0-7]{2})|[nrtbfv]|(?P<itself>[^\n])"
)
_ESCAPES = (
    r"|%(?:(?P<percents>[89a-fA-F][0-9a-fA-F](?:%[89a-fA-F][0-9a-fA-F])*+)|(?P<percent>[0-7][0-9a-fA-F]))"
    r"|&(?:(?P<entity>amp|lt|gt|quot|apos)|\#(?P<decimal>[0-9]{1,7})|\#[xX](?P<hexadecimal>[0-9a-fA-F]{1,6}));"
    r"|'(?:\\(?P<shell>')'|\"(?P<shells>')\"'|(?P<twin>'))"
    r"|\"(?P<twins>\")|\$(?P<dollar>\$)"
)
# An escape that the end of the text cuts off.
_CUT_OFF = re.compile(
    r"(?:\\+(?:u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7}|x[0-9a-fA-F]?|[0-3][0-7]?"
    r"|(?:x1b|u001[bB]|033|e)(?:\[[0-9;:?]*+[ -/]*+)?)?"
    r"|%[0-9a-fA-F]?|&[#\w]{0,7}|'\\?'?|'\"?'?\"?|[\"$])\Z"
)


class View:
    """A text derived from another by leaving out or resolving some of its parts."""

    def __init__(self, source: str, pattern: re.Pattern[str] | None, parent: "View | None" = None) -> None:
        self._parent = parent
        self._at: list[int] = []  # where each piece starts in this view
        self._from: list[int] = []  # and in the source
        self._to: list[int] = []  # and ends in the source
        self.text = "".join(self._pieces(source, pattern))
        self._at.append(len(self.text))

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return the stretch of the first text that became characters `start` to `end` of this view."""
        first, offset, exact = self._piece(start)
        begin = self._from[first] + (offset if exact else 0)
        last, offset, exact = self._piece(end - 1)
        stop = self._from[last] + offset + 1 if exact else self._to[last]
        return (begin, stop) if self._parent is None else self._parent.origin(begin, stop)

    def _piece(self, index: int) -> tuple[int, int, bool]:
        piece = bisect_right(self._at, index) - 1
        length = self._at[piece + 1] - self._at[piece]
        return piece, index - self._at[piece], length == self._to[piece] - self._from[piece]

    def _pieces(self, source: str, pattern: re.Pattern[str] | None) -> Iterator[str]:
        position = length = 0
        for match in pattern.finditer(source) if pattern else ():
            start, end = match.span()
            if position < start:
                self._note(length, position, start)
                length += start - position
                yield source[position:start]
            resolved = _resolved(match) if match.lastgroup else ""
            if resolved:
                self._note(length, start, end)
                length += len(resolved)
                yield resolved
            position = end
        if position < len(source):
            self._note(length, position, len(source))
            yield source[position:]

    def _note(self, at: int, start: int, end: int) -> None:
        self._at.append(at)
        self._from.append(start)
        self._to.append(end)


class Unfolding:
    """How to look at texts: with `blanks`, all white space is left out, so that a wrap at a blank is no obstacle."""

    def __init__(self, *, blanks: bool) -> None:
        between = _WRAPS_AND_BLANKS if blanks else _WRAPS
        self._noise = re.compile(rf"{between}|\\(?:{_HIDDEN})")
        self._folds = re.compile(rf"{between}|\\(?:{_HIDDEN}|{_BACKSLASHED}){_ESCAPES}")

    def views(self, text: str) -> list[View]:
        """Return the text without wraps, then with escapes resolved once, twice, … while there are any.

        A text with bars is looked at as it is too: a value may look like the `service-1 | ` that is left out.
        """
        views = [View(text, self._noise)]
        while len(views) <= _DEPTH and self._folds.search(views[-1].text):
            views.append(View(views[-1].text, self._folds, views[-1]))
        return [View(text, None), *views] if " |" in text else views


def without_cut_off_escape(text: str) -> str:
    """Return `text` without the beginning of an escape at its end."""
    start = max(0, len(text) - 64)
    return text[:start] + _CUT_OFF.sub("", text[start:])


def _resolved(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    text = _RESOLVE[kind](match[kind]) if kind in _RESOLVE else match[kind]
    return "".join(character for character in text if character >= " ")


def _utf8(escape: str) -> str:
    """Read bytes that programs spell out; where they are no UTF-8, `\xfc` is how Python spells the character."""
    spelled = bytes.fromhex(escape.replace("%", "").replace("\\", "").replace("x", ""))
    try:
        return spelled.decode("utf-8")
    except UnicodeDecodeError:
        return spelled.decode("latin-1")


def _utf16(escape: str) -> str:
    return bytes.fromhex(escape.replace("\\", "").replace("u", "")).decode("utf-16-be", "ignore")


def _hexadecimal(escape: str) -> str:
    return _character(int(escape, 16))


def _character(code: int) -> str:
    return chr(code) if code <= sys.maxunicode else ""


_RESOLVE: dict[str, Callable[[str], str]] = {
    "bytes": _utf8,
    "percents": _utf8,
    "utf16": _utf16,
    "ascii": _hexadecimal,
    "percent": _hexadecimal,
    "hexadecimal": _hexadecimal,
    "utf32": _hexadecimal,
    "octal": lambda escape: _character(int(escape, 8)),
    "decimal": lambda escape: _character(int(escape)),
    "entity": {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}.__getitem__,
}
