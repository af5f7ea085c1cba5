"""What a host with Docker Compose answers: good answers to change, and a `docker` program that says what it is told."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from platformctl.model.command import Command, Completed
from platformctl.model.desired import Release
from platformctl.model.names import Digest

CONFIG = Digest.of(b"configuration")
IMAGE, OTHER_IMAGE = Digest.of(b"image"), Digest.of(b"other image")
SETTINGS: dict[str, object] = {
    "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
    **dict.fromkeys(("Memory", "MemoryReservation", "NanoCpus", "CpuShares", "CpuPeriod", "CpuQuota"), 0),
    **dict.fromkeys(("MemorySwap", "BlkioWeight"), 0),
    **dict.fromkeys(("CpusetCpus", "CpusetMems"), ""),
    "PidsLimit": None,
    "CapAdd": None,
    "CapDrop": ["CAP_CHOWN"],
    "Privileged": False,
    "ReadonlyRootfs": False,
}
CONTAINER = {
    "id": "0123456789ab" * 5 + "0123",
    "name": "/shop-web-1",
    "project": "shop",
    "service": "web",
    "hash": "a" * 64,
    "version": "2.26.1",
    "oneoff": "False",
    "image_id": IMAGE,
    "image_ref": "web:1",
    "state": "running",
    "health": "healthy",
    "exit_code": 0,
    "restarts": 0,
    "started_at": "2026-06-01T12:00:00.5Z",
    "folder": "/opt/platform/modules/shop",
    "files": "/opt/platform/modules/shop/compose.yaml",
    "networks": {"shop_default": {"NetworkID": "n" * 64, "Aliases": ["shop-web-1", "web"]}},
    "settings": SETTINGS,
}
"""A container as the question's template prints it."""


_LABELS = {"com.docker.compose.project": "shop"}
NETWORK = {
    "Id": "n" * 64,
    "Name": "shop_default",
    "Labels": _LABELS,
    "Driver": "bridge",
    "Options": {},
    "Internal": False,
    "Attachable": False,
    "EnableIPv6": False,
    "IPAM": {"Config": [{"Subnet": "172.18.0.0/16"}]},
}
VOLUME = {"Name": "shop_data", "Labels": _LABELS, "Driver": "local", "Options": None}
FOUND = {"Id": IMAGE, "RepoDigests": ["web@" + OTHER_IMAGE]}
"""A network, a volume and an image as the engine's API has them."""
MARK = b"01234567-89ab-cdef-0123-456789abcdef"


def frame(sections: Mapping[str, bytes | tuple[int, bytes]]) -> bytes:
    """Sections as a host frames them; one that ended with another status than 0 is a pair."""
    parts = [MARK + b"\n"]
    for name, told in sections.items():
        status, body = told if isinstance(told, tuple) else (0, told)
        parts.append(b"%s\n%s %s %d\n" % (body, MARK, name.encode(), status))
    return b"".join(parts)


def http(*answers: object, statuses: Mapping[int, int] | None = None) -> bytes:
    """Answers of the engine on one connection, each in another of the forms that HTTP has; `statuses` by position."""
    told = b""
    for number, answer in enumerate(answers):
        body, status = json.dumps(answer).encode() + b"\n", (statuses or {}).get(number, 200)
        if number == len(answers) - 1:
            told += b"HTTP/1.0 %d Word\r\nServer: Docker\r\n\r\n%s" % (status, body)
        elif number % 2:
            told += b"HTTP/1.1 %d Word\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
        else:
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]))
            told += b"HTTP/1.1 %d Word\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % (status, chunks)
    return told


def engine(
    *images: object,
    all_images: object = (FOUND,),
    networks: object = (NETWORK,),
    volumes: object = (VOLUME,),
    containers: tuple[str, ...] = (str(CONTAINER["id"]),),
    statuses: Mapping[int, int] | None = None,
) -> bytes:
    """What the engine says in a look: each image that is named, and then all it has."""
    several = (*(images or (FOUND,)), all_images, networks, {"Volumes": volumes})
    return http(*several, listing(*containers), statuses=statuses)


def listing(*containers: str) -> object:
    """The engine's list of containers; there is something in each that nobody else is to know."""
    labels = {"Id": "9" * 64, "a": 'x"}'}
    mounts = [{"Type": "volume", "Name": "shop_data", "Source": "", "Destination": "/data"}]
    mounts.append({"Type": "bind", "Source": "/opt/platform/conf", "Destination": "/etc/conf"})
    told = {"Command": "serve --password hunter2", "Labels": labels, "Mounts": mounts}
    return [{"Id": each, **told} for each in containers]


def line(data: object) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


