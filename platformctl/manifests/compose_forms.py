"""Turn Compose's short forms into long ones, so that all other code knows one syntax only.

Each function takes the value of one key, already interpolated, and returns its long form. It raises `InvalidInput` with
what was expected, never with the value. Whether a value is allowed is decided by `platformctl.policy`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from platformctl.errors import InvalidInput

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PROPAGATION = frozenset({"shared", "rshared", "slave", "rslave", "private", "rprivate"})


def texts(value: Any) -> list[str]:
    """Return a list of strings, from such a list or one string."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise unfit("a list of strings")
    return items


def pairs(value: Any) -> dict[str, Any]:
    """Return names and scalars, from a mapping or a list of `NAME=value`; a name alone gets the value None."""
    if isinstance(value, list):
        split = [item.partition("=") for item in texts(value)]
        return {name: text if equals else None for name, equals, text in split}
    if not isinstance(value, dict) or any(isinstance(item, dict | list) for item in value.values()):
        raise unfit("a mapping of names to values, or a list of NAME=value")
    return value


def named(value: Any) -> dict[str, Any]:
    """Return a mapping of names to mappings, from such a mapping or a list of names (depends_on, networks)."""
    if isinstance(value, list):
        return {name: {} for name in texts(value)}
    if not isinstance(value, dict) or not all(isinstance(item, dict | None) for item in value.values()):
        raise unfit("a list of names, or a mapping of names to mappings")
    return {name: item or {} for name, item in value.items()}


def env_files(value: Any) -> list[dict[str, Any]]:
    """Return a list of `{path, required, format}`, from a path, a list of paths or the long form."""
    items = [value] if isinstance(value, str) else _items(value)
    return [{"path": item} if isinstance(item, str) else _with_text(item, "path") for item in items]


def grants(value: Any) -> list[dict[str, Any]]:
    """Return a list of `{source, target, …}`, from names or the long form (configs and secrets of a service)."""
    return [{"source": item} if isinstance(item, str) else _with_text(item, "source") for item in _items(value)]


def mounts(value: Any) -> list[dict[str, Any]]:
    """Return a list of `{type, source, target, read_only, …}`, from short and long forms."""
    return [_short_mount(item) if isinstance(item, str) else _long_mount(item) for item in _items(value)]


def _short_mount(spec: str) -> dict[str, Any]:
    """Read `[source:]target[:options]` as compose-go's `format.ParseVolume` does.

    Raises `InvalidInput` for what that function takes for a Windows path (a single letter before a colon, a backslash),
    and for control characters, because it stops reading at a NUL.
    """
    parts = spec.split(":")
    if _CONTROL.search(spec) or "\\" in spec or not all(parts) or len(parts) > 3:
        raise unfit("[source:]target[:options] without a backslash, control characters or empty parts")
    if any(len(part) == 1 and part.isalpha() for part in parts[:-1]):
        raise unfit("a volume's name of two characters or more, because Compose reads a letter and a colon as a drive")
    if len(parts) == 1:
        return {"type": "volume", "target": parts[0]}
    options = parts[2].split(",") if len(parts) == 3 else []
    mount: dict[str, Any] = {"type": _kind(parts[0]), "source": parts[0], "target": parts[1]}
    access = [option for option in options if option in ("ro", "rw")]
    if access[-1:] == ["ro"]:  # in Compose, the last of several options wins
        mount["read_only"] = True
    propagation = [option for option in options if option in _PROPAGATION]
    return mount | {"bind": {"propagation": propagation[-1]}} if propagation else mount


def _kind(source: str) -> str:
    return "bind" if source.startswith((".", "/", "~")) else "volume"


def _long_mount(item: Any) -> dict[str, Any]:
    mount = _with_text(item, "type")
    source = mount.get("source")
    if source is not None and (not isinstance(source, str) or _CONTROL.search(source)):
        raise unfit("a source that is a string without control characters")
    if mount["type"] == "bind" and not source:
        raise unfit("a source for a bind mount")
    return mount


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(item, str | dict) for item in value):
        raise unfit("a list of strings or mappings")
    return value


def _with_text(item: Any, key: str) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get(key), str):
        raise unfit(f"a mapping with the key {key}, a string")
    return item


def unfit(expected: str) -> InvalidInput:
    """Return the refusal of a value that is not what Compose expects at its place."""
    return InvalidInput("the compose file does not fit", detail=f"expected {expected}")


LONG_FORMS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "annotations": pairs,
    "cap_add": texts,
    "configs": grants,
    "depends_on": named,
    "env_file": env_files,
    "environment": pairs,
    "labels": pairs,
    "links": texts,
    "networks": named,
    "profiles": texts,
    "secrets": grants,
    "security_opt": texts,
    "sysctls": pairs,
    "volumes": mounts,
    "volumes_from": texts,
}
