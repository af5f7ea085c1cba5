"""The log: for the people who run the tool, on stderr, never the result of a command.

What is logged passes the sink twice: value by value before a line is formed, while a secret is still in one piece, and
as a whole line, where the name of a value stands beside it. structlog is imported when the log is used, not before.
"""

import json
import math
import re
import sys
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

Level = Literal["quiet", "normal", "verbose"]
Form = Literal["text", "json"]
Fields = MutableMapping[str, Any]
"""The fields of one line, as structlog hands them from processor to processor."""

LEVELS: dict[Level, int] = {"quiet": 30, "normal": 20, "verbose": 10}
"""The least level that is written, in the numbers of the standard library's logging."""

BARE = re.compile(r'[^\s"=\\]+')
"""What needs no quotes in the text form, when it is printable."""


def configure(
    *,
    level: Level,
    form: Form,
    write: Callable[[str], None],
    clean: Callable[[str], str],
    now: Callable[[], datetime],
) -> None:
    """Send every line of at least `level` through `clean`, the one sink, to `write`, line end included.

    `now` returns an aware time. Calling this again replaces what was set before.
    """
    structlog = _structlog()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            _cleaned(clean),
            _stamped(now),
            {"text": _text, "json": _json}[form],
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda: _Lines(clean, write),
        cache_logger_on_first_use=False,
    )


def is_configured() -> bool:
    """Whether `configure` was called."""
    return bool(_structlog().is_configured())


def logger() -> "FilteringBoundLogger":
    """Return the log. Until `configure` was called it writes nothing, as structlog's own default is the bare screen."""
    structlog = _structlog()
    if structlog.is_configured():
        bound: FilteringBoundLogger = structlog.get_logger()
        return bound
    silent: FilteringBoundLogger = structlog.wrap_logger(None, processors=[_dropped])
    return silent


class _Later(ModuleType):
    """A module that is imported when something of it is used."""

    def __getattr__(self, name: str) -> Any:
        from importlib import import_module

        if sys.modules.get(self.__name__) is self:  # asked for by another thread, while structlog is imported
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@cache
def _structlog() -> Any:
    """structlog without asyncio, which it needs for logs that are awaited, and which costs more to import than it."""
    there = "asyncio" in sys.modules
    later = sys.modules.setdefault("asyncio", _Later("asyncio"))
    try:
        import structlog
    finally:
        if not there and sys.modules.get("asyncio") is later:
            del sys.modules["asyncio"]
    return structlog


class _Lines:
    """The end of the chain: structlog calls the method that is named for the level."""

    def __init__(self, clean: Callable[[str], str], write: Callable[[str], None]) -> None:
        self._clean = clean
        self._write = write

    def line(self, text: str) -> None:
        self._write(self._clean(text) + "\n")

    debug = info = warning = error = critical = line


def _dropped(_logger: object, _method: str, _fields: Fields) -> Fields:
    raise _structlog().DropEvent


def _stamped(now: Callable[[], datetime]) -> Callable[[object, str, Fields], Fields]:
    def stamp(_logger: object, _method: str, fields: Fields) -> Fields:
        moment = now().astimezone(UTC).isoformat(timespec="milliseconds")
        return {**fields, "timestamp": moment.replace("+00:00", "Z")}

    return stamp


def _cleaned(clean: Callable[[str], str]) -> Callable[[object, str, Fields], Fields]:
    """The names of fields are ours and few: each is cleaned once, and again with every line it stands in."""
    names: dict[str, str] = {}

    def plain(value: object) -> object:
        if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return clean(str(value))

    def each(_logger: object, _method: str, fields: Fields) -> Fields:
        names.update((name, clean(name)) for name in fields.keys() - names.keys())
        return {names[name]: plain(value) for name, value in fields.items()}

    return each


def _json(_logger: object, _method: str, fields: Fields) -> str:
    return json.dumps(fields, sort_keys=True)


def _text(_logger: object, _method: str, fields: Fields) -> str:
    """Time, level, event, then the other fields by name; always one line."""
    rest = sorted(fields.keys() - {"timestamp", "level", "event"})
    event = str(fields["event"])
    head = [str(fields["timestamp"]), f"{fields['level']:<8}", event if event.isprintable() else json.dumps(event)]
    return " ".join([*head, *(f"{_quoted(name)}={_quoted(fields[name])}" for name in rest)])


def _quoted(value: object) -> str:
    """A word as it is; everything else as JSON, with escapes for what can not be seen."""
    if isinstance(value, str) and value.isprintable():
        return value if BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
