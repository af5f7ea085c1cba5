"""What is said to a host, and what it answered. A command is a tuple of words; only a transport quotes."""

from platformctl.errors import Unreachable
from platformctl.model.frozen import dataclass
from platformctl.model.names import HostName

NO_ROOM = 73
"""The status of a script of ours that found no room for its own temporary files (EX_CANTCREAT of sysexits.h)."""

_ENGINE = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
EMPTIED = " ".join(('env -i HOME="${HOME-}" PATH="$PATH"', *(f'${{{name}+"{name}=${name}"}}' for name in _ENGINE)))
"""Words of a script before those that it runs without its environment. What leads docker to its engine stays, else
those would go to another engine than all else that a host is asked and told.
"""


@dataclass(frozen=True)
class Command:
    """Words to run on a host, bytes for its standard input, and seconds until its outcome counts as unknown.

    `terse`: its output is small, so that it is run in a row without the output cap. `mutates`: it must not arrive at a
    host that stopped answering and came back, so that a transport asks, at the cost of a round trip, whether the host
    answers before it is sent. `followed`: the caller sends another one right behind it, whatever the answer is.
    """

    argv: tuple[str, ...]
    stdin: bytes = b""
    timeout: float = 120.0
    terse: bool = False
    mutates: bool = False
    followed: bool = False


@dataclass(frozen=True)
class Completed:
    """A command that ended, with its exit status. `truncated`: output beyond the cap of the transport was dropped."""

    status: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 are replaced."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """Standard error as text; not yet redacted."""
        return self.stderr.decode("utf-8", "replace").strip()


def require_room(answer: Completed, host: HostName) -> None:
    """Raise `Unreachable` where a script ended with `NO_ROOM`."""
    if answer.status == NO_ROOM:
        raise no_room(host)


def no_room(host: HostName) -> Unreachable:
    """The refusal where a script ended with `NO_ROOM`: nothing of it was done."""
    return Unreachable(
        "the host has no room for a temporary file",
        detail=f"{host}: its disk is full, or the folder of such files can not be written",
        hint="free some space or some inodes there, or let the agent write to /tmp, or where its TMPDIR leads",
        reason="disk_full",
        host=host,
    )
