"""Shapes: definitions of what a value may look like, which check values and write JSON Schema.

Editors use the schema. `platformctl` checks with the shapes themselves: all problems at once, in its own words, in
microseconds, and without ever repeating a value, which may be a secret in the wrong place. tests/manifests compares
both on generated documents with an independent implementation of JSON Schema.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from difflib import get_close_matches
from typing import Any, NamedTuple, Protocol

from platformctl.model.frozen import dataclass
from platformctl.model.names import Checked

_SHOWABLE = re.compile(r"[A-Za-z0-9_.@/-]{1,64}\Z")
_EXTENSION = "x-"


class Problem(NamedTuple):
    """Something that does not fit: its dotted `path`, the rule it breaks, a message, and what to write instead."""

    path: str
    rule: str
    message: str
    hint: str


class Shape(Protocol):
    """What a value may look like."""

    @property
    def meaning(self) -> str:
        """What is expected, worded so that it can follow the word `expected`."""

    def schema(self) -> dict[str, Any]:
        """Return the shape as JSON Schema, draft 2020-12."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """Yield everything about `value` that does not fit; nothing when it fits."""


@dataclass(frozen=True)
class Text:
    """A string that matches a pattern from its start; the pattern ends in `\\Z`."""

    pattern: re.Pattern[str]
    meaning: str
    example: str

    def schema(self) -> dict[str, Any]:
        """Return the schema, with the pattern as `schema_pattern` writes it."""
        return {"type": "string", "pattern": schema_pattern(self.pattern), "examples": [self.example]}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """As `Shape.problems`."""
        if not isinstance(value, str):
            yield _wrong_type(self.meaning, value, path, self._hint_for(value))
        elif not self.pattern.match(value):
            yield Problem(path, "wrong-value", f"expected {self.meaning}", f"for example {self.example}")

    def _hint_for(self, value: Any) -> str:
        return "put it in quotes" if isinstance(value, int | float) else f"for example {self.example}"


def name(kind: type[Checked], example: str) -> Text:
    """Return the shape of the text that `kind` accepts."""
    return Text(kind.pattern, kind.meaning, example)


def schema_pattern(pattern: re.Pattern[str]) -> str:
    """Return a pattern for JSON Schema, where patterns are not anchored by themselves.

    Not every engine knows `\\Z`, and in some `$` alone accepts a trailing newline.
    """
    return "^" + pattern.pattern.replace(r"\Z", r"$(?!\n)")


def _none() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Choice:
    """One of a few words. What further ones there are, `others` is asked where a value is none of these."""

    words: tuple[str, ...]
    others: Callable[[], tuple[str, ...]] = _none

    @property
    def meaning(self) -> str:
        """As `Shape.meaning`."""
        known = (*self.words, *self.others())
        return known[0] if len(known) == 1 else "one of " + ", ".join(known)

    def schema(self) -> dict[str, Any]:
        """As `Shape.schema`."""
        known = [*self.words, *self.others()]
        return {"const": known[0]} if len(known) == 1 else {"enum": known}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """As `Shape.problems`."""
        if not isinstance(value, str):
            yield _wrong_type(self.meaning, value, path, f"write {self.words[0]}")
        elif value not in self.words and value not in self.others():
            near = get_close_matches(value[:64], (*self.words, *self.others()), n=1)
            yield Problem(path, "wrong-value", f"expected {self.meaning}", f"write {(near or self.words)[0]}")


@dataclass(frozen=True)
class Number:
    """A whole number within bounds, both included; `22.0` is not accepted."""

    least: int
    most: int

    @property
    def meaning(self) -> str:
        """As `Shape.meaning`."""
        return f"a whole number from {self.least} to {self.most}"

    def schema(self) -> dict[str, Any]:
        """As `Shape.schema`."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """As `Shape.problems`."""
        if not isinstance(value, int) or isinstance(value, bool):
            yield _wrong_type(self.meaning, value, path, "write the number without quotes and without a point")
        elif not self.least <= value <= self.most:
            yield Problem(path, "wrong-value", f"expected {self.meaning}", "choose a number in that range")


@dataclass(frozen=True)
class Flag:
    """`true` or `false`; `yes` and `on` are text."""

    meaning: str = "true or false"

    def schema(self) -> dict[str, Any]:
        """As `Shape.schema`."""
        return {"type": "boolean"}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """As `Shape.problems`."""
        if not isinstance(value, bool):
            yield _wrong_type(self.meaning, value, path, "write true or false, without quotes")


@dataclass(frozen=True)
class Items:
    """A list of items of one shape, all different."""

    item: Shape
    least: int = 0
    most: int = 1000

    @property
    def meaning(self) -> str:
        """As `Shape.meaning`."""
        return f"a list; each item is {self.item.meaning}"

    def schema(self) -> dict[str, Any]:
        """As `Shape.schema`."""
        return {
            "type": "array",
            "items": self.item.schema(),
            "minItems": self.least,
            "maxItems": self.most,
            "uniqueItems": True,
        }

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """As `Shape.problems`."""
        if not isinstance(value, list):
            yield _wrong_type(self.meaning, value, path, "write [one, two], or one item a line after a dash")
            return
        if not self.least <= len(value) <= self.most:
            message = f"expected {self.least} to {self.most} items"
            yield Problem(path, "wrong-value", message, f"each item is {self.item.meaning}")
            return
        for index, item in enumerate(value):
            yield from self.item.problems(item, f"{path}.{index}")
            if item in value[:index]:
                yield Problem(f"{path}.{index}", "wrong-value", "the item is already in the list", "remove one of them")


@dataclass(frozen=True)
class Named:
    """A mapping whose keys people choose, with values of one shape."""

    key: Text
    value: Shape

    @property
    def meaning(self) -> str:
        """As `Shape.meaning`."""
        return f"a mapping whose keys are {self.key.meaning}"

    def schema(self) -> dict[str, Any]:
        """As `Shape.schema`."""
        pattern = schema_pattern(self.key.pattern)
        return {"type": "object", "patternProperties": {pattern: self.value.schema()}, "additionalProperties": False}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """As `Shape.problems`."""
        if not isinstance(value, dict):
            yield _wrong_type(self.meaning, value, path, f"write {self.key.example}: and its value")
            return
        for key, item in value.items():
            if self.key.pattern.match(key):
                yield from self.value.problems(item, _joined(path, key))
            else:
                hint = f"for example {self.key.example}"
                yield Problem(_joined(path, key), "wrong-value", f"expected a key that is {self.key.meaning}", hint)


@dataclass(frozen=True)
class Fields:
    """A mapping with the keys given here, at least one of `any_of` among them; keys with `x-` are free for authors."""

    required: Mapping[str, Shape]
    optional: Mapping[str, Shape] = field(default_factory=dict)
    any_of: tuple[str, ...] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def meaning(self) -> str:
        """As `Shape.meaning`."""
        return "a mapping with the keys " + ", ".join((*self.required, *self.optional))

    def schema(self) -> dict[str, Any]:
        """As `Shape.schema`."""
        shapes = {**self.required, **self.optional}
        told = {key: {"description": text} for key, text in self.descriptions.items()}
        written: dict[str, Any] = {
            "type": "object",
            "required": list(self.required),
            "properties": {key: {**told.get(key, {}), **shape.schema()} for key, shape in shapes.items()},
            "patternProperties": {f"^{_EXTENSION}": True},
            "additionalProperties": False,
        }
        if self.any_of:
            written["anyOf"] = [{"required": [key]} for key in self.any_of]
        return written

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """As `Shape.problems`."""
        if not isinstance(value, dict):
            yield _wrong_type(self.meaning, value, path, f"write {next(iter((*self.required, *self.optional)))}: …")
            return
        for key, shape in self.required.items():
            if key not in value:
                hint = f"write {key}: with {shape.meaning}"
                yield Problem(path, "missing-key", f"the key {_joined(path, key)} is missing", hint)
        if self.any_of and not any(key in value for key in self.any_of):
            names = " or ".join(self.any_of)
            yield Problem(path, "missing-key", f"one of {names} is missing", f"write {names}, or both")
        for key, item in value.items():
            shape_of_key = self.required.get(key) or self.optional.get(key)
            if shape_of_key is not None:
                yield from shape_of_key.problems(item, _joined(path, key))
            elif not key.startswith(_EXTENSION):
                yield self._unknown(key, path)

    def _unknown(self, key: str, path: str) -> Problem:
        known = (*self.required, *self.optional)
        near = get_close_matches(key[:64], known, n=1)
        hint = (
            f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}; a key of your own begins with x-"
        )
        shown = f"the key {key} is" if _SHOWABLE.match(key) else "a key is"
        return Problem(_joined(path, key), "unknown-key", f"{shown} not known", hint)


@dataclass(frozen=True)
class Variants:
    """A mapping whose other keys depend on the word under `key`. Where that is one of the `others`, it is a `further`
    one; they are asked for as those of a `Choice`.
    """

    key: str
    cases: Mapping[str, Fields]
    further: Fields = Fields({})
    others: Callable[[], tuple[str, ...]] = _none
    meaning: str = "a mapping"

    def schema(self) -> dict[str, Any]:
        """As `Shape.schema`."""
        chosen = {"type": "object", "required": [self.key], "properties": {self.key: self._choice.schema()}}
        branches = [
            {"if": {"properties": {self.key: {"const": word}}, "required": [self.key]}, "then": case.schema()}
            for word, case in (*self.cases.items(), *((word, self.further) for word in self.others()))
        ]
        return {**chosen, "allOf": branches}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """As `Shape.problems`."""
        word = value.get(self.key) if isinstance(value, dict) else None
        if isinstance(word, str) and word in self.cases:
            yield from self.cases[word].problems(value, path)
        elif isinstance(word, str) and word in self.others():
            yield from self.further.problems(value, path)
        elif isinstance(value, dict) and self.key in value:
            yield from self._choice.problems(word, _joined(path, self.key))
        elif isinstance(value, dict):
            hint = f"write {self.key}: with {self._choice.meaning}"
            yield Problem(path, "missing-key", f"the key {_joined(path, self.key)} is missing", hint)
        else:
            yield _wrong_type(self.meaning, value, path, f"write {self.key}: with {self._choice.meaning}")

    @property
    def _choice(self) -> Choice:
        return Choice(tuple(self.cases), self.others)


def _joined(path: str, key: str) -> str:
    shown = key if _SHOWABLE.match(key) else "(a key)"
    return f"{path}.{shown}" if path else shown


def _wrong_type(meaning: str, value: Any, path: str, hint: str) -> Problem:
    return Problem(path, "wrong-type", f"expected {meaning}; found {_kind(value)}", hint)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
    return "a mapping"
