"""Hide what may be secret in a text that a plan shows, by the name beside it or in the lines above it.

The sink recognises a setting in one place: `password: x`. In the text of a file the name may stand apart from its
value: a word before it with no sign between the two, a line above it, or a pair of `name` and `value`.
"""

import re
from collections.abc import Callable, Iterator

from platformctl.model.frozen import dataclass

Hide = Callable[[str], str]
_TWO_WORDS = re.compile(r"([ \t]*[A-Za-z_][\w.-]*[ \t]+)([^\s;]+)(;?\s*)\Z")
_KEY = re.compile(r"([ \t]*(?:- +)?)[\"']?([\w.-]+)[\"']?:(?:[ \t]+\S[^\r\n]*)?\s*\Z")
_ITEM = re.compile(r"([ \t]*-[ \t]+)([^\s:][^\r\n:]*?)(\s*)\Z")
_FURTHER = re.compile(r"([ \t]+)([^\s:#-][^\r\n:]*?)(\s*)\Z")
_NAME = re.compile(r"\s*[-{]?\s*[\"']?(?:name|key)[\"']?:[ \t]*[\"']?([\w.-]+)[\"']?,?\s*\Z", re.IGNORECASE)
_VALUE = re.compile(r"(\s*[\"']?value[\"']?:[ \t]*)(\S[^\r\n]*?)([},]*\s*)\Z", re.IGNORECASE)


def hidden(name: str, text: str, hide: Hide) -> str:
    """Return `text` with secrets hidden, judged with its name in front: `password: x` is a secret by its name alone."""
    lead = f"{name}: "
    shown = hide(lead + text)
    return shown.removeprefix(lead) if shown.startswith(lead) else hide(text)


def settings_hidden(text: str, hide: Hide) -> Iterator[str]:
    """Yield the lines of a file with secrets hidden that a name apart from them tells.

    Those are lines of two words, as in the configuration of redis and nginx, items of a list and lines of a value below
    their name, and a `value` below its `name`.
    """
    above = _Above()
    for line in text.splitlines(keepends=True):
        yield above.shown(line, hide)
        above = above.followed_by(line)


@dataclass(frozen=True)
class _Above:
    """What the lines above say of the next one: the key that it may belong to, how deep that stands, and a `name`."""

    key: str = ""
    depth: int = 0
    name: str = ""

    def shown(self, line: str, hide: Hide) -> str:
        """Return the line as it may be shown: the first form counts that hides something of it."""
        below = _ITEM.match(line) or (_FURTHER.match(line) if _indentation(line) > self.depth else None)
        pair = _TWO_WORDS.match(line)
        forms = ((self.key, below), (self.name, _VALUE.match(line)), (pair[1].strip() if pair else "", pair))
        for name, form in forms:
            if name and form and (told := hidden(name, form[2], hide)) != form[2]:
                return f"{form[1]}{told}{form[3]}"
        return line

    def followed_by(self, line: str) -> "_Above":
        """Return what the lines above say once `line` is one of them."""
        if not line.strip():
            return self
        if named := _NAME.match(line):
            return _Above(name=named[1])
        if key := _KEY.match(line):
            return _Above(key[2], len(key[1]))
        goes_on = _ITEM.match(line) or _indentation(line) > self.depth
        return self if goes_on else _Above()


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
