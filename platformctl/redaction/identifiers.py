"""Identifiers that must survive: without them an operator can compare nothing, and none of them is a secret.

A part of one may look like a token or like the name of a setting by chance (`4b1d…`, `WJWT:`): both finders ask here.
"""

import re

_LONGEST = 71  # characters: `sha256:` and 64 digits

_HEX = "[0-9a-f]"
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_FINGERPRINT = "SHA256:[A-Za-z0-9+/]{43}"
_ENGINE_ID = "(?:[A-Z2-7]{4}:){11}[A-Z2-7]{4}"  # Docker Engine's before version 24; a UUID since
_WHOLE = rf"(?<![A-Za-z0-9])(?:(?:sha256:)?{_HEX}{{64}}|{_FINGERPRINT}|{_ENGINE_ID})(?![A-Za-z0-9+/])"

_IN_TEXT = re.compile(_WHOLE)
_VALUE = re.compile(rf"(?:sha256|SHA256|MD5):.*|{_HEX}{{12}}|{_HEX}{{40}}|{_HEX}{{64}}|{_UUID}|{_ENGINE_ID}")


def is_identifier(value: str) -> bool:
    """Return whether a value is a digest, fingerprint, commit, container id, engine id or UUID and nothing else."""
    return _VALUE.fullmatch(value) is not None


def in_identifier(text: str, position: int) -> bool:
    """Return whether the character at `position` is part of a digest, a key's fingerprint or an engine's id."""
    start = max(0, position - _LONGEST)
    near = _IN_TEXT.finditer(text, start, position + _LONGEST + 1)
    return any(found.start() <= position < found.end() for found in near)
