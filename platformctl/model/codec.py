"""From our frozen dataclasses to JSON data and back, by their type hints.

JSON data here means what `strict_json` writes and reads: dict, list, str, int, bool and None. Checked strings go
through `parse`, enums by value, tuples and sets as lists (sets sorted), mappings as objects. Where a field may be one
of several dataclasses (a plan's `Operation`), the value is tagged with the lower-case name of its class:
`{"place": {"path": …}}`.

Decoding is strict: every field must be there, with its own type. A value that a hint does not allow is refused with the
path of the field (`steps[0].do[1].run.timeout`) and never with the value. A mistake in our own types is a `TypeError`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from platformctl.errors import InvalidInput, Refusal
from platformctl.model.names import Checked

T = TypeVar("T")
Encoder = Callable[[Any], Any]
Decoder = Callable[[Any], Any]


def encode(value: Any) -> Any:
    """Return `value`, a dataclass or a collection of them, as JSON data."""
    return _encode_by_value(value)


def decode(
    cls: type[T], data: Any, what: str, *, ignore_unknown: bool = False, refusal: type[Refusal] = InvalidInput
) -> T:
    """Return `data` as a `cls`; `what` names the document in the refusal raised when it does not fit.

    With `ignore_unknown` fields that `cls` does not have are ignored at every depth: a newer minor version of the
    format may have written them.
    """
    try:
        value: T = _decoder(_hint(cls), ignore_unknown)(data)
    except _Misfit as misfit:
        raise refusal("a document does not fit its schema", detail=f"{what}: {misfit}") from None
    return value


class _Misfit(Exception):
    """What was expected, and where; the path of the field is put together while the exception is passed up."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.place = ""

    def inside(self, step: str) -> "_Misfit":
        self.place = step + self.place
        return self

    def __str__(self) -> str:
        return f"{self.place.removeprefix('.') or 'the whole'}: {self.expected}"


