"""The transport that reaches hosts over SSH by paramiko, which only this package imports.

`greeting` finds the machine that was pinned, `login` proves who we are, `errand` carries out one command, `transport`
puts them together. The `openssh` transport exists for what paramiko lacks: jump hosts, certificates, wildcards.
"""

import logging

from platformctl.transports.ssh import bare  # noqa: F401 - before what follows
from platformctl.transports.ssh.transport import SshTransport

__all__ = ["SshTransport"]

# paramiko logs tracebacks and what the host said; our own errors report both, in our own words.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False
