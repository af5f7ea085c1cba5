"""Open the session of the next command while another one runs, which saves the next one a round trip.

Nothing depends on it: if the host opens none, or nothing was heard of it lately, the next command opens a session as
usual, and finds out whether the host still answers.
"""

import threading
import time
from concurrent.futures import Future

import paramiko

from platformctl.transports.ssh.errand import Session, in_background

LATELY = 1.0
"""For how many seconds a host is taken to answer after it was heard of."""


class Ahead:
    """At most one session, in addition to those in use. Several threads may use it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening: Future[Session] | None = None
        self._refused_by: paramiko.Transport | None = None
        self._heard = 0.0

    def heard(self) -> None:
        """Note that the host has just ended a command."""
        self._heard = time.monotonic()

    def open(self, connection: paramiko.Transport, timeout: float, *, listens: bool = False) -> None:
        """Begin to open one on `connection`, unless one is there or was refused there before; returns at once."""
        with self._lock:
            if self._opening is not None or self._refused_by is connection:
                return
            opening = self._opening = Future[Session]()

        def ask() -> None:
            try:
                session = Session(connection.open_session(timeout=timeout), listens)
                if listens:
                    session.listen()
                opening.set_result(session)
            except Exception as error:  # noqa: BLE001 - who takes it is told
                self._refused_by = connection
                opening.set_exception(error)

        try:
            in_background(ask)
        except RuntimeError as error:  # no thread can be started any more
            opening.set_exception(error)

    def take(self, connection: paramiko.Transport) -> Session | None:
        """The session, where there is one on `connection`; one that is about to be opened is waited for."""
        opening = self._taken()
        if opening is None or opening.exception() is not None:
            return None
        session = opening.result()
        if session.channel.closed or session.channel.get_transport() is not connection:
            return None
        if time.monotonic() - self._heard <= LATELY:
            return session
        in_background(session.channel.close)
        return None

    def forget(self) -> None:
        """Close the session, also one that is still being opened."""
        opening = self._taken()
        if opening is not None:
            in_background(lambda: opening.result().channel.close())

    def _taken(self) -> "Future[Session] | None":
        with self._lock:
            opening, self._opening = self._opening, None
        return opening
