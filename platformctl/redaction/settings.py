"""Find the values of settings that have a telling name: environment, JSON, YAML, options, headers, XML, queries.

Each kind of place has its own way to end a value.  Where that is in doubt the longer stretch is taken, because half a
secret is worse than half a log line.
"""

import re
from collections.abc import Iterator

from platformctl.redaction.identifiers import in_identifier, is_identifier
from platformctl.redaction.names import Telling, looks_random, telling
from platformctl.redaction.spans import REDACTED, Span

_NAME_LIMIT = 64  # characters of a name that are looked at on either side of its telling part

# The telling part of a name, the rest of it, and what leads to its value.  For text in lower case.
_SETTING = re.compile(
    rf"(?:pass|pwd|pw|psk|secret|token|auth|key|cred|dsn|cookie|sess|conn|otp|jwt|sig)[\w.\-]{{0,{_NAME_LIMIT}}}+"
    r"(?:(?P<blank>[ \t]{1,8}+)(?=[^\s=:])"
    r"|(?P<element>[ \t]{0,8}+>)"
    r"|(?P<pair>\\{0,8}+[\"'][ \t]{0,8}+(?:,[ \t]{0,8}+\\{0,8}+[\"'])?value\\{0,8}+[\"']?[ \t]{0,8}+[:=])[ \t]{0,8}+"
    r"|(?P<close>\\{0,8}+[\"'`]?\]?)[ \t]{0,8}+(?:=>|:=|={1,2}|:(?!:|//))[ \t]{0,8}+)"
)
_NAME = re.compile(r"[\w.\-]+")
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
_HEADERS = ("authorization", "cookie")

_QUOTE = re.compile(r"\\{0,8}+[\"'`]")
_QUOTED = {
    '"': re.compile(r'(?:[^"\\\n]|\\[^\n])*+'),
    "'": re.compile(r"[^'\n]*+(?:''[^'\n]*+)*+"),
    "`": re.compile(r"[^`\n]*+"),
}
_LINES = 16 << 10  # characters of a quoted value that goes on over line ends: a kubeconfig has nearly as many
_OVER_LINES = {
    '"': re.compile(rf'(?:[^"\\]|\\[\s\S]){{0,{_LINES}}}+'),
    "'": re.compile(rf"(?:[^']|''){{0,{_LINES}}}+"),
}
_AFTER_QUOTE = re.compile(r"[ \t]*+(?:[,;)\]}#]|\n|\Z)")
_LINE = re.compile(r"[^\n]*+")
_LIST = re.compile(r"\[[^\]\n]*+\]?")
_ELEMENT = re.compile(r"[^<\n]*+")
_PARAMETER = re.compile(r"[^\s&#\"'<>`]*+")
_NEXT = r"[ \t]*+[\"']?[\w.\-]{1,64}+[\"']?[ \t]?[=:]"
_WORD = re.compile(rf"(?:[^\s\"'`<;,&]|[\"'`](?=\w)|<(?![/a-zA-Z])|[;,&](?!{_NEXT}))*+")
_REST = re.compile(r"(?:[^\s]|[ \t]++(?![#\n]|[\w.\-]{1,64}+=|\Z))*+")
_LINE_START = re.compile(r"(?:\A|\n)[ \t]*+(?:[-+][ \t]*+)?(?:-[ \t]++)?(?:export[ \t]++|ENV[ \t]++)?[\"']?\Z")
# YAML lets a tag and an anchor stand before its sign, and a comment behind it.
_BLOCK_SCALAR = re.compile(r"(?:[!&][^\s]*+[ \t]++){0,2}[|>][-+0-9]{0,2}(?:[ \t]++#[^\n]*+)?[ \t]*+(?=\n|\Z)")
_BLANK_TO_END = re.compile(r"\s*+\Z")
_CLOSERS = ")]},;."

_HARMLESS = re.compile(
    r"true|false|yes|no|on|off|null|none|nil|undefined|enabled|disabled|required|optional|x{3,}|[^\w]*"
    r"|<[^<>]*>|\$\{\w+(?::?\?[^}]*)?\}|\$[A-Z_][A-Z0-9_]*|\$\([^()]*\)|\{\{[^{}]*\}\}|%\w+%",
    re.IGNORECASE,
)


def assigned(text: str, lowered: str) -> Iterator[Span]:
    """Yield the values in `text` whose names call them secret; `lowered` is `text` in lower case."""
    taken = examined = 0
    for match in _SETTING.finditer(lowered):
        # What is inside a value was looked at with it: looking again would take quadratic time.
        if match.start() < taken or text.startswith(REDACTED, match.end()):
            continue
        name = _name(text, match.start())
        said = telling(name.group().strip("-.")) if name else Telling.NOTHING
        if not name or said is Telling.NOTHING or not _is_setting(text, name.start(), match):
            continue
        if said is Telling.PERHAPS and match.start() < examined:
            continue
        value = _value(text, match, name)
        examined = max(examined, value.end)
        if _goes_on(text, value, said) or _is_secret(text[value.start : value.end], said):
            taken = value.end
            yield value


