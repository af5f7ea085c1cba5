"""Read a compose file into a `ComposeModel`: anchors merged, variables resolved, short forms made long.

Values of variables come only from the manifest and from defaults. Only what can not be understood is refused here; what
is dangerous is judged by `platformctl.policy`, so that all findings come at once. `include`, `extends` and `provider`
are not followed, not even inside the same file: policy denies them before Compose sees the file.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from platformctl.errors import InvalidInput
from platformctl.manifests.compose_forms import LONG_FORMS, unfit
from platformctl.manifests.compose_variables import Place, Resolver
from platformctl.manifests.yaml_text import COMPOSE_LIMITS, parse
from platformctl.model.compose import ComposeModel, ComposeService, truth
from platformctl.model.names import RepoPath, ServiceName

_SECTIONS = ("networks", "volumes", "configs", "secrets")
_NAMESPACE_KEYS = ("network_mode", "ipc", "pid")


def read_compose(text: bytes, path: RepoPath, variables: Mapping[str, str]) -> ComposeModel:
    """Return what the compose file at `path` says with `variables`; its services' definitions are in long forms.

    Raises `InvalidInput` with file and line for what does not parse, has an unexpected structure or names a service,
    network, volume, config or secret that the file does not have. Does not check that the files it names exist.
    """
    reading = _Reading(path, text, variables)
    document = reading.resolved()
    definitions = reading.definitions(document)
    return ComposeModel(
        path=path,
        services={name: _service(name, definition, document, reading) for name, definition in definitions.items()},
        document=document,
        lines=reading.lines,
        networks=tuple(document.get("networks") or ()),
        volumes=tuple(document.get("volumes") or ()),
        unset=tuple(reading.resolver.unset),
        deciding=tuple(reading.resolver.deciding),
        left_to_host=tuple(reading.resolver.left_to_host),
    )


class _Reading:
    """One compose file while it is read; it gives refusals their file and line."""

    def __init__(self, path: RepoPath, text: bytes, variables: Mapping[str, str]) -> None:
        self.path = path
        self._document = parse(text, path, limits=COMPOSE_LIMITS, as_compose=True)
        self.resolver = Resolver(variables, self.refusal)

    @property
    def lines(self) -> Mapping[str, int]:
        """The line of each dotted path."""
        return self._document.lines

    def resolved(self) -> dict[str, Any]:
        """Return the whole document with variables resolved.

        Raises `InvalidInput` unless it has services and its sections are mappings.
        """
        document = self.resolver.resolved(self._document.value)
        if not isinstance(document, dict):
            raise self.refusal((), unfit("a mapping with the key services"))
        if not isinstance(document.get("services"), dict) or not document["services"]:
            raise self.refusal(("services",), unfit("services, a mapping with at least one service"))
        for key in _SECTIONS:
            section = document.get(key) or {}
            if not isinstance(section, dict) or not all(isinstance(item, dict | None) for item in section.values()):
                raise self.refusal((key,), unfit("a mapping of names to mappings"))
        return document

    def definitions(self, document: Mapping[str, Any]) -> dict[ServiceName, dict[str, Any]]:
        """Return the definition of every service in long forms, by its checked name.

        Raises `InvalidInput` for a name or form that does not fit, and when a service names something the file lacks.
        """
        definitions = {self._name(name): self._long(name, value) for name, value in document["services"].items()}
        for name, definition in definitions.items():
            for section, wanted in _references(definition):
                self._require(name, section, set(wanted), document.get(section) or ())
        return definitions

    def _name(self, name: str) -> ServiceName:
        try:
            return ServiceName.parse(name)
        except InvalidInput as error:
            raise self.refusal(("services", name), error) from error

    def _long(self, name: str, definition: Any) -> dict[str, Any]:
        if not isinstance(definition, dict):
            raise self.refusal(("services", name), unfit("a mapping for each service"))
        there = {key: value for key, value in definition.items() if value is not None}
        return {key: self._long_form(("services", name, key), value) for key, value in there.items()}

    def _long_form(self, place: Place, value: Any) -> Any:
        form = LONG_FORMS.get(place[-1])
        if form is None:
            return value
        try:
            return form(value)
        except InvalidInput as error:
            raise self.refusal(place, error) from error

    def _require(self, name: str, section: str, wanted: set[str], there: Iterable[str]) -> None:
        missing = sorted(wanted.difference(there))
        if missing:
            near = get_close_matches(missing[0], list(there), n=1)
            hint = f"did you mean {near[0]}?" if near else f"declare {missing[0]} in {section}"
            expected = unfit(f"{', '.join(map(repr, missing))} to be there in {section}")
            raise self.refusal(("services", name), InvalidInput(expected.summary, detail=expected.detail, hint=hint))

    def refusal(self, place: Place, error: InvalidInput) -> InvalidInput:
        """`error` with the file and line of `place`; a variable without a value there is the likely cause.

        What is wrong comes before the place: behind a name like `DB_PASSWORD:` it would be taken for a secret.
        """
        dotted = ".".join(place)
        lacking = [name for name, where in self.resolver.unset if f"{where}.".startswith(f"{dotted}.")]
        return InvalidInput(
            error.summary,
            detail=f"{error.detail} ({dotted or 'the file'})",
            hint=f"give {lacking[0]} a value in spec.env.set, or a default" if lacking else error.hint,
            file=self.path,
            line=self._document.line_of(dotted),
        )


def _service(
    name: ServiceName, definition: Mapping[str, Any], document: Mapping[str, Any], reading: _Reading
) -> ComposeService:
    path = reading.path
    image = definition.get("image")
    env_files = definition.get("env_file", ())
    return ComposeService(
        name=name,
        image=image if isinstance(image, str) and image else None,
        needs=tuple(dict.fromkeys(ServiceName(needed) for needed in _needs(definition))),
        mounted=_in_repository(path, _mounted(definition, document)),
        env_files=_in_repository(path, (item["path"] for item in env_files)),
        has_healthcheck=_has_healthcheck(definition.get("healthcheck")),
        definition=definition,
        variables=tuple(sorted({*reading.resolver.by_service.get(name, ()), *_handed_on(definition)})),
        inlined=dict(_inlined(definition, document)),
        granted=dict(_granted(path, definition, document)),
        may_be_absent=_optional(path, env_files),
    )


def _needs(definition: Mapping[str, Any]) -> Iterator[str]:
    yield from definition.get("depends_on", ())
    for item in (*definition.get("links", ()), *definition.get("volumes_from", ())):
        if not item.startswith("container:"):
            yield item.partition(":")[0]
    for key in _NAMESPACE_KEYS:
        kind, _, name = str(definition.get(key, "")).partition(":")
        if kind == "service":
            yield name


def _references(definition: Mapping[str, Any]) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the names that a service refers to, by the section of the file that must have them."""
    yield "services", _needs(definition)
    yield "networks", (name for name in definition.get("networks", ()) if name != "default")
    volumes = (item for item in definition.get("volumes", ()) if item["type"] == "volume")
    yield "volumes", (item["source"] for item in volumes if item.get("source"))
    for key in ("configs", "secrets"):
        yield key, (item["source"] for item in definition.get(key, ()))


