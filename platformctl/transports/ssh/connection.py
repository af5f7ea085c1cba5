"""A connection on which several threads can send without one of them sending on a channel that another closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import cast

import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST

_SPOKEN_ON: ContextVar[paramiko.Channel | None] = ContextVar("spoken on", default=None)


class Connection(paramiko.Transport):
    """paramiko's transport, except that nothing follows the message that closes a channel.

    paramiko writes a message under the channel's lock and sends it after that lock is free. Meanwhile the host may
    close the channel, and paramiko's own thread answers. Bytes that follow this goodbye (RFC 4254, 5.3) make OpenSSH
    end the whole connection with all commands on it and, if the channel's number was given to the next channel, they
    arrive in that one's input.
    """

    def _send_message(self, data: paramiko.Message) -> None:
        # Goodbyes and what `speaking_on` sends come here under one lock, so the sign below is read before a goodbye
        # is sent or after it was, never in between: paramiko sets it when it writes the goodbye.
        channel = _SPOKEN_ON.get()
        if channel is None or not channel.closed:
            super()._send_message(data)  # type: ignore[misc]  # absent from the stubs

    def begin(self, channel: paramiko.Channel, line: str) -> None:
        """Ask for `line` to be run (RFC 4254, 6.5) without waiting for the answer: its input may follow at once.

        paramiko's own `exec_command` waits for the host to agree first. A host that does not agree closes the channel.
        """
        request = paramiko.Message()
        request.add_byte(cMSG_CHANNEL_REQUEST)
        request.add_int(channel.remote_chanid)
        request.add_string("exec")
        request.add_boolean(True)
        request.add_string(line)
        self._send_user_message(request)  # type: ignore[attr-defined]  # absent from the stubs


@contextmanager
def speaking_on(channel: paramiko.Channel) -> Iterator[Connection]:
    """Yield the connection of `channel`, for messages about that channel.

    Whatever this thread sends meanwhile is dropped once the channel is closed.
    """
    before = _SPOKEN_ON.set(channel)
    try:
        yield cast("Connection", channel.get_transport())
    finally:
        _SPOKEN_ON.reset(before)
