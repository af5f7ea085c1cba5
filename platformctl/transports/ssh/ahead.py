"""The session of the next command, opened while another one runs, so that it need not be waited for a round trip.

Nobody depends on it: where the host opens none, or the connection ends, who comes next opens a session as ever.
"""

import threading
from concurrent.futures import Future

import paramiko

from platformctl.transports.ssh.errand import in_background


class Ahead:
    """At most one session, beside those that are in use. Several threads may use it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening: Future[paramiko.Channel] | None = None

    def open(self, connection: paramiko.Transport, timeout: float) -> None:
        """Begin to open one on `connection`, unless one is there; returns at once."""
        with self._lock:
            if self._opening is not None:
                return
            opening = self._opening = Future[paramiko.Channel]()

        def ask() -> None:
            try:
                opening.set_result(connection.open_session(timeout=timeout))
            except Exception as error:  # noqa: BLE001 - who takes it is told
                opening.set_exception(error)

        in_background(ask)

    def take(self, connection: paramiko.Transport) -> paramiko.Channel | None:
        """The session, where there is one on `connection`; one that is about to be opened is waited for."""
        with self._lock:
            opening, self._opening = self._opening, None
        if opening is None or opening.exception() is not None:
            return None
        channel = opening.result()
        return None if channel.closed or channel.get_transport() is not connection else channel

    def forget(self) -> None:
        """Close the session, or whatever comes of asking for it: the host stopped answering."""
        with self._lock:
            opening, self._opening = self._opening, None

        def close() -> None:
            if opening is not None:
                opening.result().close()

        in_background(close)