def _mounted(definition: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sources of files that the container sees; Compose does not notice a change of them (compose#11900)."""
    yield from (item["source"] for item in definition.get("volumes", ()) if item["type"] == "bind")
    for key in ("configs", "secrets"):
        for item in definition.get(key, ()):
            source = (document[key][item["source"]] or {}).get("file")
            if isinstance(source, str):
                yield source


def _handed_on(definition: Mapping[str, Any]) -> Iterator[str]:
    """Return the variables that `environment:` names without a value: Compose passes its own value to the container."""
    return (name for name, value in definition.get("environment", {}).items() if value is None)


def _inlined(definition: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in (item["source"] for item in definition.get("configs", ())):
        content = (document["configs"][name] or {}).get("content")
        if content is not None:
            yield f"configs.{name}", str(content)


def _granted(
    path: RepoPath, definition: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[tuple[str, RepoPath]]:
    for key in ("configs", "secrets"):
        for name in (item["source"] for item in definition.get(key, ())):
            source = (document[key][name] or {}).get("file")
            for file in _in_repository(path, [source] if isinstance(source, str) else []):
                yield f"{key}.{name}", file


def _optional(path: RepoPath, env_files: Iterable[Mapping[str, Any]]) -> frozenset[RepoPath]:
    """Those that no entry asks for; what a variable says in the place of `false` is text."""
    entries = [(item["path"], truth(item.get("required")) is False) for item in env_files]
    asked = _in_repository(path, (name for name, optional in entries if not optional))
    return frozenset(_in_repository(path, (name for name, _ in entries))).difference(asked)


def _in_repository(compose_file: RepoPath, sources: Iterable[str]) -> tuple[RepoPath, ...]:
    """Return the repository paths of those `sources` that lie in it; sources are relative to the compose file."""
    found: dict[RepoPath, None] = {}
    for source in sources:
        if source.startswith(("/", "~")):
            continue
        try:
            found[RepoPath.parse(posixpath.normpath(posixpath.join(compose_file.parent, source)))] = None
        except InvalidInput:  # the repository itself or something outside: policy judges it by the definition
            continue
    return tuple(found)


def _has_healthcheck(check: Any) -> bool:
    if not isinstance(check, dict) or truth(check.get("disable", False)) is not False:
        return False
    test = check.get("test")
    return bool(test) and (test[:1] != ["NONE"] if isinstance(test, list) else test != "NONE")
