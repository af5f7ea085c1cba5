"""The hands that reach a peer of a tailnet: its address is asked of tailscale on this machine, then it is SSH.

`status` asks, `peer` judges the answer, `transport` connects. Nothing here has met a real tailnet yet: the answers it
was tried with are made after the documentation of tailscale's LocalAPI.
"""

from platformctl.transports.tailscale.transport import TailscaleTransport

__all__ = ["TailscaleTransport"]
