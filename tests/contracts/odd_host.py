"""An SSH server that logs everybody in and then behaves as no good one does."""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import asyncssh

from platformctl.model.desired import HostEntry
from platformctl.model.names import HostName


@dataclass
class OddHost:
    """`commands` are the lines that it was asked to run, `logins` the users that tried a key.

    `passwords` is what it was told when it asked, `asked_for` what else clients wanted: environment, agent, terminal,
    forwarding. As a jump host it leads to the port `leads_to` of this machine, whatever it is asked for. When it is
    `closed` no key is good enough; when it `lets_in_without_key` none is needed, as with Tailscale SSH.
    `reached` is told which phase of a connection or of the command `phases` has come.
    """

    folder: Path
    leads_to: int = 0
    closed: bool = False
    lets_in_without_key: bool = False
    reached: Callable[[str], None] = lambda phase: None
    passwords: list[str] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    port: int = 0
    mute: threading.Event = field(default_factory=threading.Event)

    @property
    def entry(self) -> HostEntry:
        return HostEntry(
            name=HostName("odd"),
            transport="ssh",
            root="/opt/platform",
            address="127.0.0.1",
            port=self.port,
            user="agent",
            host_key=(self.key.get_fingerprint(),),
            machine_id="unused",
        )

    @property
    def environment(self) -> dict[str, str]:
        path = self.folder / "key"
        if not path.exists():
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(path)
            path.chmod(0o600)
        return {"HOME": str(self.folder), "PLATFORMCTL_SSH_KEY": str(path)}

    async def behave(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """Do what the command's first word says."""
        self.commands.append(process.command or "")
        self.asked_for += [*process.env, *(["terminal"] if process.term_type else [])]
        self.asked_for += ["agent"] if process.get_extra_info("agent_path") else []
        match (process.command or "").split()[0]:
            case "lose-connection":
                process.stdout.write(b"half an ans")
                process.channel.get_connection().abort()
            case "no-status":
                process.stdout.write(b"an answer")
                process.close()
            case "signal":
                process.exit_with_signal("KILL")
            case "phases":
                self.reached("request")
                process.stdout.write(b"half an ")
                self.reached("output")
                process.stdout.write(b"answer")
                self.reached("status")
                process.exit(0)
            case "never-answer":
                self.mute.wait()  # the whole server stands still: not even the request is confirmed
            case _:
                process.exit(0)


class _Open(asyncssh.SSHServer):
    def __init__(self, host: OddHost) -> None:
        self._host = host

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        self._host.reached("login")
        return not self._host.lets_in_without_key

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._host.logins.append(username)
        return not self._host.closed

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._host.passwords.append(password)
        return True

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        self._host.asked_for.append("forwarding")
        return False

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool | Awaitable[asyncssh.SSHTCPSession[bytes]]:
        if not self._host.leads_to:
            return False
        forwarder = self._connection.forward_connection("127.0.0.1", self._host.leads_to)
        return cast("Awaitable[asyncssh.SSHTCPSession[bytes]]", forwarder)  # as asyncssh documents, and does not type


@contextmanager
def odd_host(folder: Path, **fields: Any) -> Iterator[OddHost]:
    folder.mkdir(exist_ok=True)
    host, loops = OddHost(folder, **fields), queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(host, loops)), daemon=True)
    thread.start()
    loop, over = loops.get(timeout=10)
    try:
        yield host
    finally:
        host.mute.set()
        loop.call_soon_threadsafe(over.set)
        thread.join()


async def _serve(host: OddHost, loops: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Open(host),
        server_host_keys=[host.key],
        process_factory=host.behave,
        encoding=None,
    )
    host.port, over = server.get_port(), asyncio.Event()
    loops.put((asyncio.get_running_loop(), over))
    async with server:
        await over.wait()
