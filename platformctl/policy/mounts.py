"""Rules about mounts: a container may see nothing outside the host's root, and nothing that platformctl relies on.

Paths are judged as text, with `..` resolved as Compose does. Whether a path is a link out of the root on the host is
not checked here.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from platformctl.errors import InvalidInput
from platformctl.model.compose import ComposeService, truth
from platformctl.model.frozen import dataclass
from platformctl.model.names import RepoPath
from platformctl.model.plan import OWN_FOLDER
from platformctl.policy.definitions import definitions
from platformctl.policy.rules import Candidate, Look, Rule, Sighting, in_services, shown, words

SACRED = (".git", ".platform", ".forgejo", ".github")

_ENGINE_SOCKET = re.compile(r"(docker|dockerd|containerd|podman|crio|buildkitd)[^/]*\.sock\Z")
_RUNTIME_FOLDER = re.compile(r"/(?:var/)?run(?:\Z|/(?:docker|containerd|podman|crio|buildkit|user)(?:[^/]*)(?:/|\Z))")
_SENSITIVE = words("""
    /bin /boot /dev /etc /home /lib /lib64 /proc /root /run /sbin /sys /usr /var/run /var/lib/containerd
    /var/lib/containers /var/lib/docker /var/lib/kubelet /var/lib/rancher /var/lib/systemd /var/spool/cron
    """)
_HARMLESS_TO_READ = ("/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo")
_VOLUME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_INWARD = (None, "", "private", "rprivate", "slave", "rslave")
_TYPES = ("bind", "volume", "tmpfs")


@dataclass(frozen=True)
class Mount:
    """A bind mount: its field in the compose file, `source` as written, and `path` as the host resolves it."""

    service: str
    field: str
    source: str
    path: str
    read_only: bool


def is_sacred(path: str, policy_paths: tuple[RepoPath, ...]) -> bool:
    """Whether a repository path is or lies below one that decides what platformctl trusts; case does not matter."""
    parts = path.casefold().split("/")
    if parts[0] == OWN_FOLDER or not {*parts}.isdisjoint(SACRED):
        return True
    return any(is_within(path.casefold(), sacred.casefold()) for sacred in policy_paths)


def is_within(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def binds(candidate: Candidate) -> Iterator[Mount]:
    """Yield every bind mount of the closure."""
    for service in candidate.services:
        for index, mount in enumerate(service.definition.get("volumes", ())):
            if mount["type"] == "bind":
                yield _mount(candidate, service, index, mount)


def _mount(candidate: Candidate, service: ComposeService, index: int, mount: dict[str, Any]) -> Mount:
    source = mount["source"]
    place = posixpath.join(candidate.host.root, candidate.compose.path.parent, source)
    return Mount(
        service=service.name,
        field=f"services.{service.name}.volumes.{index}",
        source=source,
        path=source if source.startswith("~") else normal(place),
        read_only=truth(mount.get("read_only")) is True,
    )


def normal(path: str) -> str:
    """Return a path as absolute, without `.`, `..`, doubled and trailing slashes."""
    return "/" + posixpath.normpath(path).lstrip("/")


def broken_rule(candidate: Candidate, mount: Mount) -> str | None:
    """Return the id of the gravest rule that a bind mount breaks, None when it is harmless."""
    root, path = normal(candidate.host.root), mount.path
    if _ENGINE_SOCKET.search(path) or _RUNTIME_FOLDER.match(path):
        return "docker-socket"
    if path == root or is_within(path.casefold(), f"{root}/{OWN_FOLDER}".casefold()):
        return "platform-root"
    if is_within(path, root) and not _is_sensitive(path, but_for=root):
        return _broken_inside(candidate, mount, path[len(root) :].lstrip("/"))
    if mount.read_only and any(is_within(path, harmless) for harmless in _HARMLESS_TO_READ):
        return None
    if path.startswith("~") or is_within(root, path) or _is_sensitive(path):
        return "sensitive-mount"
    return "mount-outside-root"


def _broken_inside(candidate: Candidate, mount: Mount, inside: str) -> str | None:
    try:
        RepoPath.parse(inside)
    except InvalidInput:
        return "mount-outside-root"
    sacred = candidate.policy.sacred_paths
    if is_sacred(inside, sacred) or any(is_within(path.casefold(), inside.casefold()) for path in sacred):
        return "sacred-path"
    if not mount.read_only and any(is_within(path, inside) for path in definitions(candidate)):
        return "writable-definition"
    return None


def _is_sensitive(path: str, but_for: str = "/") -> bool:
    """Whether `path` lies in or contains a sensitive folder of the host; folders that contain `but_for` are ignored."""
    places = (place for place in _SENSITIVE if not is_within(but_for, place))
    return any(is_within(path, place) or is_within(place, path) for place in places)


def _below_writable(candidate: Candidate) -> Iterator[Sighting]:
    writable = {mount.path for mount in binds(candidate) if not mount.read_only}
    for (service, path), field in _sources(candidate).items():
        if any(path != folder and is_within(path, folder) for folder in writable):
            yield Sighting(field, f"service {service} is given something below a folder that a container may write to")


def _sources(candidate: Candidate) -> dict[tuple[str, str], str]:
    """Return the field that names each path of the host a service mounts or is read from, by service and path."""
    root = normal(candidate.host.root)
    found = {(mount.service, mount.path): mount.field for mount in binds(candidate)}
    for service in candidate.services:  # configs, secrets and env files beside the bind mounts
        for path in (*service.mounted, *service.env_files):
            found.setdefault((service.name, normal(f"{root}/{path}")), f"services.{service.name}")
    return found


def _binds_that_break(rule: str) -> Look:
    def look(candidate: Candidate) -> Iterator[Sighting]:
        for mount in binds(candidate):
            if broken_rule(candidate, mount) == rule:
                yield Sighting(mount.field, f"service {mount.service} mounts {shown(mount.source)}")

    return look


def _engine_sockets(candidate: Candidate) -> Iterator[Sighting]:
    yield from _binds_that_break("docker-socket")(candidate)
    for service in candidate.services:
        if service.definition.get("use_api_socket") not in (None, False, "false"):
            yield Sighting(f"services.{service.name}.use_api_socket", f"service {service.name} has use_api_socket")


def _propagation(service: ComposeService) -> Iterator[tuple[str, str]]:
    for index, mount in enumerate(service.definition.get("volumes", ())):
        options = mount.get("bind")
        if isinstance(options, dict) and options.get("propagation") not in _INWARD:
            yield f"volumes.{index}", "shares what it mounts with its host"


def _unknown_types(service: ComposeService) -> Iterator[tuple[str, str]]:
    for index, mount in enumerate(service.definition.get("volumes", ())):
        source = mount.get("source")
        if mount["type"] not in _TYPES:
            yield f"volumes.{index}", f"has a mount of type {shown(mount['type'])}"
        elif mount["type"] == "volume" and source and not _VOLUME_NAME.match(source):
            yield f"volumes.{index}", "names a volume by something that is no name"


def _sacred_files(candidate: Candidate) -> Iterator[Sighting]:
    named = {
        "spec.runtime.compose_file": candidate.module.runtime.compose_file,
        "spec.env.file": candidate.module.env.file,
    }
    for field, path in named.items():
        if path is not None and is_sacred(path, candidate.policy.sacred_paths):
            yield Sighting(field, f"{shown(path)} lies under a sacred path", in_manifest=True)
    for service in candidate.services:
        bound = {mount["source"] for mount in service.definition.get("volumes", ()) if mount["type"] == "bind"}
        for path in (*service.mounted, *service.env_files):
            if is_sacred(path, candidate.policy.sacred_paths) and not _is_bound(candidate, path, bound):
                yield Sighting(f"services.{service.name}", f"service {service.name} reads {shown(path)}")
    yield from _binds_that_break("sacred-path")(candidate)


def _is_bound(candidate: Candidate, path: str, sources: set[str]) -> bool:
    """Whether a bind mount has this path as its source, so that it is reported there."""
    return any(posixpath.normpath(posixpath.join(candidate.compose.path.parent, source)) == path for source in sources)


MOUNT_RULES = (
    Rule(
        "docker-socket",
        why="whoever reaches the engine's socket is root on its host",
        instead="put a socket proxy that only reads in between, or waive the rule for the module that needs it",
        look=_engine_sockets,
    ),
    Rule(
        "platform-root",
        why="the root holds what platformctl trusts: journal, receipts and every module's files",
        instead="mount a folder below the root",
        look=_binds_that_break("platform-root"),
        waivable=False,
    ),
    Rule(
        "sensitive-mount",
        why="the host's own files give power over it",
        instead="keep the data in a named volume or below the host's root",
        look=_binds_that_break("sensitive-mount"),
    ),
    Rule(
        "mount-outside-root",
        why="what lies outside of the host's root is not this module's",
        instead="keep the data in a named volume or below the host's root",
        look=_binds_that_break("mount-outside-root"),
    ),
    Rule(
        "writable-definition",
        why="the container could rewrite a compose file or the variables it is read with",
        instead="mount a folder beside the compose file, or mount it read-only",
        look=_binds_that_break("writable-definition"),
    ),
    Rule(
        "below-writable",
        why="a link put in its place leads anywhere on the host, the engine's socket too",
        instead="mount the two from folders beside each other, or the outer one read-only",
        look=_below_writable,
    ),
    Rule(
        "sacred-path",
        why="it decides what platformctl trusts",
        instead="keep compose files and what they read elsewhere",
        look=_sacred_files,
        waivable=False,
    ),
    Rule(
        "mount-propagation",
        why="mounts made inside would appear on the host",
        instead="leave propagation out",
        look=in_services(_propagation),
    ),
    Rule(
        "mount-type",
        why="only bind mounts, named volumes and tmpfs are judged",
        instead="use one of these",
        look=in_services(_unknown_types),
    ),
)
