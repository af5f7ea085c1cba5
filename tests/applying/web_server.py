"""A web server that misbehaves as told: what it does on a connection is a function, so anything can be on the wire."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

Behaviour = Callable[["Talk"], None]

START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    """Waits are written down and over at once; the monotonic clock is the real one, moved on by them."""

    waits: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return START

    def monotonic(self) -> float:
        return time.monotonic() + sum(self.waits)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


@dataclass
class Talk:
    """One connection: `number` counts from 1, `request` is the head as it came, `over` is set when the test ends."""

    sock: socket.socket
    number: int
    request: str
    over: threading.Event

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """Close so that the peer sees a reset, not an end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def trickle(self, data: bytes) -> None:
        """Send a byte now and then until the test ends or the peer has had enough."""
        for byte in data:
            if self.over.wait(0.05):
                return
            self.send(bytes([byte]))

    def flood(self, data: bytes) -> None:
        """Send the same bytes until the peer has had enough."""
        while not self.over.is_set():
            self.send(data)

    @property
    def target(self) -> str:
        return self.request.split(" ")[1]


class WebServer:
    """Listens on a loopback address; `talks` are the connections that sent a request, `visits` counts all of them."""

    def __init__(self, behaviour: Behaviour, *, address: str = "127.0.0.1", silent: bool = False) -> None:
        self.talks: list[Talk] = []
        self.visits = 0
        self.behaviour = behaviour
        self._silent = silent
        self._over = threading.Event()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://[{address}]:{self.port}" if ":" in address else f"http://{address}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.visits += 1
                threading.Thread(target=self._serve, args=(sock, self.visits), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), sock:
            talk = Talk(sock, number, "" if self._silent else _head(sock), self._over)
            self.talks.append(talk)
            self.behaviour(talk)


@contextlib.contextmanager
def serving(behaviour: Behaviour, *, address: str = "127.0.0.1", silent: bool = False) -> Iterator[WebServer]:
    """Serve until the block ends; a `silent` server does not wait for a request before it acts."""
    server = WebServer(behaviour, address=address, silent=silent)
    try:
        yield server
    finally:
        server.stop()


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return a well-formed answer."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Words\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def saying(*answers: bytes) -> Behaviour:
    """Answer each connection with the next of `answers`, the last one over and over."""
    return lambda talk: talk.send(answers[min(talk.number, len(answers)) - 1])


def hanging(talk: Talk) -> None:
    """Say nothing until the test ends."""
    talk.over.wait(30)


def _head(sock: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(65536)
        if not data:
            break
        head += data
    return head.decode("latin-1")
