"""What a plan shows of a service: its definition field by field, short, comparable, and without possible secrets.

Environment variables are shown by name only. All other texts go through `hide`, which removes what it recognises as a
secret. It knows no secret by value: a process that does not have the same values would make another plan.
"""

import posixpath
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from platformctl.model.compose import ComposeModel, ComposeService, as_text
from platformctl.model.desired import Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, ServiceName
from platformctl.model.observed import Earlier, FileSeen
from platformctl.planning.hiding import Hide, hidden, settings_hidden

Fields = Mapping[str, Any]

_OTHER = "(another value)"
_WORDS = ("command", "entrypoint", "test")
"""Fields that are a command: its words are read together, as a secret is told by the word before it."""
_IMAGES_OWN = ("command", "entrypoint")
"""Fields that an image has a value for: to say nothing is not to say that there is none."""
_LIMIT = 64 << 10
"""The most bytes of a file whose text is shown."""


def definitions(release: Release, earlier: Earlier | None, service: ServiceName, hide: Hide) -> tuple[Fields, Fields]:
    """Return the fields of a service before and after; both empty where the earlier release is not known."""
    then = earlier.compose.services.get(service) if earlier else None
    now = release.compose.services[service]
    if earlier is None or then is None:
        return {}, {}
    before, after = described(then, hide), described(now, hide)
    after = _marked(before, after, described(then, _as_it_is), described(now, _as_it_is))
    changed = _another(then.definition.get("environment"), now.definition.get("environment"))
    if changed:
        after = {**after, "environment": [f"{n} {_OTHER}" if n in changed else n for n in after["environment"]]}
    files_before, files_after = _files(release, earlier, service, hide)
    if files_before or files_after:
        before, after = {**before, "files": files_before}, {**after, "files": files_after}
    return before, after


def _as_it_is(text: str) -> str:
    return text


def _marked(shown: Any, shown_now: Any, value: Any, now: Any) -> Any:
    """Return what is shown of `now`, with a mark where it is another value than before and nothing shown tells it."""
    if value == now or not isinstance(shown_now, Mapping | list | str):
        return shown_now
    if isinstance(shown_now, Mapping) and isinstance(shown, Mapping):
        return {key: _marked(shown.get(key), each, value.get(key), now.get(key)) for key, each in shown_now.items()}
    if isinstance(shown_now, list) and isinstance(shown, list) and len(shown) == len(shown_now):
        return [_marked(*each) for each in zip(shown, shown_now, value, now, strict=True)]
    return f"{shown_now} {_OTHER}" if shown == shown_now else shown_now


def described(service: ComposeService, hide: Hide) -> Fields:
    """Return a service's definition as it is shown, without its image, which a change shows by itself."""
    shown = {name: _field(name, value, hide) for name, value in service.definition.items() if name != "image"}
    return {name: value for name, value in shown.items() if name in _IMAGES_OWN or value not in (None, "", [], {})}


def _field(name: str, value: Any, hide: Hide) -> Any:
    if name == "environment":
        return sorted(map(str, value))
    if name in _WORDS and isinstance(value, list):
        return hidden(name, shlex.join(map(str, value)), hide)
    if isinstance(value, Mapping):
        return {str(key): _inner(str(key), item, hide) for key, item in value.items()}
    if isinstance(value, list):
        return [_item(name, item, hide) for item in value]
    return value if isinstance(value, bool) or value is None else hidden(name, as_text(value), hide)


def _inner(name: str, value: Any, hide: Hide) -> Any:
    """Return what is shown of a value in a mapping: `default` if it is empty, as for a network with no options."""
    if value in ({}, []):
        return "default"
    return "" if value is None else _field(name, value, hide)


