"""Images made by hand, for engines that reach no registry: one busybox layer, one configuration each.

The archive has fixed times and owners, so every engine of a machine gives the same image the same id.
All of them stop at once: their stop signal is SIGKILL, which even a main process without handlers obeys.
"""

import hashlib
import io
import json
import platform
import shutil
import tarfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.lab.engine import Engine

REPOSITORY = "platformctl-lab"
APPLETS = ("cat", "date", "echo", "env", "false", "hostname", "httpd", "id", "ls", "mkdir", "nc", "printenv", "rm",
           "sh", "sleep", "test", "touch", "true", "wget")  # fmt: skip
WEB_VERSIONS = ("1", "2")
MILLISECOND = 1_000_000
"""Docker's API counts durations in nanoseconds."""


@dataclass(frozen=True)
class Image:
    """What one image runs; `check` is its health check, asked every 300 ms, unhealthy after one failure."""

    name: str
    command: tuple[str, ...]
    check: tuple[str, ...] = ()
    tag: str = "1"
    environment: tuple[str, ...] = field(default=("PATH=/bin",))

    @property
    def reference(self) -> str:
        return f"{REPOSITORY}/{self.name}:{self.tag}"

    def configuration(self, layer_digest: str) -> bytes:
        config: dict[str, object] = {"Cmd": self.command, "Env": self.environment, "StopSignal": "SIGKILL"}
        if self.check:
            config["Healthcheck"] = {
                "Test": ["CMD", *self.check],
                "Interval": 300 * MILLISECOND,
                "Timeout": 30_000 * MILLISECOND,
                "Retries": 1,
            }
        return _json(
            {
                "architecture": _architecture(),
                "os": "linux",
                "created": "1970-01-01T00:00:00Z",
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
                "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "platformctl lab"}],
            }
        )


def _web(version: str) -> Image:
    return Image("web", ("httpd", "-f", "-p", "8080", "-h", f"/www/{version}"), tag=version)


DATABASE = """\
#!/bin/sh
# Counts how often it was asked; the count outlives the container when /data is a volume.
visits=$(($(cat /data/visits 2>/dev/null || echo 0) + 1))
mkdir -p /data && echo "$visits" >/data/visits
printf 'Content-Type: text/plain\\r\\n\\r\\n%s\\n' "$visits"
"""
START_DATABASE = 'echo "/:api:$DB_PASSWORD" >/tmp/httpd.conf && exec httpd -f -p 5432 -h /srv/db -c /tmp/httpd.conf'
API = """\
#!/bin/sh
# Greets, and says what the database answered to the password it was given.
status='200 OK'
visits=$(wget -q -O - "http://api:$DB_PASSWORD@$DATABASE/") || status='502 Bad Gateway'
printf 'Status: %s\\r\\nContent-Type: text/plain\\r\\n\\r\\n%s, visit %s\\n' "$status" "$GREETING" "${visits:-unknown}"
"""
PROGRAMS_OF_SERVICES = {"db": DATABASE, "api": API}
"""CGI programs that busybox's httpd runs for `/`."""

SLEEP = ("sleep", "2147483647")
IMAGES = (
    *(_web(version) for version in WEB_VERSIONS),
    Image("db", ("sh", "-c", START_DATABASE)),
    Image("api", ("httpd", "-f", "-p", "8080", "-h", "/srv/api")),
    Image("healthy", SLEEP, check=("true",)),
    Image("unhealthy", SLEEP, check=("false",)),
    Image("crash", ("sh", "-c", "echo crashing; exit 3")),
    Image("job", ("sh", "-c", "echo done")),
    Image("job-fails", ("sh", "-c", "echo failing; exit 1")),
    Image("sleeper", SLEEP),
)


def load(engine: Engine) -> None:
    """Give the engine every image of `IMAGES`; those it has already stay as they are."""
    engine.request("POST", "/images/load?quiet=1", archive(), {"Content-Type": "application/x-tar"})


@cache
def archive() -> bytes:
    """What `docker load` takes; FileNotFoundError when no static busybox is on PATH."""
    manifest = [
        {"Config": f"{_digest(configuration)}.json", "RepoTags": [reference], "Layers": ["layer.tar"]}
        for reference, configuration in _configurations().items()
    ]
    files = [_file(f"{_digest(configuration)}.json", configuration) for configuration in _configurations().values()]
    return _tar([_file("layer.tar", _layer()), *files, _file("manifest.json", _json(manifest))])


def ids() -> dict[str, str]:
    """The image id behind each reference, on every engine that loaded them."""
    return {reference: f"sha256:{_digest(configuration)}" for reference, configuration in _configurations().items()}


@cache
def _configurations() -> dict[str, bytes]:
    layer_digest = _digest(_layer())
    return {image.reference: image.configuration(layer_digest) for image in IMAGES}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


Member = tuple[tarfile.TarInfo, bytes]


@cache
def _layer() -> bytes:
    return _tar(_programs_and_pages())


def _programs_and_pages() -> list[Member]:
    services = [f"srv/{name}" for name in PROGRAMS_OF_SERVICES]
    pages = [f"www/{version}" for version in WEB_VERSIONS]
    folders = ("bin", "etc", "srv", "tmp", "www", *pages, *services, *(f"{name}/cgi-bin" for name in services))
    return [
        *(_folder(name) for name in folders),
        _file("bin/busybox", _static_busybox(), mode=0o755),
        *(_link(f"bin/{applet}", "busybox") for applet in APPLETS),
        _file("etc/passwd", b"root:x:0:0::/:/bin/sh\n"),
        *(_file(f"www/{version}/index.html", f"version {version}\n".encode()) for version in WEB_VERSIONS),
        *(_file(f"{folder}/health", b"ok\n") for folder in (*pages, *services)),
        *(
            _file(f"srv/{name}/cgi-bin/index.cgi", program.encode(), mode=0o755)
            for name, program in PROGRAMS_OF_SERVICES.items()
        ),
    ]


def _static_busybox() -> bytes:
    path = shutil.which("busybox", path="/bin:/usr/bin")
    if path is None:
        raise FileNotFoundError("busybox is not installed (Debian: busybox-static)")
    program = Path(path).read_bytes()
    if b"/ld-" in program[:4096]:  # the name of a dynamic loader stands among an ELF file's first headers
        raise FileNotFoundError(f"{path} is dynamically linked; busybox-static is needed")
    return program


def _architecture() -> str:
    """The machine's name in Docker's words."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _folder(name: str) -> Member:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    return entry, b""


def _link(name: str, target: str) -> Member:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    return entry, b""


def _file(name: str, content: bytes, mode: int = 0o644) -> Member:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    return entry, content


def _tar(members: list[Member]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for entry, content in members:
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
