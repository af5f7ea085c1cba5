"""The transport that reaches a peer of a tailnet: tailscale on this machine gives its address, then it is SSH.

`status` asks, `peer` judges the answer, `transport` connects. Nothing here has met a real tailnet yet: the answers it
was tried with are made after the documentation of tailscale's LocalAPI.
"""

from platformctl.transports.tailscale.transport import TailscaleTransport

__all__ = ["TailscaleTransport"]
