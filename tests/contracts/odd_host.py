"""An SSH server that logs everybody in and then behaves as no good one does."""

import asyncio
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from platformctl.model.desired import HostEntry
from platformctl.model.names import HostName


@dataclass
class OddHost:
    """`commands` are the lines that it was asked to run, `logins` the users that tried a key."""

    folder: Path
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
        return {"HOME": str(self.folder), "PLATFORMCTL_SSH_KEY": str(path)}

    async def behave(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """Do what the command's first word says."""
        self.commands.append(process.command or "")
        match (process.command or "").split()[0]:
            case "lose-connection":
                process.stdout.write(b"half an ans")
                process.channel.get_connection().abort()
            case "no-status":
                process.stdout.write(b"an answer")
                process.close()
            case "signal":
                process.exit_with_signal("KILL")
            case "never-answer":
                self.mute.wait()  # the whole server stands still: not even the request is confirmed
            case _:
                process.exit(0)


class _Open(asyncssh.SSHServer):
    def __init__(self, host: OddHost) -> None:
        self._host = host

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._host.logins.append(username)
        return True


@contextmanager
def odd_host(folder: Path) -> Iterator[OddHost]:
    host, loops = OddHost(folder), queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()
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
