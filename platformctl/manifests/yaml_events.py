"""Build nodes from libyaml's events; each event is checked before anything is built from it.

Depth, number of values, tags, anchors, merge keys and duplicate keys are checked here; `yaml_text` has checked the text
itself. An alias counts as many values and levels as what it stands for.
"""

import math
import re
from typing import Any, NoReturn

import yaml

from platformctl.errors import InvalidInput, ToolError
from platformctl.manifests.yaml_nodes import Node, container
from platformctl.manifests.yaml_scalars import LONGEST_NUMBER, number_of, time_of
from platformctl.model.frozen import dataclass

_MERGE = "<<"
_LOOKS_TYPED = frozenset("~nNtTfF+-.0123456789")
_SHOWABLE = re.compile(r"[\x21-\x7e]{1,80}\Z")


@dataclass(frozen=True)
class Limits:
    """How much a document may hold: bytes, levels of nesting, values with aliases expanded, and aliases."""

    size: int
    depth: int
    nodes: int
    aliases: int


def _core_loader() -> Any:
    """Return yamlcore's loader on libyaml; raises `ToolError` where PyYAML was built without libyaml.

    PyYAML's own scanner is no substitute: it takes a minute for two megabytes.
    """
    try:
        from yamlcore import CCoreLoader  # type: ignore[import-untyped]
    except AttributeError as error:
        raise ToolError(
            "PyYAML was built without libyaml",
            detail="YAML can not be read safely without it",
            hint="install PyYAML from its wheel, or libyaml-dev before building it",
        ) from error
    return CCoreLoader


