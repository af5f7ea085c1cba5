"""The words of a command: every transport accepts the same ones, and they are quoted in one place."""

import shlex
from collections.abc import Sequence


def accepted(argv: Sequence[str]) -> Sequence[str]:
    """Return `argv` if exactly these words can be given to a host.

    Raises `ValueError`, a mistake of the caller's, for no words, for a NUL (a shell would drop it and run another word)
    and for text that is not Unicode.
    """
    if not argv:
        raise ValueError("a command without words")
    for word in argv:
        if "\0" in word:
            raise ValueError("a word of a command has a NUL in it")
        word.encode()
    return argv


def shell_line(argv: Sequence[str]) -> str:
    """Return the line that makes a POSIX shell run exactly `argv`, each word as one word."""
    return shlex.join(accepted(argv))
