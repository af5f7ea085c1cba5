"""Find secrets by what stands around them: PEM blocks, URLs with a password, authorisation schemes, logins.

Each finder is linear in the length of the text: patterns are bounded or possessive, and a stretch that was taken is
not searched again.
"""

import re
from collections.abc import Iterator

from platformctl.redaction.names import looks_random
from platformctl.redaction.spans import REDACTED, Span

_ARMOUR = r"(?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
_BODY = r"(?:[^\-]|-(?!----))"
# Without its end, as in a log that was cut, a block is the lines of base64 or of header fields that follow.
_BODY_LINE = (
    r"(?:[ \t\"',]*+(?:\n|\\n|\\r)(?:[\s>]|\\[nrt])*+(?:[\w.\-]{1,64}+[ \t]*+\|[ \t]*+)?"
    r"(?:[A-Za-z\-]{1,20}+: [^\n]*+|[A-Za-z0-9+/=]++(?=[ \t]*+(?:[\n\\\"']|\Z))))"
)
_PRIVATE_KEY = re.compile(rf"-----BEGIN {_ARMOUR}(?:{_BODY}{{0,65536}}+-----END {_ARMOUR}|{_BODY_LINE}*+)")

_USER_INFO = re.compile(r"[^\s/?#\"'<>@:\\]*+(?::(?P<password>[^\s/\"'<>]+)@|@)")
_OPAQUE_USER = 16  # characters; a user name that is longer and looks made is a token

_SCHEMES = ("bearer", "basic", "apikey", "negotiate")
_SCHEME = re.compile(rf"\b(?:{'|'.join(_SCHEMES)})[ \t]{{1,4}}(?P<value>[A-Za-z0-9\-._~+/]{{8,}}+=*+)", re.IGNORECASE)
_LONG_CREDENTIAL = 20  # characters; longer than any word that follows "basic" or "bearer" in prose

_LOGIN = re.compile(
    r"\b(?:login[ \t]+[^\s]{1,128}+[ \t]+password|requirepass|masterauth)[ \t]+(?P<value>[^\s]+)", re.IGNORECASE
)
_SQL = re.compile(
    r"\b(?:identified by|password)[ \t]{1,8}(?P<quote>['\"])(?P<value>[^'\"\n]+)(?P=quote)", re.IGNORECASE
)
_CURL_USER = re.compile(
    r"\s(?:-u|--user|--proxy-user)[ =]?[\"']?[^\s:\"'/]{1,128}+:(?P<value>[^\s\"']+)", re.IGNORECASE
)

# Clients that take a password as an option of one letter. A variable in its place is none.
_APART = r"[ \t\"',\\]{1,6}"
_CLIENTS = (
    ("mysql", "-p"),
    ("mariadb", "-p"),
    ("redis-cli", f"-a{_APART}"),
    ("valkey-cli", f"-a{_APART}"),
    ("sshpass", f"-p(?:{_APART})?"),
    ("mongo", f"-p{_APART}"),
    ("ldap", f"-w{_APART}"),
)
_OPTIONS = tuple(
    (name, re.compile(rf"\b{name}[^\n;|&]{{0,256}}?[ \t\"',]{option}[\"']?(?P<value>(?![$\"'\-])[^\s\"',;|&]+)"))
    for name, option in _CLIENTS
)


def surrounded(text: str, lowered: str) -> Iterator[Span]:
    """Yield a span for every secret in `text` that its surroundings give away; `lowered` is `text` in lower case."""
    if "-----BEGIN " in text:
        yield from _private_keys(text)
    if "://" in text:
        yield from _passwords_in_urls(text)
    if any(scheme in lowered for scheme in _SCHEMES):
        yield from (span for span in _values(_SCHEME, text) if _is_credential(text[span.start : span.end]))
    if any(word in lowered for word in ("password", "identified by", "requirepass", "masterauth")):
        yield from _values(_LOGIN, text)
        yield from _values(_SQL, text)
    if "curl" in lowered:
        yield from _values(_CURL_USER, text)
    yield from (span for name, option in _OPTIONS if name in lowered for span in _values(option, text))


def _values(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    for match in pattern.finditer(text):
        if not text.startswith(REDACTED, match.start("value")):
            yield Span(*match.span("value"), match.start())


def _is_credential(value: str) -> bool:
    return len(value) >= _LONG_CREDENTIAL or value.endswith("=") or looks_random(value)


def _private_keys(text: str) -> Iterator[Span]:
    for match in _PRIVATE_KEY.finditer(text):
        yield Span(*match.span(), match.start(), block="-----END " not in match.group())


def _passwords_in_urls(text: str) -> Iterator[Span]:
    position = text.find("://")
    while position >= 0:
        match = _USER_INFO.match(text, position + 3)
        if match and match["password"]:
            yield Span(*match.span("password"), position)
        elif match and len(match.group()) > _OPAQUE_USER and looks_random(match.group()):
            yield Span(match.start(), match.end() - 1, position)
        position = text.find("://", position + 3)
