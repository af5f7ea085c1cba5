"""Plain scalars as Compose reads them: numbers of Go and of YAML 1.1, and times.

Compose's YAML library (go-yaml 3) takes more for a number than YAML 1.2's core schema does: `1_000`, `0b11`, `0X1F`
and `017` are numbers, and a date is a time (seen with Compose 2.26.1, value by value: tests/data/compose_scalars.json).
"""

import math
import re
from datetime import UTC, datetime, timedelta, timezone

_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])_(?=[0-9])")
_BASES = (16, 2, 8, 10)
LONGEST_NUMBER = 40
"""Characters of a number; a longer one is refused."""
_MOST, _LEAST = 2**64 - 1, -(2**63)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:([Tt]| +)([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]+))?(Z|[-+][0-9]{2}:[0-9]{2})?)?\Z"
)


def number_of(text: str) -> int | float | None:
    """Return the number that Compose reads, None for what is none.

    What does not fit into 64 bits is a float, as in Go; infinite is one that is out of range or longer than 40
    characters.
    """
    plain = _BETWEEN_DIGITS.sub("", text) if text.startswith(".") else text.replace("_", "")
    whole, is_fraction = _INTEGER.match(plain), _FLOAT.match(plain)
    if len(text) > LONGEST_NUMBER and (whole or is_fraction):
        return math.inf
    if whole is not None:
        sign, *forms = whole.groups()
        digits, base = next((each, base) for each, base in zip(forms, _BASES, strict=True) if each)
        value = int(sign + digits, base)
        if _LEAST <= value <= _MOST:
            return value
    return float(plain) if is_fraction else None


def time_of(text: str) -> str | None:
    """Return a time as Go writes it, which is what a label or variable gets; None for what is no time.

    A time of another zone is written as on a host that is not in that zone.
    """
    found = _TIME.match(text)
    if found is None:
        return None
    *numbers, fraction, zone = found.groups()
    between = numbers.pop(3)
    if between is not None and (zone is None) == (between in "Tt"):
        return None
    try:
        there = datetime(*(int(each or 0) for each in numbers), tzinfo=_zone(zone))  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    parts = f".{fraction[:9]}".rstrip("0").rstrip(".") if fraction else ""
    offset = f"{there:%z}"
    return f"{there:%Y}".zfill(4) + f"{there:-%m-%d %H:%M:%S}{parts} {offset} {'UTC' if offset == '+0000' else offset}"


def _zone(text: str | None) -> timezone:
    if text in (None, "Z"):
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)
