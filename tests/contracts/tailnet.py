"""A tailscaled that is none: it replays a status in the shape of tailscale's `ipnstate.Status`, on a socket of its own.

No real one can be had on the machines that run these tests, so this is all that the transport has met.
"""

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from platformctl.model.desired import HostEntry
from platformctl.transports.tailscale import TailscaleTransport

NODE_ID, DNS_NAME = "nq7ZtCNTRL", "throw-away.tail1234.ts.net"
LONG_AGO = "0001-01-01T00:00:00Z"


def peer(**fields: Any) -> dict[str, Any]:
    """A peer that is up; `fields` say otherwise."""
    return {
        "ID": NODE_ID,
        "PublicKey": "nodekey:" + "5c" * 32,
        "HostName": "throw-away",
        "DNSName": f"{DNS_NAME}.",
        "OS": "linux",
        "UserID": 1234567890123456,
        "TailscaleIPs": ["127.0.0.1", "::1"],
        "AllowedIPs": ["127.0.0.1/32", "::1/128"],
        "Tags": ["tag:server"],
        "Addrs": None,
        "CurAddr": "",
        "Relay": "fra",
        "PeerRelay": "",
        "RxBytes": 0,
        "TxBytes": 0,
        "Created": "2026-01-02T03:04:05.678901234Z",
        "LastWrite": LONG_AGO,
        "LastSeen": LONG_AGO,
        "LastHandshake": LONG_AGO,
        "Online": True,
        "ExitNode": False,
        "ExitNodeOption": False,
        "Active": False,
        "PeerAPIURL": ["http://127.0.0.1:40000"],
        "TaildropTarget": 5,
        "NoFileSharingReason": "",
        "InNetworkMap": True,
        "InMagicSock": True,
        "InEngine": False,
        "KeyExpiry": "2027-01-02T03:04:05Z",
        **fields,
    }


def status(*peers: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """What tailscaled says of a tailnet with these peers; `fields` say otherwise."""
    return {
        "Version": "1.92.1-t0000000-g0000000",
        "TUN": True,
        "BackendState": "Running",
        "HaveNodeKey": True,
        "AuthURL": "",
        "TailscaleIPs": ["100.64.0.1", "fd7a:115c:a1e0::1"],
        "Self": peer(ID="nSelfCNTRL", HostName="here", DNSName="here.tail1234.ts.net.", TailscaleIPs=["100.64.0.1"]),
        "Health": [],
        "MagicDNSSuffix": "tail1234.ts.net",
        "CurrentTailnet": {"Name": "example.org", "MagicDNSSuffix": "tail1234.ts.net", "MagicDNSEnabled": True},
        "CertDomains": None,
        "Peer": {f"nodekey:{number:064x}": dict(each) for number, each in enumerate(peers)} or None,
        "User": {"1234567890123456": {"ID": 1234567890123456, "LoginName": "ann@example.org"}},
        "ClientVersion": None,
        **fields,
    }


@dataclass
class Tailnet:
    """`answer` is what the socket says next; `asked` the requests it got: Host and path."""

    socket: Path
    answer: bytes = json.dumps(status(peer())).encode()
    code: int = 200
    asked: list[tuple[str, str]] = field(default_factory=list)

    def shows(self, *peers: Mapping[str, Any], **fields: Any) -> None:
        self.answer = json.dumps(status(*peers, **fields)).encode()

    def reach(self, entry: HostEntry, environment: Mapping[str, str], *, timeout: float = 10.0) -> TailscaleTransport:
        """The way to the host of `entry` as the peer that the status shows."""
        if entry.node_id is None:
            entry = replace(entry, transport="tailscale", node_id=NODE_ID, dns_name=DNS_NAME)
        return TailscaleTransport(entry, environment, timeout=timeout, sockets=(self.socket,))


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client may leave before it has read everything."""


@contextmanager
def tailnet(folder: Path) -> Iterator[Tailnet]:
    net = Tailnet(folder / "tailscaled.sock")

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            net.asked.append((self.headers["Host"], self.path))
            self.send_response_only(net.code)
            self.send_header("Content-Length", str(len(net.answer)))
            self.end_headers()
            self.wfile.write(net.answer)

    with Server(str(net.socket), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield net
        finally:
            server.shutdown()
            thread.join()
