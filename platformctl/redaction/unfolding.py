"""See through what happens to a value on its way out: line wraps, colour codes and escapes.

A `View` is the text without wraps and colour codes and, at deeper levels, with URL, JSON, C, shell, Compose and XML
escapes resolved.  It remembers where each of its characters came from, so that what is found in it can be replaced in
the text itself.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator

_DEPTH = 4  # escapes within escapes that are resolved: a URL in JSON in a shell word, and one to spare

# What stands between two halves of a value: a line end with the indentation or the `service-1 | ` of Compose that
# follows it, and hidden characters in the spelling of `visible` or of JSON, colour codes as a whole.
_WRAP = r"\n[ \t]*+(?:[\w.\-]{1,64}+[ \t]*+\|[ \t]*+)?"
_HIDDEN = (
    r"\\(?:x1b|u001[bB]|033|e)\[[0-9;:?]*+[ -/]*+[@-~]"
    r"|\\(?:x(?:0[0-8b-f]|1[0-9a-f]|7f|[89][0-9a-f])|u(?:00[01][0-9a-f]|200[b-f]|202[89a-e]|206[0-9a-f]|feff))"
)
_ESCAPES = (
    r"|(?P<utf8>(?:%[89a-fA-F][0-9a-fA-F])++|(?:\\x[89a-fA-F][0-9a-fA-F])++)"
    r"|(?P<ascii>(?:%|\\x|\\u00)[0-7][0-9a-fA-F])"
    r"|(?P<utf16>(?:\\u[0-9a-fA-F]{4})++)"
    r"|(?P<octal>\\[0-3][0-7]{2})"
    r"|&(?P<entity>amp|lt|gt|quot|apos);"
    r"|&\#(?P<decimal>[0-9]{1,6});|&\#[xX](?P<hexadecimal>[0-9a-fA-F]{1,5});"
    r"|'\\(?P<shell>')'|'\"(?P<shell2>')\"'|(?P<twin>['\"$])(?P=twin)"
    r"|\\[nrtbfv]|\\(?P<plain>[^\n])"
)
# An escape that the end of the text cuts off.
_CUT_OFF = re.compile(
    r"(?:\\+(?:u[0-9a-fA-F]{0,3}|x[0-9a-fA-F]?|[0-3][0-7]?|(?:x1b|u001[bB]|033|e)(?:\[[0-9;:?]*+[ -/]*+)?)?"
    r"|%[0-9a-fA-F]?|&[#\w]{0,7}|'\\?'?|'\"?'?\"?|[\"$])\Z"
)
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class View:
    """A text derived from another by leaving out or resolving some of its parts."""

    def __init__(self, source: str, pattern: re.Pattern[str], parent: "View | None" = None) -> None:
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

    def _pieces(self, source: str, pattern: re.Pattern[str]) -> Iterator[str]:
        position = length = 0
        for match in pattern.finditer(source):
            for piece, start, end in (
                (source[position : match.start()], position, match.start()),
                (_resolved(match), match.start(), match.end()),
            ):
                if piece:
                    self._at.append(length)
                    self._from.append(start)
                    self._to.append(end)
                    length += len(piece)
                    yield piece
            position = match.end()
        if position < len(source):
            self._at.append(length)
            self._from.append(position)
            self._to.append(len(source))
            yield source[position:]


class Unfolding:
    """How to look at texts: with `blanks`, all white space is left out, so that a wrap at a blank is no obstacle."""

    def __init__(self, *, blanks: bool) -> None:
        between = r"\s++|" if blanks else ""
        self._noise = re.compile(between + _WRAP + "|" + _HIDDEN)
        self._folds = re.compile(between + _WRAP + "|" + _HIDDEN + _ESCAPES)

    def views(self, text: str) -> list[View]:
        """Return the text without wraps, then with escapes resolved once, twice, … while there are any."""
        views = [View(text, self._noise)]
        while len(views) <= _DEPTH and self._folds.search(views[-1].text):
            views.append(View(views[-1].text, self._folds, views[-1]))
        return views


def without_cut_off_escape(text: str) -> str:
    """Return `text` without the beginning of an escape at its end."""
    start = max(0, len(text) - 64)
    return text[:start] + _CUT_OFF.sub("", text[start:])


def _resolved(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind is None:
        return ""
    text = _character(kind, match[kind])
    return "".join(character for character in text if character >= " ")


def _character(kind: str, escape: str) -> str:
    match kind:
        case "utf8":
            return bytes.fromhex(escape.replace("%", "").replace("\\x", "")).decode("utf-8", "replace")
        case "utf16":
            return bytes.fromhex(escape.replace("\\u", "")).decode("utf-16-be", "replace")
        case "ascii":
            return chr(int(escape[-2:], 16))
        case "octal":
            return chr(int(escape[1:], 8))
        case "decimal":
            return chr(int(escape))
        case "hexadecimal":
            return chr(int(escape, 16))
        case "entity":
            return _ENTITIES[escape]
        case _:
            return escape
