"""The hands that reach over SSH, by paramiko: this package is its only door.

`greeting` finds the machine that was pinned, `login` proves who we are, `errand` carries out one command, `transport`
puts them together. The `openssh` transport exists for what paramiko lacks: jump hosts, certificates, wildcards.
"""

import logging

from platformctl.transports.ssh import bare  # noqa: F401 - before what follows
from platformctl.transports.ssh.transport import SshTransport

__all__ = ["SshTransport"]

# paramiko logs tracebacks and what the host said; both are told by our own errors, in our own words.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False
