"""The one place where YAML is read: bytes in, plain values out, with the line of each value.

Text from a stranger's branch is checked before anything is built from it: size, encoding, characters a reviewer can not
see, and then, event by event, depth, number of nodes, tags, anchors and duplicate keys. libyaml's events need no
recursion, so deep nesting is refused before it does harm. An alias counts as all the values it stands for, so a
document can not grow beyond its limit by expansion. Scalars follow YAML 1.2's core schema (`on` and `22:22` are text),
in a compose file they are what Compose makes of them (`yaml_scalars`).

What the values mean is left to the readers of manifests and compose files.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from platformctl.errors import InvalidInput
from platformctl.manifests.yaml_events import Limits, Reader
from platformctl.manifests.yaml_nodes import Node
from platformctl.model.frozen import dataclass

MANIFEST_LIMITS = Limits(size=1024 * 1024, depth=32, nodes=20_000, aliases=0)
COMPOSE_LIMITS = Limits(size=2 * 1024 * 1024, depth=64, nodes=100_000, aliases=2_000)
_LONGEST_PATH = 500

# Characters that make a file read differently on a review page than in a parser: control characters, the line breaks
# that only parsers see (CR alone, NEL, LS, PS), bidirectional controls, byte order marks and noncharacters.
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
    r"|\r(?!\n)"
)


@dataclass(frozen=True)
class Document:
    """A parsed document. `value` consists of dicts, lists, text, numbers, booleans and None; empty text gives None."""

    value: Any
    root: Node

    @cached_property
    def lines(self) -> Mapping[str, int]:
        """The 1-based line of each dotted path (`spec.env.set.NAME`, `ports.0`); "" is the document itself.

        What an alias or a merge key brings in has the line where it was written. Paths of more than 500 characters are
        left out: a long key above many values would be repeated for each.
        """
        found = {"": self.root.line}
        waiting = [("", self.root)]
        while waiting:
            path, node = waiting.pop()
            for name, child in node.children:
                if len(path) + len(name) > _LONGEST_PATH:
                    continue
                inner = f"{path}.{name}" if path else name
                found.setdefault(inner, child.line)
                waiting.append((inner, child))
        return found

    def line_of(self, path: str) -> int:
        """Return the line of `path`, or of the nearest thing that contains it."""
        while path not in self.lines:
            path = path.rpartition(".")[0]
        return self.lines[path]


def parse(text: bytes, file: str, *, limits: Limits = MANIFEST_LIMITS, as_compose: bool = False) -> Document:
    """Return the one document in `text`; `file` is its name in messages.

    `as_compose` is for what Compose reads: scalars are what it makes of them; anchors and merge keys are allowed.
    Raises `InvalidInput` with file, line and what to write instead; no bytes make it raise anything else.
    """
    root = Reader(_decode(text, file, limits), file, limits, as_compose=as_compose).document()
    return Document(root.plain(), root)


def _decode(text: bytes, file: str, limits: Limits) -> str:
    if len(text) > limits.size:
        raise InvalidInput(
            "the file is too large",
            detail=f"{len(text)} bytes, at most {limits.size} are read",
            hint="split it, or move data that is not configuration to a file of its own",
            file=file,
        )
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "the file is not UTF-8",
            detail=f"byte {error.start + 1} belongs to no UTF-8 character",
            hint="save the file as UTF-8",
            file=file,
            line=text.count(b"\n", 0, error.start) + 1,
        ) from error
    hidden = _HIDDEN.search(decoded)
    if hidden:
        raise InvalidInput(
            "the file holds a character that can not be seen",
            detail=f"U+{ord(hidden[0]):04X} reads differently in a review than in a parser",
            hint='remove it; where a value needs it, write an escape in double quotes ("\\u0000" is never accepted)',
            file=file,
            line=decoded.count("\n", 0, hidden.start()) + 1,
        )
    return decoded
