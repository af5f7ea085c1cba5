"""The disk of a lab host: what differs from this machine's root, written before the host first boots.

It is a tmpfs, so that it has a size, survives a reboot of the host and goes with one unmount, and so that Docker's
overlay2 works where this machine's own root is an overlay (a CI container).
"""

import base64
import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.lab.machine import run

AGENT = "platform-host-agent"
AGENT_ID = 1500
AGENT_HOME = f"/home/{AGENT}"
PLATFORM_ROOT = "/opt/platform"
SIZE = "256m"
KEY_TYPES = ("ed25519", "ecdsa")
PROJECT = Path(__file__).resolve().parents[2]
INIT = Path(__file__).with_name("init.sh")
MASKED = {"root": 0o700, "home": 0o755, "mnt": 0o755, "tmp": 0o1777, "var/log": 0o755, "etc/ssh": 0o755,
          "etc/docker": 0o755, PLATFORM_ROOT: 0o755, str(PROJECT): 0o755}  # fmt: skip
"""Folders of which a host sees nothing: this machine's keys, settings, logs and project are not its own."""

SSHD_CONFIG = f"""\
AllowUsers {AGENT}
HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_ecdsa_key
KbdInteractiveAuthentication no
PasswordAuthentication no
PermitRootLogin no
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
UsePAM no
"""
CONTAINERD_CONFIG = """\
version = 2
root = "/var/lib/docker/containerd/daemon"
state = "/run/docker/containerd/daemon"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "/run/docker/containerd/containerd.sock"
[plugins."io.containerd.gc.v1.scheduler"]
pause_threshold = 0.0
"""


@dataclass(frozen=True)
class Identity:
    """What a client pins: the host's machine id and its public keys, as `known_hosts` has them."""

    machine_id: str
    public_keys: tuple[str, ...]


def fingerprint(public_key: str) -> str:
    """As `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(public_key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def create(folder: Path, name: str, authorized_key: str) -> Identity:
    """Mount and fill `folder`/disk for the host `name`."""
    disk = folder / "disk"
    disk.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "platformctl-lab", str(disk))
    for part in ("upper", "work", "docker", "root"):
        (disk / part).mkdir()
    upper = disk / "upper"
    for masked, mode in MASKED.items():
        _mask(upper, masked, mode)
    machine_id = secrets.token_hex(16)
    _write_settings(upper, name, machine_id)
    _write_agent(upper, authorized_key)
    return Identity(machine_id, tuple(make_key(upper / f"etc/ssh/ssh_host_{kind}_key", kind) for kind in KEY_TYPES))


def _mask(upper: Path, folder: str, mode: int) -> None:
    path = upper / folder.lstrip("/")
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    os.setxattr(path, "trusted.overlay.opaque", b"y")


def _write_settings(upper: Path, name: str, machine_id: str) -> None:
    users = [line for line in _lines("/etc/passwd") if line.split(":")[0] != AGENT]
    users.append(f"{AGENT}:x:{AGENT_ID}:{AGENT_ID}::{AGENT_HOME}:/bin/sh")
    groups = [line for line in _lines("/etc/group") if line.split(":")[0] not in {AGENT, "docker"}]
    groups += [f"{AGENT}:x:{AGENT_ID}:", f"docker:x:{AGENT_ID + 1}:{AGENT}"]
    etc = upper / "etc"
    _write(etc / "passwd", users)
    _write(etc / "group", groups)
    # `*` is no password; `!` would be a locked account, whose key sshd refuses.
    _write(etc / "shadow", [f"{line.split(':')[0]}:*:19000:0:99999:7:::" for line in users], mode=0o600)
    _write(etc / "machine-id", [machine_id])
    _write(etc / "hostname", [name])
    _write(etc / "hosts", ["127.0.0.1 localhost", f"127.0.1.1 {name}"])
    _write(etc / "resolv.conf", ["# a lab host reaches nothing but its lab"])
    _write(etc / "ssh/sshd_config", SSHD_CONFIG.splitlines())
    (upper / "var/lib/docker").mkdir(parents=True)
    (upper / "lab").mkdir()
    _write(upper / "lab/containerd.toml", CONTAINERD_CONFIG.splitlines())
    shutil.copy(INIT, upper / "lab/init")
    (upper / "lab/init").chmod(0o755)


def _write_agent(upper: Path, authorized_key: str) -> None:
    home = upper / AGENT_HOME.lstrip("/")
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    _write(home / ".ssh/authorized_keys", [authorized_key], mode=0o600)
    for owned in (home, home / ".ssh", home / ".ssh/authorized_keys", upper / PLATFORM_ROOT.lstrip("/")):
        os.chown(owned, AGENT_ID, AGENT_ID)


def make_key(path: Path, kind: str = "ed25519") -> str:
    """A key pair at `path` without a passphrase or comment; the public half, `TYPE BASE64`, is returned."""
    run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", str(path))
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _write(path: Path, lines: list[str], mode: int = 0o644) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(mode)
