"""A throw-away sshd: OpenSSH's own, one process for each connection, on loopback, for one user, gone afterwards."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from platformctl.model.desired import HostEntry
from platformctl.model.names import HostName
from tests.lab.machine import wait_until

PROGRAM = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")

CONFIGURATION = """
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
LogLevel VERBOSE
"""


@dataclass
class Sshd:
    """Where it listens, who may log in with which key, and what it wrote down."""

    folder: Path
    user: str
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    hang_up_on: int = 0
    greeted: int = 0
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What a client may know: a home with nothing in it, and the key that is let in."""
        return {"HOME": str(self.folder), "PATH": os.environ["PATH"], "PLATFORMCTL_SSH_KEY": str(self.folder / "key")}

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def entry(self, *host_key: str) -> HostEntry:
        return HostEntry(
            name=HostName("throw-away"),
            transport="ssh",
            root="/opt/platform",
            address="127.0.0.1",
            port=self.listener.getsockname()[1],
            user=self.user,
            host_key=host_key or (self.fingerprint("ed25519"),),
            machine_id="unused",
        )

    def fingerprint(self, kind: str) -> str:
        """As OpenSSH itself says it; the key is made when it is asked for first."""
        return fingerprint(self._host_key(kind))

    @contextmanager
    def as_one_daemon(self, *options: str) -> Iterator[HostEntry]:
        """The same host once more, on a port of its own: one process that counts its callers, told `options`."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        words = [
            str(PROGRAM),
            "-D",
            "-e",
            "-f",
            str(self.folder / "config"),
            "-p",
            str(port),
            "-o",
            "ListenAddress=127.0.0.1",
        ]
        with (self.folder / "log").open("ab") as log:
            daemon = subprocess.Popen([*words, "-o", "PidFile=none", *options], stderr=log)
        try:
            wait_until(lambda: "Server listening" in self.log, "sshd listens")
            yield replace(self.entry(), port=port)
        finally:
            daemon.terminate()
            daemon.wait()

    def is_also_told(self, lines: str) -> None:
        """Further lines of its configuration, for connections to come."""
        with (self.folder / "config").open("a") as configuration:
            configuration.write(f"{lines}\n")

    def serve(self) -> None:
        """Give each connection its own sshd, but hang up unheard on the first `hang_up_on`."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection:
                    self.greeted += 1
                    if self.greeted > self.hang_up_on:
                        self._greet(connection)

    def _greet(self, connection: socket.socket) -> None:
        with (self.folder / "log").open("ab") as log:
            words = [str(PROGRAM), "-i", "-e", "-f", str(self.folder / "config")]
            self.servers.append(
                subprocess.Popen(words, stdin=connection.fileno(), stdout=connection.fileno(), stderr=log)
            )

    def _host_key(self, kind: str) -> Path:
        path = self.folder / f"host_{kind}"
        if not path.exists():
            make_key(path, kind)
            self.is_also_told(f"HostKey {path}")
        return path


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", path], check=True)
    return path


def fingerprint(key: Path) -> str:
    shown = subprocess.run(["ssh-keygen", "-l", "-E", "sha256", "-f", key], check=True, capture_output=True, text=True)
    return shown.stdout.split()[1]


@contextmanager
def throw_away_sshd(user: str) -> Iterator[Sshd]:
    """Skips the test where OpenSSH's server is not installed."""
    if PROGRAM is None:
        pytest.skip("sshd is not installed (Debian: openssh-server)")
    with TemporaryDirectory(prefix="pctl-sshd-") as folder:
        sshd = Sshd(Path(folder), user)
        _furnish(sshd)
        thread = threading.Thread(target=sshd.serve, daemon=True)
        thread.start()
        try:
            yield sshd
        finally:
            sshd.listener.shutdown(socket.SHUT_RDWR)
            sshd.listener.close()
            thread.join()


def _furnish(sshd: Sshd) -> None:
    sshd.folder.chmod(0o755)
    (sshd.folder / "config").write_text(CONFIGURATION.format(folder=sshd.folder))
    (sshd.folder / "log").touch()
    public = make_key(sshd.folder / "key").with_suffix(".pub").read_text()
    (sshd.folder / "authorized_keys").write_text(public)
    sshd.fingerprint("ed25519")


@contextmanager
def unprivileged_user() -> Iterator[str]:
    """Whoever runs the tests; for root, a user of its own, because transports refuse to log in as root."""
    if os.geteuid() != 0:
        yield pwd.getpwuid(os.geteuid()).pw_name
        return
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd's privilege separation needs it
    name = f"pctl-test-{os.getpid()}"
    subprocess.run(
        ["useradd", "--no-create-home", "--home-dir", "/", "--password", "*", "--shell", "/bin/sh", name], check=True
    )
    try:
        yield name
    finally:
        subprocess.run(["pkill", "-KILL", "-u", name], check=False)
        subprocess.run(["userdel", "--force", name], check=True, capture_output=True)
