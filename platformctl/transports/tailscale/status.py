"""Ask tailscale on this machine about its tailnet: `GET /localapi/v0/status` over its socket.

If there is no socket (tailscale from macOS's App Store), `tailscale status --json` prints the same.
"""

import http.client
import json
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from platformctl.errors import ToolError
from platformctl.model.desired import HostEntry
from platformctl.transports.entry import unreachable

SOCKETS = (Path("/var/run/tailscale/tailscaled.sock"), Path("/var/run/tailscaled.socket"))
"""Where tailscaled listens on Linux, and on macOS unless it comes from the App Store."""

LARGEST = 32 * 1024 * 1024
"""How many bytes of an answer are read; for a tailnet of 10,000 peers it has about 15 MB."""


def ask(entry: HostEntry, environment: Mapping[str, str], sockets: Sequence[Path], timeout: float) -> Any:
    """Return the status as JSON data, not checked yet.

    Raises `Unreachable` when tailscale does not answer or not in JSON, `ToolError` if there is no tailscale.
    """
    there = next((path for path in sockets if path.exists()), None)
    try:
        answer = _by_socket(there, timeout) if there else _by_program(environment, timeout)
        return json.loads(answer)
    except (OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
        raise unreachable(
            entry, "tailscale does not answer on this machine", hint="see that tailscaled runs, then: tailscale up"
        ) from error
    except (ValueError, RecursionError) as error:
        raise unreachable(entry, "tailscale's status is no JSON", hint="tailscale version") from error


class _LocalApi(http.client.HTTPConnection):
    """A connection to tailscaled's socket, under the name that it wants to be called by."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("local-tailscaled.sock", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _by_socket(path: Path, timeout: float) -> bytes:
    api = _LocalApi(path, timeout)
    try:
        api.request("GET", "/localapi/v0/status")
        response = api.getresponse()
        if response.status != http.client.OK:
            raise http.client.HTTPException(response.status)
        return response.read(LARGEST)
    finally:
        api.close()


def _by_program(environment: Mapping[str, str], timeout: float) -> bytes:
    program = shutil.which("tailscale", path=environment.get("PATH"))
    if program is None:
        raise ToolError(
            "a program is missing",
            detail=f"neither {SOCKETS[0]} nor tailscale on the PATH is there",
            hint="install tailscale on this machine, then: tailscale up",
        )
    words = (program, "status", "--json")
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=timeout, check=True
    )
    return done.stdout
