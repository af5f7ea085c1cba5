"""Strings that were checked: after `ModuleId.parse(text)` nobody has to check that text again.

Each is a `str`, so it serialises as itself. `parse` raises `InvalidInput` with the rule, never with the value of
another field. The patterns end in `\\Z`, because `$` accepts a trailing newline.
"""

import hashlib
import re
from typing import ClassVar, Self

from platformctl.errors import InvalidInput

_NOT_UTF8 = re.compile("[\ud800-\udfff]")
_SAFE = re.compile(r"[\x21-\x7e]{1,120}\Z")


class Checked(str):
    """A string that fits its pattern; made by `parse` only."""

    __slots__ = ()
    pattern: ClassVar[re.Pattern[str]]
    meaning: ClassVar[str]

    @classmethod
    def parse(cls, text: object) -> Self:
        """Return `text` as this type; raises `InvalidInput` when it does not fit."""
        if isinstance(text, str) and cls.pattern.match(text):
            return cls(text)
        shown = f": {text!r}" if isinstance(text, str) and _SAFE.match(text) else ""
        raise InvalidInput(f"not {cls.meaning}", detail=f"expected {cls.meaning}{shown}")


class ModuleId(Checked):
    """The name of a module, which is also the name of its folder."""

    __slots__ = ()
    pattern = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
    meaning = "a module id (a-z, 0-9 and -, at most 63, beginning with a letter or digit)"


class HostName(Checked):
    """The name of a host on the allow-list, never an address."""

    __slots__ = ()
    pattern = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
    meaning = "a host name of .platform/hosts.yaml (a-z, 0-9 and -, at most 63)"


class ServiceName(Checked):
    """A Compose service; it may not begin with a dash, so that it is never read as an option."""

    __slots__ = ()
    pattern = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,62}\Z")
    meaning = "a Compose service name (letters, digits, . _ -, at most 63, no leading dash)"


class ProjectName(Checked):
    """A Compose project, by Compose's own rule for names."""

    __slots__ = ()
    pattern = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
    meaning = "a Compose project name (a-z, 0-9, _ and -, at most 63)"


class GitSha(Checked):
    """A full commit id; short ones are refused everywhere."""

    __slots__ = ()
    pattern = re.compile(r"[0-9a-f]{40}\Z")
    meaning = "a full commit id (40 hexadecimal digits)"


class Digest(Checked):
    """`sha256:` and 64 hexadecimal digits, of bytes or of an image."""

    __slots__ = ()
    pattern = re.compile(r"sha256:[0-9a-f]{64}\Z")
    meaning = "a digest (sha256: and 64 hexadecimal digits)"

    @classmethod
    def of(cls, content: bytes) -> "Digest":
        """Return the digest of `content`."""
        return cls("sha256:" + hashlib.sha256(content).hexdigest())

    @property
    def hexadecimal(self) -> str:
        """The 64 digits without the algorithm."""
        return self.removeprefix("sha256:")


class VariableName(Checked):
    """The name of an environment variable."""

    __slots__ = ()
    pattern = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
    meaning = "a variable name (letters, digits and _, not beginning with a digit)"


class RepoPath(Checked):
    """A relative path inside the repository: no `..`, no `~`, no empty part, no control character, no backslash.

    A string can not tell that no part is a link that leads out; `platformctl.paths` checks that when it opens the file.
    """

    __slots__ = ()
    pattern = re.compile(r"(?!~)(?:(?!\.{1,2}(?:/|\Z))[^/\x00-\x1f\x7f\\\u0085\u2028\u2029]{1,255}(?:/(?!\Z)|\Z))+\Z")
    meaning = "a relative path inside the repository, without .. or ~"

    @classmethod
    def fits(cls, text: str) -> bool:
        """Return whether a name that git or a folder has is such a path; bytes that are not UTF-8 make none."""
        return cls.pattern.match(text) is not None and (text.isascii() or _NOT_UTF8.search(text) is None)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names between the slashes."""
        return tuple(self.split("/"))

    @property
    def parent(self) -> str:
        """The path of the folder, "" for a file at the top."""
        return self.rpartition("/")[0]
