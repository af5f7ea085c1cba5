"""What would happen to each container and why, from a release and a host in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.model.desired import FileChange, Module, Release
from platformctl.model.names import Digest, ServiceName
from platformctl.model.observed import Container, FileSeen, Identity, Observation, Source
from platformctl.model.plan import Action, Cause, Change
from platformctl.model.state import HostRecord
from platformctl.planning.diff import Wanted, diff
from tests.contracts.releases import MODULE, a_release

IMAGE = Digest.of(b"image")
WHO = Identity(1000, "agent", "m", "e", "28.2.2", "amd64", "2.26.1", 1780000000, "/home/agent", "/usr/bin:/bin")
CONFIGURED = "services: {web: {image: 'web:1', volumes: ['./conf:/etc/conf']}}"
FILES = {"conf/a": b"1"}
WITH_ENV_FILE = "services: {web: {image: 'web:1', env_file: ['./web.env'], volumes: ['./conf:/etc/conf']}}"
IGNORING = replace(MODULE, on_file_change=FileChange.IGNORE)


@dataclass(frozen=True)
class Host:
    """A host on which `release` runs as it is wanted; a test changes what it is about."""

    release: Release
    observation: Observation

    def changes(self, release: Release | None = None) -> Mapping[str, Change]:
        """By service, for the release that runs or for another one."""
        wanted = release or self.release
        images = {image: IMAGE for service in wanted.compose.services.values() if (image := service.image)}
        record = HostRecord(wanted.module.id, 1)
        found = diff(Wanted(wanted, self.observation, images, record, DockerCompose()))
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
    )


def test_what_runs_as_it_is_wanted_is_kept() -> None:
    change = running(CONFIGURED, FILES).changes()["web"]

    assert (change.action, change.causes) == (Action.KEEP, ())


@pytest.mark.parametrize(
    ("module", "action"), [(MODULE, Action.RECREATE), (IGNORING, Action.UPDATE)], ids=["recreate", "ignore"]
)
def test_a_mounted_file_that_changed_does_what_the_manifest_says(module: Module, action: Action) -> None:
    change = running(CONFIGURED, FILES, module).with_file("conf/a", b"2").changes()["web"]

    assert (change.action, change.causes) == (action, (Cause.FILE_CONTENT,))


def test_an_env_file_makes_a_new_container_whatever_is_said_of_mounted_files() -> None:
    host = running(WITH_ENV_FILE, {**FILES, "web.env": b"A=1\n"}, IGNORING)

    assert host.with_file("web.env", b"A=2\n").changes()["web"].action is Action.RECREATE


def test_an_ignored_file_hides_nothing_else() -> None:
    host = running(CONFIGURED, FILES, IGNORING).with_file("conf/a", b"2")

    stopped = host.with_container("web", state="exited").changes()["web"]
    other = host.with_container("web", image_id=Digest.of(b"other")).changes()["web"]

    assert (stopped.action, stopped.causes) == (Action.START, (Cause.FILE_CONTENT, Cause.UNHEALTHY))
    assert (other.action, other.causes) == (Action.RECREATE, (Cause.IMAGE_DIGEST, Cause.FILE_CONTENT))


def test_a_one_shot_whose_file_is_ignored_runs_again_with_the_others() -> None:
    compose = """services:
      web: {image: 'web:1', depends_on: {job: {condition: service_completed_successfully}}}
      job: {image: 'job:1', volumes: ['./conf:/etc/conf']}
    """
    host = running(compose, FILES, IGNORING).with_container("job", state="exited").with_file("conf/a", b"2")

    assert host.changes()["job"].action is Action.UPDATE
    assert host.with_container("web", config_hash="x").changes()["job"].action is Action.START
