"""What an apply may write down of the host's own computation, and what it must not."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.model.desired import Environment, Release
from platformctl.model.names import RepoPath, ServiceName
from platformctl.model.observed import Container, Observation
from platformctl.model.state import Computed
from platformctl.planning.settled import computed
from tests.contracts.releases import a_release
from tests.contracts.test_drivers import observed, watched

DRIVER = DockerCompose()
PLAIN = "services: {web: {image: 'web:1', depends_on: [db]}, db: {image: 'web:1'}}"
BORROWING = "services: {web: {image: 'web:1', pid: 'service:db'}, db: {image: 'web:1'}}"
ENV_FILE = Environment(file=RepoPath("secrets/shop.env"))
AS_SAID = {"web": "a", "db": "b"}


def look(release: Release, said: Mapping[str, str]) -> Observation:
    """A host whose orchestrator said these hashes before the apply."""
    hashes = {ServiceName(name): value for name, value in said.items()}
    return replace(observed(DRIVER, release), hashes=hashes, environment="f")


def made(*pairs: tuple[str, str]) -> tuple[Container, ...]:
    """Containers after it, by service and hash."""
    return tuple(replace(watched(DRIVER)[0], service=ServiceName(name), config_hash=value) for name, value in pairs)


def test_what_was_foreseen_and_made_is_written_down() -> None:
    release = a_release(PLAIN)

    assert computed(release, look(release, AS_SAID), made(("web", "a"), ("web", "a"), ("db", "b")), DRIVER) == Computed(
        "2.26.1-4", "f", AS_SAID
    )


@pytest.mark.parametrize(
    "containers",
    [made(("web", "a")), made(("web", "a"), ("web", "c"), ("db", "b")), made(("web", "c"), ("db", "b")), ()],
    ids=["one is missing", "two of one service differ", "another than foreseen", "none"],
)
def test_what_is_not_whole_or_not_as_foreseen_is_not_written_down(containers: tuple[Container, ...]) -> None:
    release = a_release(PLAIN)

    assert computed(release, look(release, AS_SAID), containers, DRIVER) is None


def test_a_borrower_of_a_new_container_has_another_hash_than_was_foreseen() -> None:
    release = a_release(BORROWING)
    written = computed(release, look(release, AS_SAID), made(("web", "c"), ("db", "b")), DRIVER)

    assert written is not None
    assert written.hashes == {"web": "c", "db": "b"}


def test_with_an_env_file_even_a_borrower_must_be_as_foreseen() -> None:
    """Else nothing shows that the file which was fingerprinted is the one that was read."""
    release = a_release(BORROWING, environment=ENV_FILE)

    assert computed(release, look(release, AS_SAID), made(("web", "c"), ("db", "b")), DRIVER) is None
