"""The nodes of a YAML document while it is read: values with their line and size."""

from collections.abc import Iterator
from typing import Any, NamedTuple


class Node(NamedTuple):
    """A value with its 1-based line. `weight` counts the values in it, `height` its levels, aliases expanded."""

    line: int
    content: "dict[str, Node] | list[Node] | str | int | float | bool | None"
    weight: int = 1
    height: int = 0

    @property
    def children(self) -> "Iterator[tuple[str, Node]]":
        """The children with their keys, or indexes as text; none for a scalar."""
        match self.content:
            case dict():
                yield from self.content.items()
            case list():
                yield from ((str(index), item) for index, item in enumerate(self.content))

    def plain(self) -> Any:
        """Return the value as dicts and lists; aliases get copies, so that a change in one place changes no other."""
        match self.content:
            case dict():
                return {key: node.plain() for key, node in self.content.items()}
            case list():
                return [node.plain() for node in self.content]
        return self.content


def container(line: int, content: "dict[str, Node] | list[Node]") -> Node:
    """Return the node of a mapping or list, with its weight and height."""
    inside = list(content.values() if isinstance(content, dict) else content)
    return Node(
        line, content, 1 + sum(node.weight for node in inside), 1 + max((node.height for node in inside), default=0)
    )
