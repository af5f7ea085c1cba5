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
    "networks": {"shop_default": {"NetworkID": "n" * 64}},
    "settings": {
        "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        **dict.fromkeys(("Memory", "MemoryReservation", "NanoCpus", "CpuShares", "CpuPeriod", "CpuQuota"), 0),
        "CpusetCpus": "",
        "PidsLimit": None,
        "CapAdd": None,
        "CapDrop": ["CAP_CHOWN"],
        "Privileged": False,
        "ReadonlyRootfs": False,
    },
}
"""A container as the question's template prints it."""


_LABELS = {"com.docker.compose.project": "shop"}
NETWORK = {
    "id": "n" * 64,
    "name": "shop_default",
    "labels": _LABELS,
    "driver": "bridge",
    "options": {},
    "internal": False,
    "attachable": False,
    "enable_ipv6": False,
    "subnets": [{"Subnet": "172.18.0.0/16"}],
}
VOLUME = {"name": "shop_data", "labels": _LABELS, "driver": "local", "options": None}
"""A network and a volume as their templates print them."""


def frame(sections: Mapping[str, bytes | tuple[int, bytes]]) -> bytes:
    """Sections as a host frames them; one that ended with another status than 0 is a pair."""
    parts = []
    for name, told in sections.items():
        status, body = told if isinstance(told, tuple) else (0, told)
        parts.append(b"%s %d %d\n%s" % (name.encode(), status, len(body), body))
    return b"".join(parts)


def line(data: object) -> bytes:
    return json.dumps(data).encode() + b"\n"


IDENTITY = {
    "me": b"1000\nagent\nmachine-1\n1780000000\n/home/agent\n",
    "path": b"/usr/bin:/bin\n",
    "engine": b"engine-1 28.2.2 x86_64\n",
    "compose": b"2.26.1-4\n",
}
WATCH = {"containers": line(CONTAINER)}
WHOLE = {**WATCH, "resources": b"network shop_default %s\nvolume shop_data\n" % (b"n" * 64)}


def look(release: Release) -> dict[str, bytes]:
    """Its first file is there, its others are not; everything else is as for a release named shop."""
    present, *absent = (file.path.encode() for file in release.files)
    refs = sorted({str(release.compose.services[name].image) for name in release.closure})
    return {
        "containers": line(CONTAINER),
        "files": b"%s 644 %s\n" % (CONFIG.hexadecimal.encode(), present) + b"".join(b"- - %s\n" % p for p in absent),
        "images": b"".join(
            b"local %s " % r.encode() + line({"id": IMAGE, "digests": ["web@" + OTHER_IMAGE]}) for r in refs
        ),
        "image-ids": IMAGE.encode() + b"\n",
        "networks": line(NETWORK),
        "volumes": line(VOLUME),
        "kept": CONFIG.hexadecimal.encode() + b"\n",
        "variables.0": b"",
        "deciding.0": b"",
        "environment.0": b"",
        "hashes.0": b"web " + b"a" * 64 + b"\n",
    }


_TOOLS = (
    "cat chmod cut date env false grep head id ls mkdir mktemp paste printenv "
    "rm sed sh sha256sum sort stat tar timeout tr true wc xargs"
)
_DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >>'{here}/asked'
case "$*" in
{cases}*) echo "unexpected: $*" >&2; exit 64;;
esac
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

    def program(self, name: str, script: str) -> None:
        path = self.here / "bin" / name
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
