"""The transport that reaches hosts by the `ssh` program, for what paramiko lacks.

That is jump hosts, certificates and hardware keys. One `ssh` process, the master, has the connection; sessions are
asked of it over its control socket. `configuration` says what the operator's own settings may decide and what they may
not, `master` starts and ends the program, `multiplexing` asks for a session, `transport` puts them together.
"""

from platformctl.transports.openssh.transport import OpensshTransport

__all__ = ["OpensshTransport"]
