"""Reports made from their types, with one text in all of their strings: what a renderer must be able to take."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from platformctl.model import reports
from platformctl.model.reports import Report


def classes(kind: type[Report] = Report) -> Iterator[type[Report]]:
    for each in kind.__subclasses__():
        yield each
        yield from classes(each)


REPORTS = {each.kind: each for each in classes() if each.__module__ == reports.__name__}


class Row(dict[str, Any]):
    """A row that has whatever field it is asked for."""

    def __init__(self, text: str) -> None:
        super().__init__({"name": text, text: text})
        self.text = text

    def __missing__(self, key: str) -> str:
        return self.text


def made(hint: Any, text: str, flag: bool = True) -> Any:
    """A value of a type, with `text` in all of its strings and `flag` for its truths."""
    origin, arguments = get_origin(hint), get_args(hint)
    again = partial(made, text=text, flag=flag)
    if origin in (Union, UnionType):
        return again(next(each for each in arguments if each is not NoneType))
    if origin in (tuple, frozenset):
        return origin([again(arguments[0])])
    if origin is Mapping:
        return Row(text)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    if is_dataclass(hint):
        return dataclass_of(hint, text, flag)
    return (
        {str: text, int: 7, bool: flag, bytes: None, Any: text}.get(hint)
        if hint in (int, bool, bytes, Any)
        else hint(text)
    )


def dataclass_of(kind: Any, text: str, flag: bool) -> Any:
    hints = get_type_hints(kind)
    return kind(**{each.name: made(hints[each.name], text, flag) for each in fields(kind) if each.init})


def report(kind: str, text: str = "words", flag: bool = True) -> Any:
    return dataclass_of(REPORTS[kind], text, flag)