def _name(text: str, position: int) -> re.Match[str] | None:
    """Return the whole name whose telling part is at `position`."""
    limit = max(0, position - _NAME_LIMIT)
    while position > limit and text[position - 1] in _NAME_CHARACTERS:
        position -= 1
    return _NAME.match(text, position)


def _is_setting(text: str, start: int, match: re.Match[str]) -> bool:
    """Let a blank lead to a value only after an option (`--token x`), a `>` only in an element (`<token>x`)."""
    if in_identifier(text, start):
        return False
    if match["blank"]:
        return text.startswith("--", start)
    return not match["element"] or text[start - 1 : start] == "<"


def _is_secret(value: str, said: Telling) -> bool:
    if value.startswith(REDACTED) or _HARMLESS.fullmatch(value):
        return False
    return said is Telling.SECRET or (looks_random(value) and not is_identifier(value))


def _goes_on(text: str, value: Span, said: Telling) -> bool:
    """Whether more of a secret may still come, so that what is there says nothing of it yet: `|`, or a quote."""
    is_open = value.block and _BLANK_TO_END.match(text, value.end) is not None
    return is_open and said is Telling.SECRET and not text.startswith(REDACTED, value.start)


def _value(text: str, match: re.Match[str], name: re.Match[str]) -> Span:
    """Return where the value is; each kind of place has its own way to end one."""
    position, start = match.end(), name.start()
    before = text[start - 1 : start]
    quote = _QUOTE.match(text, position)
    if match["element"]:
        return Span(position, _end(_ELEMENT, text, position), start)
    if quote:
        return _quoted(text, quote, start)
    if before and before in "\"'`" and not match["close"]:
        return Span(position, _before_quote(text, position, before), start)
    if name.group().lower().endswith(_HEADERS) and ":" in match.group():
        return Span(position, _end(_LINE, text, position), start)
    if before and before in "?&":
        return Span(position, _end(_PARAMETER, text, position), start)
    if text.startswith("[", position):
        return Span(position, _end(_LIST, text, position), start)
    return _bare(text, position, start)


def _quoted(text: str, quote: re.Match[str], start: int) -> Span:
    """Return a quoted value, also one that ends on a later line, as in env files, YAML and differences of those.

    A quote that closes nothing, in the middle of a later line, says that the value ended with its own line. While none
    has come, all of the text may be of the value.
    """
    delimiter, end = quote.group(), _closing(text, quote)
    if delimiter not in _OVER_LINES or text.startswith(delimiter, end):
        return Span(quote.end(), end, start)
    last = _end(_OVER_LINES[delimiter], text, quote.end())
    if last == len(text):
        return Span(quote.end(), last, start, block=True)
    if text.startswith(delimiter, last) and _AFTER_QUOTE.match(text, last + 1):
        return Span(quote.end(), last, start)
    return Span(quote.end(), end, start)


def _closing(text: str, quote: re.Match[str]) -> int:
    """Return where a quoted value ends: at the same quote, escaped as often, or at the end of the line."""
    delimiter = quote.group()
    if len(delimiter) == 1:
        return _end(_QUOTED[delimiter], text, quote.end())
    line_end = _end(_LINE, text, quote.end())
    closing = text.find(delimiter, quote.end(), line_end)
    return line_end if closing < 0 else closing


def _before_quote(text: str, position: int, quote: str) -> int:
    """Return where `"KEY=value"` ends: before the quote, or before the backslashes that escape it."""
    end = _end(_QUOTED[quote], text, position)
    escaped = re.search(r"\\++[\"'`]", text[position:end])
    return position + escaped.start() if escaped and text[position - 2 : position] else end


def _bare(text: str, position: int, start: int) -> Span:
    """Return an unquoted value: a block scalar, the rest of the line for a line's own key, otherwise a word."""
    opening = _LINE_START.search(text, max(0, start - _NAME_LIMIT), start)
    if opening is None or text.startswith("--", start):
        return _word(text, position, start)
    scalar = _BLOCK_SCALAR.match(text, position)
    if scalar:
        return Span(position, _end(_indented_beyond(opening.group()), text, scalar.end()), start, block=True)
    if text.startswith("{", position):
        return Span(position, position, start)
    return Span(position, _end(_REST, text, position), start)


def _word(text: str, position: int, start: int) -> Span:
    end = _end(_WORD, text, position)
    return Span(position, position + len(text[position:end].rstrip(_CLOSERS)), start)


def _indented_beyond(opening: str) -> re.Pattern[str]:
    indentation = len(opening.lstrip("\n")) - len(opening.strip())
    return re.compile(rf"(?:\n[-+]?[ \t]*+(?=\n)|\n[-+]?[ \t]{{{indentation + 1}}}[^\n]*+)*+")


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Return where a pattern that can match nothing ends."""
    match = pattern.match(text, position)
    return match.end() if match else position
