"""Our frozen dataclasses are as the standard library's are, in all that anybody here relies on."""

import copy
import dataclasses
from typing import Any, ClassVar

import pytest

from platformctl.model.frozen import dataclass


class Point:
    """Two fields, one that is not shown and one that does not count."""

    x: int
    y: int = 2
    hidden: str = dataclasses.field(default="h", repr=False)
    ignored: list[int] = dataclasses.field(default_factory=list, compare=False)


def made(decorator: Any) -> Any:
    body = {name: each for name, each in vars(Point).items() if name not in ("__dict__", "__weakref__")}
    return decorator(type("Point", (), dict(body)))


OURS, THEIRS = made(dataclass(frozen=True)), made(dataclasses.dataclass(frozen=True))


def test_they_show_compare_and_replace_as_the_standard_ones() -> None:
    for cls in (OURS, THEIRS):
        one = cls(1)
        assert repr(one) == "Point(x=1, y=2, ignored=[])"
        assert one == cls(1, ignored=[3])
        assert one != cls(1, hidden="other")
        assert one != 1
        assert hash(one) == hash(cls(1, ignored=[3])) == hash((1, 2, "h"))
        assert dataclasses.replace(one, y=5) == cls(1, 5)
        assert copy.deepcopy(one) == one
        assert [each.name for each in dataclasses.fields(one)] == ["x", "y", "hidden", "ignored"]


def test_another_class_with_the_same_fields_is_not_equal() -> None:
    assert OURS(1) != THEIRS(1)
    assert OURS(1) != made(dataclass(frozen=True))(1)


@pytest.mark.parametrize("name", ["x", "ignored", "new"])
def test_nothing_is_set_or_deleted_afterwards(name: str) -> None:
    one = OURS(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(one, name, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(one, name)
    assert one == OURS(1)


def test_what_is_said_of_the_class_is_not_set_on_one_and_not_shown() -> None:
    @dataclass(frozen=True)
    class Named:
        kind: ClassVar[str] = "Plan"
        x: int = 1

    one = Named()
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.kind = "Apply"  # type: ignore[misc]
    assert (Named.kind, one.kind) == ("Plan", "Plan")
    assert repr(one).endswith("Named(x=1)")


def test_methods_of_their_own_stay() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Own:
        """Shows nothing and is equal to all."""

        x: int

        def __repr__(self) -> str:
            return "nothing"

        def __eq__(self, other: object) -> bool:
            return True

    assert (repr(Own(x=1)), Own(x=1) == 2, hash(Own(x=1))) == ("nothing", True, hash((1,)))
    with pytest.raises(TypeError):
        Own(1)  # type: ignore[call-arg]


def test_what_is_not_frozen_is_refused() -> None:
    with pytest.raises(TypeError, match="frozen"):
        dataclass(frozen=False)


class Counted:
    """Counts what was made, and has fields that stand nowhere in a call."""

    count: int = 0
    seen: list[int] = dataclasses.field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.seen.append(self.count)


@pytest.mark.parametrize("decorator", [dataclass(frozen=True, kw_only=True), dataclasses.dataclass(frozen=True)])
def test_what_follows_on_making_one_follows_on_the_first_and_on_each(decorator: Any) -> None:
    cls = decorator(
        type("Counted", (), {k: v for k, v in vars(Counted).items() if k not in ("__dict__", "__weakref__")})
    )
    one, two = cls(count=1), cls(count=2)

    assert (one.seen, two.seen, cls().seen) == ([1], [2], [0])
    with pytest.raises(TypeError, match=r"Counted\.__init__\(\) got an unexpected keyword argument 'seen'"):
        cls(seen=[])


def test_the_first_is_refused_as_each_other_one_is() -> None:
    for cls in (made(dataclass(frozen=True)), made(dataclasses.dataclass(frozen=True))):
        for _ in range(2):
            with pytest.raises(TypeError, match=r"Point\.__init__\(\) missing 1 required positional argument: 'x'"):
                cls()
        assert cls(1).x == 1


def test_a_class_on_top_of_another_has_the_fields_of_both() -> None:
    base = made(dataclass(frozen=True))
    top: Any = dataclass(frozen=True)(type("Top", (base,), {"__annotations__": {"z": int}, "z": 7, "__doc__": "More."}))

    assert (top(1).z, top(1, z=8).z, base(3).x, top(4).x) == (7, 8, 3, 4)


def test_a_field_that_nothing_would_set_is_refused() -> None:
    body = {"__annotations__": {"x": int}, "x": dataclasses.field(init=False), "__doc__": "Lacks one."}
    lacking: Any = dataclass(frozen=True)(type("Lacking", (), body))
    with pytest.raises(TypeError, match="nothing says what x is to be"):
        lacking()
