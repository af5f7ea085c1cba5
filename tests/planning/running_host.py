"""A host in memory on which a release runs as it is wanted; a test changes what it is about."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from platformctl.drivers.compose_settings import wanted_settings
from platformctl.drivers.docker_compose import DockerCompose
from platformctl.model.desired import FileChange, Module, Release
from platformctl.model.names import Digest, ServiceName
from platformctl.model.observed import Container, FileSeen, Identity, Observation, ResourceSeen, Source
from platformctl.model.plan import Change, PlannedImage
from platformctl.model.state import HostRecord
from platformctl.planning.diff import diff
from platformctl.planning.wanted import Wanted
from platformctl.redaction import Redactor
from tests.contracts.releases import MODULE, a_release

hide = Redactor().clean
IMAGE = Digest.of(b"image")
WHO = Identity(1000, "agent", "m", "e", "28.2.2", "amd64", "2.26.1", "", 1780000000, "/home/agent", "/usr/bin:/bin")
CONFIGURED = "services: {web: {image: 'web:1', volumes: ['./conf:/etc/conf']}}"
FILES = {"conf/a": b"1"}
NETWORK = ResourceSeen(
    "shop_default",
    {"driver": "bridge", "driver_opts": {}, "labels": {}, "internal": False, "attachable": False, "enable_ipv6": False}
    | {"subnets": ["172.18.0.0/16"]},
    "n" * 64,
)
VOLUME = {"driver": "local", "driver_opts": {}, "labels": {}}
SETTINGS = wanted_settings({})
IGNORING = replace(MODULE, on_file_change=FileChange.IGNORE)


@dataclass(frozen=True)
class Host:
    """A host on which `release` runs as it is wanted; a test changes what it is about."""

    release: Release
    observation: Observation

    def changes(
        self,
        release: Release | None = None,
        record: HostRecord | None = None,
        foreign: frozenset[ServiceName] = frozenset(),
    ) -> Mapping[str, Change]:
        """By service, for the release that runs or for another one, on a host that remembers nothing or `record`."""
        wanted = release or self.release
        refs = (image for service in wanted.compose.services.values() if (image := service.image))
        images = {ref: PlannedImage(ref, None, IMAGE) for ref in refs}
        record = record or HostRecord(wanted.module.id, 1)
        found = diff(Wanted(wanted, self.observation, images, record, DockerCompose(), hide, foreign))
        return {change.service: change for change in found}

    def with_file(self, name: str, content: bytes) -> "Host":
        """Another content of the file that ends so."""
        files = tuple(
            replace(file, digest=Digest.of(content)) if file.path.endswith(name) else file
            for file in self.observation.files
        )
        return replace(self, observation=replace(self.observation, files=files))

    def with_container(self, service: str, **about: object) -> "Host":
        """Another state of a service's container."""
        containers = tuple(
            replace(each, **about) if each.service == service else each  # type: ignore[arg-type]
            for each in self.observation.containers
        )
        return replace(self, observation=replace(self.observation, containers=containers))


def running(compose: str, files: Mapping[str, bytes] | None = None, module: Module = MODULE) -> Host:
    """A host on which the release of these files runs."""
    release = a_release(compose, files=files, module=module)
    observation = Observation(
        source=Source.LIVE,
        at="2026-06-01T12:00:00Z",
        identity=WHO,
        containers=tuple(container(name, release) for name in release.closure),
        files=tuple(FileSeen(file.path, file.digest, file.mode) for file in release.files),
        images=(),
        hashes={name: hash_of(name) for name in release.closure},
        networks=(NETWORK,),
        volumes=tuple(ResourceSeen(f"shop_{name}", VOLUME) for name in release.compose.volumes),
    )
    return Host(release, observation)


def hash_of(service: str) -> str:
    return Digest.of(service.encode()).hexadecimal


def container(service: ServiceName, release: Release) -> Container:
    return Container(
        id=hash_of(f"id of {service}"),
        name=f"shop-{service}-1",
        service=service,
        image_id=IMAGE,
        image_ref=release.compose.services[service].image or "",
        config_hash=hash_of(service),
        compose_version="2.26.1",
        state="running",
        health=None,
        exit_code=0,
        restarts=0,
        started_at="2026-06-01T12:00:00Z",
        settings={**SETTINGS, **wanted_settings(release.compose.services[service].definition)},
        networks={NETWORK.name: NETWORK.id},
        compose_file=f"{release.host.root}/{release.module.runtime.compose_file}",
    )
