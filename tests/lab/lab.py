"""Several hosts that know nothing of each other but an address, and the files a client needs to reach them."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.lab import client, disk, images, registry
from tests.lab.host import Host
from tests.lab.machine import ENVIRONMENT, LabError, run
from tests.lab.network import Network
from tests.lab.place import SSH_PORT, Place

PROGRAMS = ("docker", "dockerd", "ebtables-nft", "ip", "nsenter", "pivot_root", "sshd", "ssh-keygen", "unshare")
MOST_AT_ONCE = 8
"""Hosts that boot at the same time."""


class LabUnavailable(LabError):
    """This machine can not have a lab; the text says what is missing."""


def why_unavailable() -> str | None:
    """None where a lab can be had."""
    if os.geteuid() != 0:
        return "lab hosts need root"
    missing = [program for program in PROGRAMS if shutil.which(program, path=ENVIRONMENT["PATH"]) is None]
    if missing:
        return f"lab hosts need {', '.join(missing)} (setup_lab_tools and setup_docker in scripts/setup.sh)"
    try:
        run("unshare", "--net", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt")
        images.archive()
    except (LabError, FileNotFoundError) as reason:
        return f"lab hosts can not be had here: {reason}"
    return None


@dataclass(frozen=True)
class Lab:
    """Hosts that are up. Leaving its `with` block takes them down."""

    directory: Path
    hosts: tuple[Host, ...]
    claim: registry.Claim

    @classmethod
    def up(cls, count: int, directory: Path) -> Self:
        """`count` hosts, and in `directory` their client files. Raises LabUnavailable where there can be none."""
        if reason := why_unavailable():
            raise LabUnavailable(reason)
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        claim = registry.claim(directory)
        try:
            return cls(directory, _start(claim, directory, count), claim)
        except BaseException:
            claim.release()
            client.remove(directory)
            raise

    @property
    def network(self) -> Network:
        """The wires between its hosts and this machine."""
        return Network(self.claim.number)

    def keep(self) -> None:
        """The hosts outlive this process, until `down`."""
        self.claim.keep()

    def down(self) -> None:
        self.claim.release()
        client.remove(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()


def down(directory: Path) -> bool:
    """Remove the lab of `directory`, also one whose `up` was killed half way; False when there is none."""
    directory = directory.resolve()
    claim = registry.reclaim(directory)
    if claim is not None:
        claim.release()
    client.remove(directory)
    return claim is not None


def hosts_of(directory: Path) -> tuple[Host, ...]:
    """The hosts of a lab that is up, whoever owns it. Raises LabError when there is none, or only half of one."""
    directory = directory.resolve()
    number = registry.number_of(directory)
    if number is None:
        raise LabError(f"there is no lab of {directory}")
    try:
        return client.read_hosts(directory, Network(number))
    except FileNotFoundError as missing:
        raise LabError(f"the lab of {directory} never came up whole; take it down") from missing


def _start(claim: registry.Claim, directory: Path, count: int) -> tuple[Host, ...]:
    network = Network(claim.number)
    network.create()
    key = client.write_key(directory)
    places = [Place(network, f"h{index}", index) for index in range(1, count + 1)]
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        hosts = tuple(pool.map(lambda place: _start_host(place, directory, key), places))
    client.write_hosts(directory, hosts)
    client.hand_over(directory)
    return hosts


def _start_host(place: Place, directory: Path, key: str) -> Host:
    identity = place.create(key)
    place.boot()
    images.load(place.engine)
    return Host(
        name=place.name,
        address=place.address,
        port=SSH_PORT,
        user=disk.AGENT,
        root=disk.PLATFORM_ROOT,
        host_keys=identity.public_keys,
        machine_id=identity.machine_id,
        engine_id=place.engine.get("/info")["ID"],
        key_path=directory / client.KEY,
        place=place,
    )
