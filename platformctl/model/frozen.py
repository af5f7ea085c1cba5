"""`dataclass(frozen=True)` as the standard library has it, in a twentieth of the time it takes to make a class.

The standard library compiles six methods for each class, which for the two hundred classes of an apply is a fifth of
its whole time. Here only `__init__` is compiled, with the first instance, which most of the classes never have; the
code that makes them frozen, compares and shows them is the same for all. `fields`, `replace` and `is_dataclass` treat
these classes as their own.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

_Class = TypeVar("_Class")


class _Methods:
    """What all of these classes share. Each field is set once, by `__init__`."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__ or all(name != each.name for each in _fields(self)):
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __repr__(self) -> str:
        shown = (f"{each.name}={getattr(self, each.name)!r}" for each in _fields(self) if each.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return _compared(self) == _compared(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self) -> int:
        return hash(_compared(self))


def _fields(instance: object) -> tuple["dataclasses.Field[Any]", ...]:
    """Those of each instance: what is said of the class, as `ClassVar`, is none of them."""
    return dataclasses.fields(instance)  # type: ignore[arg-type]


def _compared(instance: object) -> tuple[object, ...]:
    return tuple(getattr(instance, each.name) for each in _fields(instance) if each.compare)


def _init_at_first(cls: type) -> Callable[..., None]:
    """Return an `__init__` that, with the first instance, puts the compiled one in its place."""

    def __init__(self: object, *values: object, **named: object) -> None:  # noqa: N807 - it is one
        init = _init_of(cls)
        cls.__init__ = init  # type: ignore[misc]
        init(self, *values, **named)

    return __init__


def _init_of(cls: type) -> Callable[..., None]:
    """Return an `__init__` with the arguments that the standard library gives it; it avoids `__setattr__`."""
    fields = dataclasses.fields(cls)
    arguments = [_argument(each) for each in fields if each.init and not each.kw_only]
    named = [_argument(each) for each in fields if each.init and each.kw_only]
    head = ", ".join(["self", *arguments, *(["*", *named] if named else ())])
    lines = ["_fields = self.__dict__", *(f"_fields[{each.name!r}] = {_value(each)}" for each in fields)]
    lines += ["self.__post_init__()"] if hasattr(cls, "__post_init__") else []
    known: dict[str, Any] = {f"default_{each.name}": each.default for each in fields}
    known.update({f"make_{each.name}": each.default_factory for each in fields}, MISSING=dataclasses.MISSING)
    exec(f"def __init__({head}):\n " + "\n ".join(lines), known)  # noqa: S102 - of names of fields alone
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _argument(field: "dataclasses.Field[Any]") -> str:
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.name}=MISSING"
    return field.name if field.default is dataclasses.MISSING else f"{field.name}=default_{field.name}"


def _value(field: "dataclasses.Field[Any]") -> str:
    """Return the expression that a field is set to in `__init__`.

    Raises `TypeError` for a field that is no argument and has no default.
    """
    if field.default_factory is not dataclasses.MISSING:
        made = f"make_{field.name}()"
        return f"{made} if {field.name} is MISSING else {field.name}" if field.init else made
    if not field.init and field.default is dataclasses.MISSING:
        raise TypeError(f"nothing says what {field.name} is to be")
    return field.name if field.init else f"default_{field.name}"


def _dataclass(*, frozen: bool, kw_only: bool = False) -> Callable[[type[_Class]], type[_Class]]:
    """Return the decorator. Raises `TypeError` for a class that is not frozen: the standard library makes those."""
    if not frozen:
        raise TypeError("only what is frozen is made here")

    def made(cls: type[_Class]) -> type[_Class]:
        dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
        cls.__init__ = _init_at_first(cls)  # type: ignore[method-assign]
        for name in ("__setattr__", "__delattr__", "__repr__", "__eq__", "__hash__"):
            own = cls.__dict__.get(name)  # Python itself puts None there for a class that has only __eq__
            if own is None:
                setattr(cls, name, _Methods.__dict__[name])
        return cls

    return made


if TYPE_CHECKING:  # for type checkers it is the standard library's
    from dataclasses import dataclass as dataclass
else:
    dataclass = _dataclass
