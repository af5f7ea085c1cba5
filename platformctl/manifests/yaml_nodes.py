"""What a YAML document is made of while it is read: values that know their line and how much is in them."""

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
        """Keys, or indexes as text, each with what stands there."""
        match self.content:
            case dict():
                yield from self.content.items()
            case list():
                yield from ((str(index), item) for index, item in enumerate(self.content))

    def plain(self) -> Any:
        """The value in dicts and lists of its own, so that changing one place never changes another."""
        match self.content:
            case dict():
                return {key: node.plain() for key, node in self.content.items()}
            case list():
                return [node.plain() for node in self.content]
        return self.content


def container(line: int, content: "dict[str, Node] | list[Node]") -> Node:
    """A mapping or list with its weight and height."""
    inside = list(content.values() if isinstance(content, dict) else content)
    return Node(
        line, content, 1 + sum(node.weight for node in inside), 1 + max((node.height for node in inside), default=0)
    )
