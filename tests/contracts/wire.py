"""A TCP path to a port of this machine that breaks when it is told to."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["drop", "reset", "one-way", "delay"]
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: closing is a reset."""
DELAY = 0.02


@dataclass
class Wire:
    """`breaks` makes a fault, for connections there are and those to come.

    drop: nothing arrives any more, and nobody is told. one-way: the same for answers alone. reset: both ends are told
    at once. delay: everything arrives later. With `breaks_after_banner` the fault comes when the server has spoken.
    """

    target: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    fault: Fault | None = None
    breaks_after_banner: Fault | None = None
    ends: list[socket.socket] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    def breaks(self, fault: Fault) -> None:
        self.fault = fault
        if fault == "reset":
            for end in self.ends:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                    end.shutdown(socket.SHUT_RD)  # wakes who reads it, and closes it

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self.ends += [client, server]
                for words in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._carry, args=words, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError), source, sink:
            # What came after the reset was read with the end that woke the reader, and is not carried on.
            while (chunk := source.recv(65536)) and self.fault != "reset":
                if self.fault == "drop" or (self.fault == "one-way" and is_answer):
                    self.over.wait()
                    return
                if self.fault == "delay":
                    self.over.wait(DELAY)
                sink.sendall(chunk)
                if is_answer and self.breaks_after_banner and self.fault is None:
                    self.breaks(self.breaks_after_banner)
            if self.fault == "reset":
                for end in (source, sink):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)


@contextmanager
def wire(target: int) -> Iterator[Wire]:
    made = Wire(target)
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.over.set()
        made.listener.shutdown(socket.SHUT_RDWR)
        made.listener.close()
        thread.join()
