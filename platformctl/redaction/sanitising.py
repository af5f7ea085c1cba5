"""Make hostile text visible: control characters, invisible characters and CI commands.

Printable text is not changed, so sanitising twice gives the same text as sanitising once.
"""

import re

# Everything a terminal obeys or a reader cannot see, except line feed and tab: C0, DEL and C1 controls, soft hyphen,
# combining joiner, Hangul fillers, zero width and bidirectional controls, U+2028/2029, interlinear marks, the byte
# order mark, variation selectors beyond the emoji ones, tags, non-characters, and surrogates that pair with nothing.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)

# GitHub's and Forgejo's runners act on `::name` where a line starts, after any blanks.
_COLON_COMMAND = re.compile(r"^([^\S\n]*+):(?=:)", re.MULTILINE)
# The older `##[name]`, Azure's `##vso[` and TeamCity's `##teamcity[` are obeyed anywhere in a line.
_HASH_COMMAND = re.compile(r"##(?=\w{0,32}\[)")


def sanitise(text: str) -> str:
    """Return `text` with nothing in it that a terminal or a CI runner would act on; never raises."""
    return neutralised(visible(text))


def visible(text: str) -> str:
    r"""Spell hidden characters out as `\x1b`, `\u202e` or `\U000e0041`."""
    return _HIDDEN.sub(_spelled, text)


def neutralised(text: str) -> str:
    """Part the two characters that open a CI command by a space: readable, and no longer a command."""
    if "::" in text:
        text = _COLON_COMMAND.sub(r"\1: ", text)
    return _HASH_COMMAND.sub("# #", text) if "##" in text else text


def _spelled(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
