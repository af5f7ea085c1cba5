"""One GET to a URL that a manifest names, which may be a trap for whoever asks.

http and https only, without credentials and proxies, on a new connection. Every address is judged before a byte is sent
to it, and no server can hold the asker longer than asked or make it read more than a little. Whether the answer is good
and whether a redirect is followed is left to the caller.
"""

import http.client
import io
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from ipaddress import IPv6Address
from threading import Thread
from typing import Self, cast
from urllib.parse import urljoin, urlsplit

from platformctl import __version__
from platformctl.model.addresses import never_asked
from platformctl.model.frozen import dataclass

BODY = 4096
"""How many bytes of a body are kept."""

EVERYTHING = 1 << 20
"""How many bytes of an answer are read, headers and all; http.client alone would read a chunk of size -1 forever."""

PORTS = {"http": 80, "https": 443}

NAME = re.compile(r"(?:[0-9a-z_-]{1,63}\.){0,126}[0-9a-z_-]{1,63}")
"""DNS labels, or an IPv4 address in any spelling that the system accepts."""

PRINTABLE = re.compile(r"[!-~]*")
"""No spaces and no control characters: urlsplit drops line ends and tabs, so they are refused before."""

REDIRECTS = {301, 302, 303, 307, 308}

HEADERS = {
    "User-Agent": f"platformctl/{__version__}",
    "Accept": "*/*",
    "Cache-Control": "no-cache",
    "Connection": "close",
}

Left = Callable[[], float]
"""Returns the seconds that are left for the whole request; raises `TimeoutError` when there are none."""


class Refused(Exception):
    """Raised for a URL or an address that is never asked; the text says why, without credentials or a query."""


@dataclass(frozen=True)
class Url:
    """A URL that may be asked. `target` is its path and query, as sent."""

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return `text` taken apart; raises `Refused` when it is not http or https, or could mean two places."""
        if not PRINTABLE.fullmatch(text):
            raise Refused("the URL has characters that are not printable ASCII")
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise Refused("the URL is malformed") from error
        if parts.scheme not in PORTS or not _is_host(host) or port == 0:
            raise Refused("the URL is not one of http or https with a host")
        if "@" in parts.netloc:
            raise Refused("the URL has credentials in it")
        query = f"?{parts.query}" if parts.query else ""
        return cls(parts.scheme, host, port or PORTS[parts.scheme], (parts.path or "/") + query)

    @property
    def origin(self) -> str:
        """Scheme, host and port: everything that says who answers."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL without its query, which may bear a token."""
        return self.origin + self.target.partition("?")[0]


@dataclass(frozen=True)
class Answer:
    """What came back: the beginning of the body, and the URL that a redirect leads to, if that may be asked.

    Names of `headers` are in lower case.
    """

    status: int
    body: str
    leads_to: Url | None
    headers: Mapping[str, str]


def get(url: Url, *, local: bool, left: Left) -> Answer:
    """Ask `url` once, on a connection of its own; loopback may answer only when `local`.

    Raises `Refused` for an address that is never asked, `OSError` (`TimeoutError` when nothing is `left`) for what the
    network does and `http.client.HTTPException` for an answer that is not HTTP or ends too early.
    """
    with _connected(url, local, left) as sock:
        connection = http.client.HTTPConnection(url.host, url.port)
        connection.sock = cast("socket.socket", _Hurried(sock, left))  # http.client uses these three methods of it
        connection.request("GET", url.target, headers={"Host": url.authority, **HEADERS})
        return _read(url, connection)


def _read(url: Url, connection: http.client.HTTPConnection) -> Answer:
    try:
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, _beginning(response), _leads_to(url, response), headers)
    except ValueError as error:  # what http.client makes of a negative chunk size
        raise http.client.HTTPException("malformed") from error


def _is_host(text: str) -> bool:
    try:
        return bool(NAME.fullmatch(text)) or IPv6Address(text).scope_id is None
    except ValueError:
        return False


def _beginning(response: http.client.HTTPResponse) -> str:
    body = response.read(BODY)
    if len(body) < BODY and response.length:
        raise http.client.IncompleteRead(body, response.length)
    return body.decode(errors="replace")


def _leads_to(url: Url, response: http.client.HTTPResponse) -> Url | None:
    location = response.getheader("Location")
    if response.status not in REDIRECTS or location is None:
        return None
    try:
        return Url.parse(urljoin(url.shown, location))
    except (Refused, ValueError):
        return None


@contextmanager
def _connected(url: Url, local: bool, left: Left) -> Iterator[socket.socket]:
    with _reached(url, local, left) as plain:
        _judge(plain.getpeername()[0], local)
        if url.scheme == "http":
            yield plain
            return
        plain.settimeout(left())
        with ssl.create_default_context().wrap_socket(plain, server_hostname=url.host) as secured:
            yield secured


def _reached(url: Url, local: bool, left: Left) -> socket.socket:
    """Connect to the first address that accepts. Each gets its share of the time, so that a silent one leaves some."""
    addresses = _looked_up(url, left)
    for address in addresses:
        _judge(address, local)
    *others, last = addresses
    for untried, address in zip(range(len(addresses), 1, -1), others, strict=True):
        with suppress(OSError):
            return socket.create_connection((address, url.port), left() / untried)
    return socket.create_connection((last, url.port), left())


def _looked_up(url: Url, left: Left) -> list[str]:
    """Resolve the host in a thread that may be left behind, as getaddrinfo knows no timeout."""
    found: Future[list[str]] = Future()

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(url.host.encode(), url.port, type=socket.SOCK_STREAM)
            found.set_result([str(address[0]) for *_, address in answers])
        except OSError as error:
            found.set_exception(error)

    Thread(target=look_up, daemon=True).start()
    return found.result(left())


def _judge(text: str, local: bool) -> None:
    """Refuse an address that no service has; raises `Refused`."""
    if what := never_asked(text, local=local):
        raise Refused(f"the host has {what}")


class _Hurried:
    """A socket for http.client whose every wait is limited to the time left: trickling gains a server nothing.

    Whoever opened the socket closes it.
    """

    def __init__(self, sock: socket.socket, left: Left) -> None:
        self._sock = sock
        self._left = left

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._left())
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._sock, self._left))

    def close(self) -> None:
        """Do nothing: the answer is still to be read when http.client closes its end."""


class _Incoming(io.RawIOBase):
    """What the server sends, as a stream that ends after `EVERYTHING` bytes."""

    def __init__(self, sock: socket.socket, left: Left) -> None:
        self._sock = sock
        self._left = left
        self._more = EVERYTHING

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        self._sock.settimeout(self._left())
        count = self._sock.recv_into(buffer, min(len(buffer), self._more)) if self._more else 0
        self._more -= count
        return count
