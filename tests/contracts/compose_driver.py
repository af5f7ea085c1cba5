"""What tests of the driver docker-compose share: a host whose `docker` says what it is told, and a look at it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.drivers.interface import Question
from platformctl.errors import or_raise
from platformctl.model.desired import Environment, Release
from platformctl.model.names import Digest, RepoPath, VariableName
from platformctl.model.observed import Identity, Observation
from tests.contracts.compose_host import CONTAINER, FakeDocker, engine, line
from tests.contracts.releases import FOLDER, a_release

DRIVER = DockerCompose()
NOW = "2026-06-01T12:00:00Z"
WHO = Identity(1000, "agent", "m", "e", "28.2.2", "amd64", "2.26.1", "", 1780000000, "/home/agent", "/usr/bin:/bin")
WEB = "services: {web: {image: 'web:1', volumes: ['./web.conf:/etc/web.conf']}}"
FILES = {"web.conf": b"listen 80\n"}
ENVIRONMENT = Environment(
    set={VariableName("A"): "1"},
    file=RepoPath("secrets/shop.env"),
    required=(VariableName("A"), VariableName("PASSWORD"), VariableName("TOKEN")),
)


@pytest.fixture
def docker() -> Iterator[FakeDocker]:
    """Beside pytest's own folders, which nobody but their owner may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield FakeDocker.create(Path(name) / "host")


@pytest.fixture
def root(docker: FakeDocker) -> Path:
    """A host's root with the compose file of the release, and one file that was kept."""
    root = docker.here / "root"
    (root / FOLDER).mkdir(parents=True)
    (root / FOLDER / "compose.yaml").write_text("before")
    (root / ".platformctl/blobs").mkdir(parents=True)
    (root / ".platformctl/blobs" / Digest.of(b"kept").hexadecimal).write_text("kept")
    return root


def running(docker: FakeDocker) -> FakeDocker:
    """A host where the project runs."""
    docker.says("system dial-stdio", engine()).says("inspect --type container", line(CONTAINER)).says("ps --all")
    return docker.says("compose -p", b"web " + b"a" * 64 + b"\n")


def observe(docker: FakeDocker, release: Release) -> Observation:
    question = (Question(release),)
    return or_raise(DRIVER.read_look(docker.run(DRIVER.look(question, WHO)), question, WHO, NOW)[0])


def release_in(root: Path, compose: str = WEB, **about: object) -> Release:
    return a_release(compose, root=str(root), files={**FILES, **about.pop("files", {})}, **about)  # type: ignore
