"""What an apply may write down of the host's own computation, and what it must not."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.model.desired import Environment, Release
from platformctl.model.names import Digest, RepoPath, ServiceName
from platformctl.model.observed import Container, FileSeen, Observation
from platformctl.model.plan import PlannedFile
from platformctl.model.state import Computed, Receipt, RunningContainer
from platformctl.planning.settled import computed, is_expected, settled
from tests.contracts.releases import a_release
from tests.contracts.test_compose_steps import receipt
from tests.contracts.test_drivers import identified, observed, watched

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
        "2.26.1-4", "f", AS_SAID, program=WHO.compose_program
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


# --- what a receipt settles -----------------------------------------------------------------------

WHO = identified(DRIVER)


def applied(release: Release, **about: object) -> Receipt:
    """The receipt of `release`, with what the host's orchestrator made of it."""
    made = Computed(WHO.compose_version, "f" if release.module.env.file else None, AS_SAID)
    containers = (RunningContainer("db", "1", Digest.of(b"")),)
    files = tuple(PlannedFile(f.path, f.digest, f.mode) for f in release.files)
    return replace(
        receipt(release),
        **{"desired": release.digest, "files": files, "computed": made, "containers": containers, **about},  # type: ignore[arg-type]
    )


def as_applied(release: Release, **about: object) -> Observation:
    """The host with the files of `release` and its container of db; Compose was not asked."""
    files = tuple(FileSeen(f.path, f.digest, f.mode) for f in release.files)
    containers = (replace(watched(DRIVER)[0], id="1", service=ServiceName("db")),)
    environment = "f" if release.module.env.file else None
    there = replace(look(release, {}), files=files, containers=containers, environment=environment)
    return replace(there, **about)  # type: ignore[arg-type]


RELEASES = {
    "plain": a_release(PLAIN),
    "borrowing": a_release(BORROWING),
    "with the host's env file": a_release(PLAIN, environment=ENV_FILE),
}


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
def test_a_release_that_is_there_as_it_was_is_settled(release: Release) -> None:
    seen = settled(release, as_applied(release), applied(release), DRIVER)

    assert is_expected(release, WHO, applied(release))
    assert seen is not None
    assert seen.hashes == AS_SAID


OTHER_VERSION = Computed("2.40.0", None, AS_SAID)
RECEIPTS = {
    "none": lambda release: None,
    "of another release": lambda release: applied(release, desired=Digest.of(b"")),
    "without hashes": lambda release: applied(release, computed=None),
    "of another Compose": lambda release: applied(release, computed=OTHER_VERSION),
    "with a service less": lambda release: applied(release, computed=Computed(WHO.compose_version, None, {"web": "a"})),
}


@pytest.mark.parametrize("of", RECEIPTS.values(), ids=RECEIPTS)
def test_a_receipt_that_says_nothing_of_this_release_settles_nothing(of: Callable[[Release], Receipt | None]) -> None:
    release = RELEASES["plain"]

    assert not is_expected(release, WHO, of(release))
    assert settled(release, as_applied(release), of(release), DRIVER) is None


@pytest.mark.parametrize("there", [Digest.of(b"by hand"), None], ids=["changed", "gone"])
def test_a_file_that_was_changed_on_the_host_unsettles(there: Digest | None) -> None:
    release = RELEASES["plain"]
    path = release.files[0].path

    assert (
        settled(release, as_applied(release, files=(FileSeen(path, there, 0o644),)), applied(release), DRIVER) is None
    )


@pytest.mark.parametrize("fingerprint", ["g", None])
def test_another_env_file_unsettles(fingerprint: str | None) -> None:
    release = RELEASES["with the host's env file"]
    never_seen = applied(release, computed=Computed(WHO.compose_version, None, AS_SAID))

    assert settled(release, as_applied(release, environment=fingerprint), applied(release), DRIVER) is None
    assert settled(release, as_applied(release, environment=None), never_seen, DRIVER) is None


def test_another_container_to_borrow_from_unsettles() -> None:
    release = RELEASES["borrowing"]
    replaced = (replace(watched(DRIVER)[0], id="2", service=ServiceName("db")),)

    assert settled(release, as_applied(release, containers=replaced), applied(release), DRIVER) is None
    assert settled(release, as_applied(release, containers=()), applied(release), DRIVER) is None


@pytest.mark.parametrize("entry", ["{path: own.env, required: false}", "/opt/platform/own.env"])
def test_an_env_file_that_only_the_host_has_is_never_settled(entry: str) -> None:
    release = a_release(f"services: {{web: {{image: 'web:1', env_file: [{entry}]}}, db: {{image: 'web:1'}}}}")

    assert not is_expected(release, WHO, applied(release))
