"""What can be plugged in, by name: our own stand here, others are entry points of installed packages (ADR 0038).

A name is looked up when a module or a host asks for it, and only then is its code imported.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from platformctl.errors import ToolError
from platformctl.model.frozen import dataclass


@dataclass(frozen=True)
class Socket:
    """A kind of part: the entry points it is found by, and which are our own, as `module:name`."""

    group: str
    own: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """All there are, sorted."""
        return tuple(sorted({**_registered(self.group), **self.own}))

    def find(self, name: str) -> Any:
        """What is plugged in by that name, None where nothing is; raises `ToolError` when it can not be imported.

        Ours are never looked for among the installed packages: that takes longer than all of them, and no package can
        put itself in their place.
        """
        where = self.own.get(name) or _registered(self.group).get(name)
        if where is None:
            return None
        module, _, attribute = where.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ToolError(
                "a part of platformctl can not be loaded",
                detail=f"{self.group}: {name} = {where}",
                hint="install the package that brings it again: its installation is incomplete",
            ) from error


DRIVERS = Socket("platformctl.drivers", {"docker-compose": "platformctl.drivers.docker_compose:DockerCompose"})
TRANSPORTS = Socket(
    "platformctl.transports",
    {
        "local": "platformctl.transports.local:LocalTransport",
        "openssh": "platformctl.transports.openssh:OpensshTransport",
        "ssh": "platformctl.transports.ssh:SshTransport",
        "tailscale": "platformctl.transports.tailscale:TailscaleTransport",
    },
)


@cache
def _registered(group: str) -> Mapping[str, str]:
    """Read once: it is looked for in every package that is installed."""
    from importlib.metadata import entry_points

    return {found.name: found.value for found in entry_points(group=group)}
