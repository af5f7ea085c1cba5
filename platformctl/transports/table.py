"""The table of transports: the entry points of the installed program, and nothing else."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

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


def load(entries: Iterable[HostEntry]) -> None:
    """Load what these hosts will be reached by; raises what goes wrong, which who reaches a host meets again."""
    for name in sorted({entry.transport for entry in entries}):
        _loaded(_table()[name])


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
