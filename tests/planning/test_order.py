"""Modules come after those they depend on, in the same order each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platformctl.errors import InvalidInput
from platformctl.model.names import ModuleId
from platformctl.planning.order import in_order

NAMES = [ModuleId(name) for name in "abcdefgh"]


def needs(**needed: str) -> dict[ModuleId, list[ModuleId]]:
    return {ModuleId(name): [ModuleId(each) for each in those] for name, those in needed.items()}


@given(st.lists(st.lists(st.sampled_from(NAMES), max_size=3), min_size=len(NAMES), max_size=len(NAMES)), st.randoms())
def test_each_comes_after_what_it_needs_however_they_are_given(found: list[list[ModuleId]], chance: object) -> None:
    """Each may need only those before it, so that there is no cycle."""
    graph = {name: [each for each in those if each < name] for name, those in zip(NAMES, found, strict=True)}
    pairs = list(graph.items())
    chance.shuffle(pairs)  # type: ignore[attr-defined]
    ordered = in_order(dict(pairs))

    assert ordered == in_order(graph)
    assert all(ordered.index(each) < ordered.index(name) for name, those in graph.items() for each in those)


def test_where_nothing_is_needed_the_name_decides() -> None:
    assert in_order(needs(c="", a="", b="c")) == ("a", "c", "b")


def test_what_is_needed_and_not_planned_does_not_count() -> None:
    assert in_order(needs(a="z")) == ("a",)


def test_modules_that_wait_for_each_other_are_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        in_order(needs(a="b", b="c", c="a", d=""))
    assert sorted(caught.value.detail.split(" → ")[:-1]) == ["a", "b", "c"]
