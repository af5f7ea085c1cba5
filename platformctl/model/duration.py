"""`30s`, `5m`, `24h` or `7d`: how people write a length of time, in files and on the command line."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(duration: str) -> int:
    """The seconds of a checked duration: digits and one of s, m, h and d."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]
