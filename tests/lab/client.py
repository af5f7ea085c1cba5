"""What a client of the lab is given: a key, the hosts' keys, a configuration for the ssh program, an inventory."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lab import disk
from tests.lab.host import Host
from tests.lab.network import Network
from tests.lab.place import Place

KEY, KNOWN_HOSTS, SSH_CONFIG, INVENTORY = "lab_key", "lab_known_hosts", "lab_ssh_config", "lab.json"
PLAIN_FIELDS = ("name", "address", "port", "user", "root", "machine_id", "engine_id", "host_keys")
FILES = (KEY, f"{KEY}.pub", KNOWN_HOSTS, SSH_CONFIG, INVENTORY)
"""Names that nothing else has, as they are overwritten and removed without asking."""


def write_key(directory: Path) -> str:
    """The agent's key pair; its public half is returned. What an abandoned lab left here goes."""
    remove(directory)
    return disk.make_key(directory / KEY)


def write_hosts(directory: Path, hosts: Sequence[Host]) -> None:
    known = [f"{host.address},{host.name} {key}\n" for host in hosts for key in host.host_keys]
    (directory / KNOWN_HOSTS).write_text("".join(known))
    (directory / SSH_CONFIG).write_text("\n".join(_ssh_config(directory, host) for host in hosts))
    (directory / INVENTORY).write_text(json.dumps({"hosts": [_entry(host) for host in hosts]}, indent=2) + "\n")


def read_hosts(directory: Path, network: Network) -> tuple[Host, ...]:
    entries = json.loads((directory / INVENTORY).read_text())["hosts"]
    return tuple(_host(entry, network, index) for index, entry in enumerate(entries, start=1))


def hand_over(directory: Path) -> None:
    """Where sudo made them, the files belong to the person who called it."""
    if "SUDO_UID" in os.environ:
        owner = int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"])
        for path in (directory, *(directory / name for name in FILES)):
            os.chown(path, *owner)


def remove(directory: Path) -> None:
    for name in FILES:
        (directory / name).unlink(missing_ok=True)


def _ssh_config(directory: Path, host: Host) -> str:
    return f"""\
Host {host.name} {host.address}
    HostName {host.address}
    Port {host.port}
    User {host.user}
    IdentityFile {directory / KEY}
    IdentitiesOnly yes
    UserKnownHostsFile {directory / KNOWN_HOSTS}
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
"""


def _entry(host: Host) -> dict[str, object]:
    plain = {field: getattr(host, field) for field in PLAIN_FIELDS}
    return {**plain, "host_key_fingerprints": host.host_key_fingerprints, "key_path": str(host.key_path)}


def _host(entry: dict[str, Any], network: Network, index: int) -> Host:
    plain = {field: entry[field] for field in PLAIN_FIELDS}
    return Host(
        **{**plain, "host_keys": tuple(entry["host_keys"])},
        key_path=Path(entry["key_path"]),
        place=Place(network, entry["name"], index),
    )
