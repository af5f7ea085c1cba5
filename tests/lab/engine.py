"""A Docker Engine asked through its socket: one request, one connection, about a millisecond."""

import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class EngineRefused(Exception):
    """The engine answered with a status of 400 or more; the text is the engine's own."""


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Engine:
    socket_path: Path
    timeout: float = 30.0
    """Seconds without a byte from the engine before TimeoutError."""

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """The answer's body. Raises EngineRefused, or OSError when nothing answers."""
        connection = _SocketConnection(self.socket_path, self.timeout)
        try:
            connection.request(method, path, body or None, headers or {})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise EngineRefused(f"{method} {path}: {response.status} {answer.decode(errors='replace').strip()}")
        return answer

    def get(self, path: str) -> Any:
        return json.loads(self.request("GET", path))

    def answers(self) -> bool:
        try:
            return self.request("GET", "/_ping") == b"OK"
        except (OSError, http.client.HTTPException):
            return False