def _item(name: str, item: Any, hide: Hide) -> Any:
    """Return an item of a list as text.

    A mount, config or secret is shown in Compose's short form, followed by `key=value` for what that can not say.
    """
    if not isinstance(item, Mapping):
        return hidden(name, as_text(item), hide)
    rest = {key: value for key, value in item.items() if key not in ("type", "source", "target", "read_only", "path")}
    places = [str(item[key]) for key in ("path", "source", "target") if item.get(key)]
    access = ["ro"] if item.get("read_only") else []
    details = (f"{key}={_field(str(key), value, hide)}" for key, value in sorted(rest.items()))
    return hidden(name, " ".join([":".join([*places, *access]), *details]), hide)


def _another(before: Any, after: Any) -> frozenset[str]:
    """Return the variables that both have and whose values differ as a container gets them."""
    old, new = before or {}, after or {}
    return frozenset(str(name) for name, value in new.items() if name in old and _given(old[name]) != _given(value))


def _given(value: Any) -> Any:
    """Return the text that a container gets for a value; None for a variable that is named without one."""
    return None if value is None else as_text(value)


@dataclass(frozen=True)
class _Version:
    """A file of one release; `content` is None where it is not known."""

    digest: Digest | None
    mode: int | None
    content: bytes | None

    def __str__(self) -> str:
        return f"{self.digest} {self.mode or 0:04o}"


def _files(release: Release, earlier: Earlier, service: ServiceName, hide: Hide) -> tuple[Fields, Fields]:
    """Return the mounted files and inlined configs of a service that differ, before and after, as text or digest."""
    now: dict[str, _Version] = {f.path: _Version(f.digest, f.mode, f.content) for f in release.files}
    then: dict[str, _Version] = {f.path: _Version(f.digest, f.mode, _kept(earlier, f)) for f in earlier.files}
    used = {*_used(now, release.compose, service), *_used(then, earlier.compose, service)}
    for versions, compose in ((now, release.compose), (then, earlier.compose)):
        inlined = compose.services[service].inlined
        versions.update(
            {name: _Version(Digest.of(text.encode()), None, text.encode()) for name, text in inlined.items()}
        )
        used.update(inlined)
    secret = {*_secret_files(release.compose), *_secret_files(earlier.compose)}
    told = {
        path: _told(then.get(path), now.get(path), None if path in secret else hide)
        for path in sorted(used)
        if str(then.get(path)) != str(now.get(path))
    }
    before = {str(path): text for path, (text, _) in told.items() if text is not None}
    return before, {str(path): text for path, (_, text) in told.items() if text is not None}


def _kept(earlier: Earlier, file: FileSeen) -> bytes | None:
    return earlier.contents.get(file.digest) if file.digest else None


def _used(files: Iterable[str], compose: ComposeModel, service: ServiceName) -> Iterator[str]:
    mounted = compose.services[service].mounted
    return (path for path in files if any(path == name or path.startswith(name + "/") for name in mounted))


def _secret_files(compose: ComposeModel) -> Iterator[str]:
    """Yield the mounted files that the compose file declares as secrets."""
    named = (str((each or {}).get("file", "")) for each in (compose.document.get("secrets") or {}).values())
    places = {posixpath.normpath(posixpath.join(compose.path.parent, name)) for name in named}
    return (path for service in compose.services.values() for path in service.mounted if path in places)


def _told(before: _Version | None, after: _Version | None, hide: Hide | None) -> tuple[str | None, str | None]:
    """Return both texts if they can be shown and still differ then, else both digests; None for a missing file."""
    old, new = (None if version is None else _text(version, hide) for version in (before, after))
    if old != new and (before is None or old is not None) and (after is None or new is not None):
        return old, new
    return str(before) if before else None, str(after) if after else None


def _text(version: _Version, hide: Hide | None) -> str | None:
    """Return the text of a file as it may be shown; None where it is unknown, secret, not text, or too long."""
    content = version.content
    if content is None or hide is None or len(content) > _LIMIT or b"\0" in content:
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return hide("".join(settings_hidden(text, hide)))
