"""Drivers and transports by name: our own are listed here, others are entry points of installed packages (ADR 0038).

A name is looked up when a module or a host asks for it, and only then is its code imported.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from platformctl.errors import ToolError
from platformctl.model.frozen import dataclass

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


@dataclass(frozen=True)
class Socket:
    """A kind of part that can be plugged in: the group of its entry points, and our own parts, as `module:name`."""

    group: str
    own: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all parts, our own and installed ones, sorted."""
        return tuple(sorted({**_registered(self.group), **self.own}))

    @property
    def others(self) -> tuple[str, ...]:
        """What other packages bring, by names that a file of ours may have, sorted."""
        return tuple(sorted(name for name in _registered(self.group) if _NAME.match(name) and name not in self.own))

    def find(self, name: str) -> Any:
        """Return the part of that name, None where there is none; raises `ToolError` when it can not be imported.

        Our own parts are never looked for among installed packages: the search takes longer than importing all of them,
        and no package can replace one.
        """
        module, _, attribute = self.own.get(name, "").partition(":")
        registered = None if module else _registered(self.group).get(name)
        if not module and registered is None:
            return None
        try:
            return registered.load() if registered else getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ToolError(
                "a part of platformctl can not be loaded",
                detail=f"{self.group}: {name} = {registered.value if registered else self.own[name]}",
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
def _registered(group: str) -> Mapping[str, "EntryPoint"]:
    """Return the entry points of a group by name. They are kept, because the search reads every installed package."""
    from importlib.metadata import entry_points

    return {found.name: found for found in entry_points(group=group)}
