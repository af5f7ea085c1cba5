"""What happens on a host, seen without its network and without asking the program under test.

with untouched(host):
    repo.apply(plan, expect=5)

with overheard(host) as heard:
    repo.deploy("web")
assert heard.composed() == [...]
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.lab import Host
from tests.lab.disk import AGENT_HOME, PLATFORM_ROOT
from tests.lab.images import ids

FILES = f"""
cd {PLATFORM_ROOT} && find . -path ./.platformctl -prune -o ! -type d -exec sha256sum {{}} + | sed 's, \\./, ,'
"""
CALLERS = "grep -cE 'Accepted|preauth|Failed|Invalid' /var/log/sshd.log || :"
"""Prints how many came to sshd. Its words about their leaving may come late, and do not count."""
LOG = "/tmp/docker.log"
REAL, IN_BETWEEN = "/run/docker.real", "/run/docker.in-between"
SAY = r"""#!/bin/sh
said=$(printf '%s\037' "$PWD" "$@"); printf '%s\n' "$said" >>/tmp/docker.log
"""
"""A line in one write: two programs may be started at the same time."""
GO_ON = f'exec {REAL} "$@"\n'
SEPARATOR = "\x1f"
SETTINGS = f"{AGENT_HOME}/.docker/config.json"


@dataclass(frozen=True)
class Sight:
    """Everything that an apply may touch, at one moment."""

    containers: Mapping[str, tuple[str, str]]
    """Name → id and state."""
    networks: frozenset[str]
    volumes: frozenset[str]
    tags: frozenset[tuple[str, str]]
    files: Mapping[str, str]
    """Path below the root, the tool's own folder left out → sha256 of the bytes."""


def see(host: Host) -> Sight:
    """The host as it is."""
    engine = host.engine
    lines = (line.split(maxsplit=1) for line in host.sh(FILES).splitlines())
    return Sight(
        containers={c["Names"][0]: (c["Id"], c["State"]) for c in engine.get("/containers/json?all=1")},
        networks=frozenset(network["Id"] for network in engine.get("/networks")),
        volumes=frozenset(volume["Name"] for volume in engine.get("/volumes")["Volumes"] or ()),
        tags=frozenset(
            (tag, i["Id"]) for i in engine.get("/images/json") for tag in i["RepoTags"] or () if not _is_kept(tag)
        ),
        files={path: digest for digest, path in lines},
    )


@contextmanager
def untouched(host: Host) -> Iterator[None]:
    """Fails when the block changed a container, network, volume, tag or delivered file, if only for a moment."""
    before, since = see(host), time.time()
    yield
    assert see(host) == before
    assert deeds(host, since) == []


def deeds(host: Host, since: float) -> list[str]:
    """What the engine did since then, a time of the epoch in seconds; its health checks are its own affair."""
    told = host.engine.request("GET", f"/events?since={since:.9f}&until={time.time():.9f}").decode()
    events = [json.loads(line) for line in told.splitlines()]
    return [f"{e['Type']} {e['Action']}" for e in events if not _is_nothing(e)]


def _is_nothing(event: Mapping[str, Any]) -> bool:
    """Health checks, and names by which previous images are kept from being pruned."""
    name = event["Actor"]["Attributes"].get("name", "")
    return event["Action"].startswith(("exec_", "health_status")) or (event["Type"] == "image" and _is_kept(name))


def _is_kept(tag: str) -> bool:
    return tag.startswith("platformctl/")


def running(host: Host) -> dict[str, str]:
    """Service → image reference of every container that runs."""
    return {c["Labels"]["com.docker.compose.service"]: image_of(c) for c in host.engine.get("/containers/json")}


def image_of(container: Mapping[str, Any]) -> str:
    """The reference behind a container's image id, whatever the tags say now."""
    return next(ref for ref, image_id in ids().items() if image_id == container["ImageID"])


@dataclass(frozen=True)
class Told:
    """One run of the docker program by the agent."""

    folder: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Overheard:
    """What the docker program of a host was told, in order."""

    host: Host

    def all(self) -> list[Told]:
        """Every command so far."""
        rows = (line.removesuffix(SEPARATOR).split(SEPARATOR) for line in self.host.sh(f"cat {LOG}").splitlines())
        return [Told(row[0], tuple(row[1:])) for row in rows]

    def composed(self) -> list[Told]:
        """The commands of Compose that change something."""
        return [told for told in self.all() if told.words[0] == "compose" and {"up", "rm", "down"} & {*told.words}]


@contextmanager
def overheard(host: Host, before_each: str = "") -> Iterator[Overheard]:
    """Between the agent and the docker program stands a script that writes down each command.

    `before_each` is shell that runs before the real program, with the command's words in "$@". A context in docker's
    settings has the engine asked through that program too, and not at its socket.
    """
    host.write(SETTINGS, b'{"currentContext": "default"}')
    host.write(IN_BETWEEN, f"{SAY}{before_each}\n{GO_ON}".encode(), owner="root")
    host.sh(f"""
        chmod 755 {IN_BETWEEN}; : >{LOG}; chmod 666 {LOG}; : >{REAL}; docker=$(command -v docker)
        mount --bind "$docker" {REAL}; mount --bind {IN_BETWEEN} "$docker"
    """)
    try:
        yield Overheard(host)
    finally:
        host.sh(f'umount -l "$(command -v docker)" {REAL}; rm {SETTINGS}')


@dataclass(frozen=True)
class HeldUp:
    """A command of the agent that waits in the middle of what it was asked for."""

    host: Host
    heard: Overheard

    def arrived(self) -> str:
        """Wait until the command is there, and say which it is."""
        return self.host.sh("timeout 60 cat /tmp/arrived").strip()

    def let_go(self) -> None:
        """Let it do what it was told."""
        self.host.sh("timeout 60 sh -c 'echo >/tmp/gate'")


@contextmanager
def held_up(host: Host, condition: str) -> Iterator[HeldUp]:
    """The first docker command for which the shell `condition` holds, its words in "$*", waits to be let go."""
    host.sh("mkfifo -m 666 /tmp/arrived /tmp/gate")
    wait = f'if {condition} && mkdir /tmp/passed 2>/dev/null; then echo "$*" >/tmp/arrived; read -r _ </tmp/gate; fi'
    with overheard(host, wait) as heard:
        yield HeldUp(host, heard)


STARTS = "case \"$*\" in *' up -d '*) ;; *) false ;; esac"
"""Compose is told to bring a service up."""
UNDER_LOCK = f"[ -e {PLATFORM_ROOT}/.platformctl/lock.owner ]"
"""On a host where nobody applied before: whoever asks Docker now has the lock."""
WITH_INTENT = f'[ "$(find {PLATFORM_ROOT}/.platformctl/journal -maxdepth 1 -type f)" ] && [ "$1" = system ]'
"""The intent is written, and nothing else yet: the containers are looked at once more."""
