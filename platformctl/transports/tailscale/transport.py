"""Commands on a peer of the tailnet, over one SSH connection."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from platformctl.model.desired import HostEntry
from platformctl.transports.ssh import SshTransport
from platformctl.transports.ssh.transport import Where
from platformctl.transports.tailscale.peer import find_peer
from platformctl.transports.tailscale.status import SOCKETS, ask


class TailscaleTransport(SshTransport):
    """An `SshTransport` that asks where the pinned peer is now, before each connection.

    Where Tailscale SSH answers, being on the tailnet may be all the login there is; this is tried before keys.
    """

    def __init__(
        self,
        entry: HostEntry,
        environment: Mapping[str, str],
        *,
        timeout: float | None = None,
        sockets: Sequence[Path] = SOCKETS,
    ) -> None:
        """`sockets` is where tailscaled may listen on this machine; if it does not, the program is asked."""
        super().__init__(entry, environment, timeout=timeout)
        self._sockets = sockets

    def _where(self) -> Where:
        peer = find_peer(self.entry, ask(self.entry, self._environment, self._sockets, self._timeout))
        return Where(replace(self.entry, address=peer.address), may_need_no_key=peer.has_tailscale_ssh)
