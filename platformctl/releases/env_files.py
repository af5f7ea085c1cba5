"""The file that brings `env.set` to a host: written so that Compose reads each value literally, and read back."""

import re
from collections.abc import Mapping

from platformctl.model.desired import InputFile, Module
from platformctl.model.names import Digest, RepoPath
from platformctl.model.plan import OWN_FOLDER


def environment_file(module: Module) -> tuple[InputFile, ...]:
    """Return `env.set` as an env file, none if it is empty.

    The file is named by its digest, so that the one of an older release stays beside it.
    """
    if not module.env.set:
        return ()
    content = "".join(f"{name}={quoted(value)}\n" for name, value in sorted(module.env.set.items())).encode()
    digest = Digest.of(content)
    return (InputFile(RepoPath(f"{OWN_FOLDER}/blobs/{digest.hexadecimal}"), content, digest, 0o600),)


def quoted(value: str) -> str:
    """Return a value quoted so that Compose reads it literally from an env file.

    Single quotes have no escapes, but a backslash before the closing quote would hide it; double quotes have a few.
    """
    if not value.endswith("\\") and not any(character in value for character in "'\n\r"):
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'


def read_environment(content: bytes) -> Mapping[str, str]:
    """Return the variables in an env file whose values `quoted` wrote."""
    lines = (line.partition("=") for line in content.decode().split("\n") if line)
    return {name: _unquoted(value) for name, _, value in lines}


def _unquoted(text: str) -> str:
    if text.startswith("'"):
        return text[1:-1]
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), text[1:-1])