def _fields(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {each.name: hints[each.name] for each in dataclasses.fields(cls)}


def _members(hint: Any) -> tuple[Any, ...]:
    """Return the alternatives of a union, without None."""
    return tuple(each for each in get_args(hint) if each is not NoneType)


def _tag(cls: Any) -> str:
    name: str = cls.__name__
    return name.lower()


def _hint(cls: Any) -> Any:
    """Return a class as a type hint; type checkers do not see that a class is hashable."""
    return cls


# Encoding ---------------------------------------------------------------------------------------------------------


@cache
def _encoder(hint: Any) -> Encoder:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _union_encoder(_members(hint))
    if origin is tuple:
        item = _encoder(get_args(hint)[0])
        return lambda value: [item(each) for each in value]
    if origin is frozenset:
        item = _encoder(get_args(hint)[0])
        return lambda value: sorted(item(each) for each in value)
    if origin is Mapping:
        item = _encoder(get_args(hint)[1])
        return lambda value: {str(key): item(each) for key, each in value.items()}
    if dataclasses.is_dataclass(hint):
        return _dataclass_encoder(hint)
    return _encode_by_value


def _union_encoder(members: tuple[Any, ...]) -> Encoder:
    if len(members) == 1:
        one = _encoder(members[0])
        return lambda value: None if value is None else one(value)
    tagged = {member: (_tag(member), _encoder(member)) for member in members}

    def encode_member(value: Any) -> Any:
        if value is None:
            return None
        tag, encoder = tagged[type(value)]
        return {tag: encoder(value)}

    return encode_member


def _dataclass_encoder(cls: Any) -> Encoder:
    encoders = [(name, _encoder(hint)) for name, hint in _fields(cls).items()]
    return lambda value: {name: encoder(getattr(value, name)) for name, encoder in encoders}


def _encode_by_value(value: Any) -> Any:
    """Encode a plain value, or data whose hint says nothing (`Any`)."""
    if type(value) is str:  # most are, and each question of `isinstance` takes as long as this
        return value
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _encode_by_value(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_encode_by_value(each) for each in value]
    if dataclasses.is_dataclass(value):
        return _encoder(_hint(type(value)))(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


# Decoding ---------------------------------------------------------------------------------------------------------


@cache
def _decoder(hint: Any, ignore_unknown: bool) -> Decoder:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _union_decoder(hint, ignore_unknown)
    if origin in (tuple, frozenset):
        return _sequence_decoder(origin, _decoder(arguments[0], ignore_unknown))
    if origin is Mapping:
        return _mapping_decoder(*(_decoder(argument, ignore_unknown) for argument in arguments))
    if dataclasses.is_dataclass(hint):
        return _dataclass_decoder(hint, ignore_unknown)
    return _leaf_decoder(hint)


def _leaf_decoder(hint: Any) -> Decoder:
    if hint is Any:
        return lambda data: data
    if hint in _LEAVES:
        return _exactly(hint, _LEAVES[hint])
    if isinstance(hint, type) and issubclass(hint, Checked):
        return _checked_decoder(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum_decoder(hint)
    raise TypeError(f"{hint!r} has no JSON form")


_LEAVES: Mapping[Any, str] = {str: "a string", int: "a whole number", bool: "true or false"}


def _exactly(cls: type, meaning: str) -> Decoder:
    """Return a decoder that compares types by identity, because True is an int to `isinstance`."""

    def decode_leaf(data: Any) -> Any:
        if type(data) is not cls:
            raise _Misfit(f"expected {meaning}")
        return data

    return decode_leaf


def _checked_decoder(cls: type[Checked]) -> Decoder:
    def decode_checked(data: Any) -> Any:
        try:
            return cls.parse(data)
        except InvalidInput:
            raise _Misfit(f"expected {cls.meaning}") from None

    return decode_checked


def _enum_decoder(cls: type[Enum]) -> Decoder:
    members = {member.value: member for member in cls}

    def decode_member(data: Any) -> Any:
        if type(data) not in (str, int) or data not in members:
            raise _Misfit(f"expected one of {', '.join(map(str, members))}")
        return members[data]

    return decode_member


def _sequence_decoder(made: Any, item: Decoder) -> Decoder:
    def decode_sequence(data: Any) -> Any:
        if type(data) is not list:
            raise _Misfit("expected a list")
        return made([_at(number, item, each) for number, each in enumerate(data)])

    return decode_sequence


def _mapping_decoder(key: Decoder, item: Decoder) -> Decoder:
    def decode_mapping(data: Any) -> Any:
        if type(data) is not dict:
            raise _Misfit("expected an object")
        return {_key(key, name): _at(number, item, each) for number, (name, each) in enumerate(data.items())}

    return decode_mapping


def _key(key: Decoder, name: str) -> Any:
    try:
        return key(name)
    except _Misfit as misfit:
        raise _Misfit(f"a key is not as it must be: {misfit.expected}") from None


def _at(step: str | int, decoder: Decoder, data: Any) -> Any:
    """Decode what stands at a field or at a number of a list, and add that place to a misfit."""
    try:
        return decoder(data)
    except _Misfit as misfit:
        raise misfit.inside(f"[{step}]" if isinstance(step, int) else f".{step}") from None


def _union_decoder(hint: Any, ignore_unknown: bool) -> Decoder:
    members = _members(hint)
    optional = len(members) < len(get_args(hint))
    one = _decoder(members[0], ignore_unknown) if len(members) == 1 else _tagged_decoder(members, ignore_unknown)
    if not optional:
        return one
    return lambda data: None if data is None else one(data)


def _tagged_decoder(members: tuple[Any, ...], ignore_unknown: bool) -> Decoder:
    if not all(dataclasses.is_dataclass(member) for member in members):
        raise TypeError(f"a union of {members!r} can not be told apart in JSON")
    decoders = {_tag(member): _decoder(member, ignore_unknown) for member in members}

    def decode_tagged(data: Any) -> Any:
        if type(data) is not dict or len(data) != 1 or (tag := next(iter(data))) not in decoders:
            raise _Misfit(f"expected an object with one key of {', '.join(decoders)}")
        return _at(tag, decoders[tag], data[tag])

    return decode_tagged


def _dataclass_decoder(cls: Any, ignore_unknown: bool) -> Decoder:
    decoders = [(name, _decoder(hint, ignore_unknown)) for name, hint in _fields(cls).items()]
    known = {name for name, _ in decoders}

    def decode_dataclass(data: Any) -> Any:
        if type(data) is not dict:
            raise _Misfit("expected an object")
        if not ignore_unknown and not data.keys() <= known:
            raise _Misfit(f"has fields that are not among {', '.join(sorted(known))}")
        return cls(**_decoded_fields(data, decoders))

    return decode_dataclass


def _decoded_fields(data: dict[str, Any], decoders: list[tuple[str, Decoder]]) -> dict[str, Any]:
    decoded = {}
    for name, decoder in decoders:
        if name not in data:
            raise _Misfit("is missing").inside(f".{name}")
        try:
            decoded[name] = decoder(data[name])
        except _Misfit as misfit:
            raise misfit.inside(f".{name}") from None
    return decoded
