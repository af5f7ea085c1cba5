"""The table of transports: the entry points of the installed program, and nothing else."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from threading import Thread

from platformctl.errors import PolicyViolation, ToolError
from platformctl.model.desired import HostEntry
from platformctl.transports.interface import ShowsHostKeys, Transport

GROUP = "platformctl.transports"


def transport_for(entry: HostEntry, environment: Mapping[str, str]) -> Transport:
    """Return the transport that `entry` names, not yet connected.

    `environment` is the operator's. HOME, PATH, SSH_AUTH_SOCK and PLATFORMCTL_SSH_KEY count everywhere; the rest goes
    to the programs of theirs that a transport runs, never to a host. Raises `PolicyViolation` when the table has no
    such transport, `ToolError` when it is there and can not be loaded.
    """
    table = _table()
    if entry.transport not in table:
        raise PolicyViolation(
            "no such transport",
            detail=f"host {entry.name} wants {entry.transport!r}; there are: {', '.join(sorted(table)) or 'none'}",
            hint="name one of these in .platform/hosts.yaml, or install the package that brings the transport",
            host=entry.name,
        )
    return _loaded(table[entry.transport])(entry, environment)


def begin_to_load(entries: Iterable[HostEntry]) -> None:
    """Load what these hosts will be reached by on a thread of its own, while this one waits for other programs.

    It takes paramiko as long to import as a dozen of those to end. What goes wrong is met again by who reaches a host.
    The process ends behind it: a thread that the interpreter stops amid an import can take the exit code with it.
    """
    names = {entry.transport for entry in entries}

    def load() -> None:
        with suppress(Exception):
            for found in (_table()[name] for name in sorted(names)):
                _loaded(found)

    Thread(target=load, name="loading").start()


def scan_host_keys(entry: HostEntry, environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Kind and fingerprint of every key that the entry's host shows; raises as `transport_for`, and `Unreachable`."""
    with transport_for(entry, environment) as transport:
        if not isinstance(transport, ShowsHostKeys):
            raise PolicyViolation(
                "this transport knows no host keys", detail=f"host {entry.name}: {entry.transport}", host=entry.name
            )
        return transport.scan_host_keys()


@cache
def _table() -> Mapping[str, EntryPoint]:
    """Read once: it is looked for in every package that is installed."""
    return {found.name: found for found in entry_points(group=GROUP)}


def _loaded(found: EntryPoint) -> Callable[[HostEntry, Mapping[str, str]], Transport]:
    try:
        maker: Callable[[HostEntry, Mapping[str, str]], Transport] = found.load()
    except (ImportError, AttributeError) as error:
        raise ToolError(
            "a transport can not be loaded",
            detail=f"{found.name} = {found.value}",
            hint="install platformctl again: its installation is incomplete",
        ) from error
    return maker
