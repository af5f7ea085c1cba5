"""How paramiko reports that something went wrong, and how we report it: in our words, never the host's."""

import errno
import os
import socket

import paramiko

LOST: tuple[type[Exception], ...] = (paramiko.SSHException, EOFError, OSError)
"""What paramiko raises when a connection can not be used, or not any more."""


def in_words(failure: Exception | None) -> str:
    """Return what went wrong. The exception's own text is left out: it may hold bytes that the host chose."""
    match failure:
        case TimeoutError():
            return "no answer in time"
        case socket.gaierror():
            return "the name has no address"
        case OSError(errno=int(number)) if number in errno.errorcode:
            return os.strerror(number).lower()
        case EOFError():
            return "it hung up"
        case _:
            return "it does not speak SSH as expected"