class Reader:
    """Builds nodes from events within the limits; every method may raise `InvalidInput`."""

    def __init__(self, text: str, file: str, limits: Limits, *, as_compose: bool) -> None:
        self._text = text
        self._file = file
        self._limits = limits
        self._as_compose = as_compose
        self._loader = _core_loader()(text)
        self._anchored: dict[str, Node | None] = {}
        self._nodes = 0
        self._aliases = 0

    def document(self) -> Node:
        """Return the stream's only document; an empty stream gives a node with None."""
        self._next()
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent):
            return Node(1, None)
        self._check_directives(start)
        first = self._next()
        root = self._node(first, 0, first.start_mark.line + 1)
        self._next()
        after = self._next()
        if isinstance(after, yaml.DocumentStartEvent):
            self._refuse(
                after,
                "the file holds more than one document",
                "a second document begins here",
                "remove everything from this --- on",
            )
        return root

    def _next(self) -> Any:
        try:
            return self._loader.get_event()
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(error) from error

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> InvalidInput:
        mark: Any = error.problem_mark or error.context_mark
        lines = self._text.split("\n")
        line = min(mark.line, len(lines) - 1) if mark else 0
        indentation = re.match(r"\s*", lines[line])
        if indentation and "\t" in indentation[0]:
            summary, detail, hint = "a tab is used for indentation", "YAML indents with spaces alone", "use spaces"
        else:
            summary, detail = "the file is not valid YAML", str(error.problem or error.context)
            hint = "check the indentation, and put values that hold ': ', '#' or a leading symbol in quotes"
        return InvalidInput(summary, detail=detail, hint=hint, file=self._file, line=line + 1)

    def _refuse(self, event: Any, summary: str, detail: str, hint: str) -> NoReturn:
        raise InvalidInput(summary, detail=detail, hint=hint, file=self._file, line=event.start_mark.line + 1)

    def _check_directives(self, start: Any) -> None:
        if start.version or start.tags:
            self._refuse(
                start, "YAML directives are not allowed", "the document begins with a % line", "remove the line"
            )

    def _node(self, event: Any, depth: int, line: int) -> Node:
        """Return the value that begins with `event`, as a node on `line`, which is that of its key if it has one."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)._replace(line=line)
        self._check_properties(event)
        self._spend(event, 1, depth)
        if event.anchor:
            self._anchored[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = Node(line, self._scalar(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(depth, line)
        else:
            node = self._mapping(depth, line)
        if event.anchor:
            self._anchored[event.anchor] = node
        return node

    def _check_properties(self, event: Any) -> None:
        if event.tag in ("!reset", "!override"):
            self._refuse(
                event,
                f"{event.tag} is not supported",
                "it changes another compose file, and platformctl reads one file alone",
                "write the value that shall hold",
            )
        if event.tag is not None:
            self._refuse(
                event,
                "YAML tags are not allowed",
                "the value is marked with a ! tag",
                "remove the tag; put a value that shall be text in quotes",
            )
        if event.anchor and not self._as_compose:
            self._refuse_anchors(event)

    def _refuse_anchors(self, event: Any) -> NoReturn:
        self._refuse(
            event,
            "anchors and aliases are not allowed here",
            "a value is named with & or repeated with *",
            "write the value out where it is needed",
        )

    def _spend(self, event: Any, nodes: int, depth: int) -> None:
        self._nodes += nodes
        if self._nodes > self._limits.nodes:
            self._refuse(
                event,
                "the file holds too many values",
                f"more than {self._limits.nodes}, aliases and merge keys expanded",
                "split the file",
            )
        if depth > self._limits.depth:
            self._refuse(
                event,
                "the file is nested too deeply",
                f"more than {self._limits.depth} levels",
                "close the brackets, or flatten the structure",
            )

    def _alias(self, event: Any, depth: int) -> Node:
        if not self._as_compose:
            self._refuse_anchors(event)
        target = self._anchored.get(event.anchor)
        if target is None:
            self._refuse(
                event,
                "an alias stands for nothing",
                "its anchor is unknown here, or the alias lies inside of what it repeats",
                "define the anchor (&) before the alias (*) that uses it",
            )
        self._aliases += 1
        if self._aliases > self._limits.aliases:
            self._refuse(
                event, "the file holds too many aliases", f"more than {self._limits.aliases}", "write the values out"
            )
        self._spend(event, target.weight, depth + target.height)
        return target

    def _scalar(self, event: Any) -> str | int | float | bool | None:
        value: str = event.value
        if "\0" in value:
            self._refuse(event, "a value holds a NUL character", "no program can be given one", "remove it")
        if not event.implicit[0] or (value and value[0] not in _LOOKS_TYPED):
            return value
        if self._as_compose and (number := number_of(value)) is not None:
            return self._finite(event, number)
        if self._as_compose and (time := time_of(value)) is not None:
            return time
        tag = self._loader.resolve(yaml.ScalarNode, value, (True, False))
        if self._as_compose and tag.endswith(":int"):  # it does not fit into 64 bits
            return value
        if tag.endswith((":int", ":float")) and len(value) > LONGEST_NUMBER:
            self._refuse_number(event)
        return self._finite(event, self._loader.construct_object(yaml.ScalarNode(tag, value)))

    def _finite(self, event: Any, value: str | int | float | bool | None) -> str | int | float | bool | None:
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse_number(event)
        return value

    def _refuse_number(self, event: Any) -> NoReturn:
        self._refuse(event, "a number is out of range", "it is infinite or too long", "put it in quotes if it is text")

    def _sequence(self, depth: int, line: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1, event.start_mark.line + 1))
        return container(line, items)

    def _mapping(self, depth: int, line: int) -> Node:
        entries: dict[str, Node] = {}
        merged: Node | None = None
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event)
            is_merge = key == _MERGE and event.implicit[0]
            earlier = merged if is_merge else entries.get(key)
            if earlier is not None:
                self._refuse_twice(event, key, earlier.line)
            value = self._node(self._next(), depth + 1, event.start_mark.line + 1)
            if is_merge:
                merged = self._mergeable(event, value)
            else:
                entries[key] = value
        self._merge(entries, merged)
        return container(line, entries)

    def _key(self, event: Any) -> str:
        if isinstance(event, yaml.ScalarEvent):
            self._check_properties(event)
        key = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else None
        if not isinstance(key, str) or key != event.value:  # a time is no text either
            self._refuse(event, "a key is not text", "keys must be text", "put the key in quotes")
        self._spend(event, 1, 0)
        return key

    def _refuse_twice(self, event: Any, key: str, earlier: int) -> NoReturn:
        shown = f"the key {key}" if _SHOWABLE.match(key) else "the key"
        self._refuse(event, "a key is written twice", f"{shown} is already on line {earlier}", "keep one of the two")

    def _mergeable(self, event: Any, value: Node) -> Node:
        if not self._as_compose:
            self._refuse(event, "merge keys are not allowed here", "the key << was found", "write the values out")
        sources = value.content if isinstance(value.content, list) else [value]
        if not all(isinstance(source.content, dict) for source in sources):
            self._refuse(
                event,
                "a merge key needs mappings",
                "<< stands before something else",
                "write <<: *name, or <<: [*one, *two]",
            )
        return value

    def _merge(self, entries: dict[str, Node], merged: Node | None) -> None:
        """Add the keys of `<<` to `entries`: written keys win over merged ones, earlier sources over later ones."""
        if merged is None:
            return
        for source in merged.content if isinstance(merged.content, list) else [merged]:
            for key, node in source.children:
                entries.setdefault(key, node)