IDENTITY = {
    "me": b"uid=1000(agent) gid=1000(agent) groups=1000(agent)\nmachine-1\n1780000000\n/home/agent\n/usr/bin:/bin\n",
    "engine": http({"ID": "engine-1", "ServerVersion": "28.2.2", "Architecture": "x86_64", "Labels": []}),
    "program": b"64288304 /usr/libexec/docker/cli-plugins/docker-compose 101 1466390 2025-03-14 2026-11-27\n",
    "compose": b"2.26.1-4\n",
}
WATCH = {"containers": line(CONTAINER), "engine": http(listing(str(CONTAINER["id"])))}
WHOLE = {**WATCH, "engine": http([NETWORK], {"Volumes": [VOLUME]}, listing(str(CONTAINER["id"])))}
IMAGES = {"engine": http([FOUND])}
KEPT = {"asked": b"", "engine": http(listing(str(CONTAINER["id"])))}


def look(release: Release) -> dict[str, bytes]:
    """Its first file is there, its others are not; everything else is as for a release named shop."""
    paths = sorted(file.path for file in release.files if not file.path.startswith(".platformctl/"))
    present = release.files[0].path
    refs = sorted({str(release.compose.services[name].image) for name in release.closure})
    return {
        "containers": line(CONTAINER),
        "names": b"",
        "engine": engine(*[FOUND] * len(refs)),
        "present": b"".join(b"+\n" if path == present else b"-\n" for path in paths),
        "digests": b"%s  %s\0" % (CONFIG.hexadecimal.encode(), present.encode()),
        "modes": b"644\n",
        "images": b"",
        "compose": b"unasked\n",
        "kept": CONFIG.hexadecimal.encode() + b"\n",
        "linked": b"",
        "variables.0": b"",
        "deciding.0": b"",
        "environment.0": b"",
        "host-files.0": b"",
        "hashes.0": b"".join(b"%s %s\n" % (name.encode(), b"a" * 64) for name in release.closure),
    }


_TOOLS = (
    "awk cat chmod cut date env false grep head id ln mkdir mkfifo mktemp rm sed sh sha256sum sort stat tar timeout tr "
    "true wc xargs"
)
_DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >>'{here}/asked'
case "$*" in
{cases}*) echo "unexpected: $*" >&2; exit 64;;
esac
"""
_TIMEOUT = """#!/bin/sh
case "$*" in *'docker {words}'*) printf '%s %s\\n' "$3" "$2" >>'{granted}'; shift 3; set -- -k 1 0.3 "$@";; esac
exec {timeout} "$@"
"""


@dataclass
class FakeDocker:
    """A folder of programs in which `docker` answers as told: by how its words begin, bytes and a status."""

    here: Path
    answers: dict[str, tuple[bytes, int]] = field(default_factory=dict)

    @classmethod
    def create(cls, here: Path) -> "FakeDocker":
        (here / "bin").mkdir(parents=True)
        (here / "tmp").mkdir()
        for path in (here, here / "bin", here / "tmp"):
            path.chmod(0o777)
        for tool in _TOOLS.split():
            (here / "bin" / tool).symlink_to(shutil.which(tool) or tool)
        return cls(here)

    def says(self, words: str, output: bytes = b"", status: int = 0) -> "FakeDocker":
        """From now on `docker WORDS…` says this."""
        self.answers[words] = (output, status)
        cases = ""
        for number, (beginning, (said, code)) in enumerate(self.answers.items()):
            (self.here / f"answer{number}").write_bytes(said)
            cases += f"'{beginning}'*) cat '{self.here}/answer{number}'; exit {code};;\n"
        self.program("docker", _DOCKER.format(here=self.here, cases=cases))
        return self

    def hangs(self, words: str) -> Path:
        """From now on `docker WORDS…` does not end by itself, and is ended soon. The file has what it was granted each
        time, in seconds: until it would have been ended, and until it would have been killed then.
        """
        granted, docker = self.here / "granted", (self.here / "bin/docker").read_text()
        self.program("timeout", _TIMEOUT.format(words=words, granted=granted, timeout=shutil.which("timeout")))
        silent = f"case \"$*\" in\n'{words}'*) exec {shutil.which('sleep')} 3600;;\n"
        self.program("docker", docker.replace('case "$*" in\n', silent))
        return granted

    def program(self, name: str, script: str) -> None:
        path = self.here / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(script)
        path.chmod(0o755)

    @property
    def asked(self) -> tuple[str, ...]:
        """The words of every call so far."""
        log = self.here / "asked"
        return tuple(log.read_text().splitlines()) if log.exists() else ()

    def run(self, command: Command, *, as_nobody: bool = False, **environment: str) -> Completed:
        """The command, run here; `as_nobody` where a root would be above the permissions that are asked about."""
        own = {"PATH": str(self.here / "bin"), "HOME": str(self.here), "TMPDIR": str(self.here / "tmp")}
        ended = subprocess.run(
            command.argv,
            input=command.stdin,
            capture_output=True,
            env={**own, **environment},
            user=65534 if as_nobody and os.getuid() == 0 else None,
            check=False,
        )
        return Completed(ended.returncode, ended.stdout, ended.stderr)
