"""What a look tells of an environment file on the host: what it lacks and whether it changed, never a value."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.drivers.interface import Question
from platformctl.errors import PolicyViolation
from platformctl.model.desired import Release
from platformctl.model.names import Digest
from tests.contracts.compose_driver import DRIVER, ENVIRONMENT, WHO, docker, observe, release_in, root, running
from tests.contracts.compose_host import FakeDocker

__all__ = ["docker", "root"]


def test_an_environment_file_that_is_not_on_the_host_is_refused_by_name(docker: FakeDocker, root: Path) -> None:
    with pytest.raises(PolicyViolation) as caught:
        observe(running(docker), release_in(root, environment=ENVIRONMENT))
    assert "secrets/shop.env" in caught.value.detail


def test_what_lies_in_the_place_of_an_environment_file_and_is_none_is_refused_unread(
    docker: FakeDocker, root: Path
) -> None:
    """A folder, of which Compose would complain as of the compose file, and a pipe, on which it would wait."""
    place = root / "secrets/shop.env"
    place.mkdir(parents=True)
    with pytest.raises(PolicyViolation):
        observe(running(docker), release_in(root, environment=ENVIRONMENT))
    place.rmdir()
    os.mkfifo(place)
    with pytest.raises(PolicyViolation):
        observe(running(docker), release_in(root, environment=ENVIRONMENT))
    assert not any(words.startswith("compose -p") for words in docker.asked)


@pytest.mark.parametrize("text", ["PASSWORD=x\n", "export PASSWORD=x\n", "  PASSWORD: x\n", "PASSWORD\n"])
def test_required_variables_that_neither_file_nor_manifest_sets_are_named(
    docker: FakeDocker, root: Path, text: str
) -> None:
    (root / "secrets").mkdir()
    (root / "secrets/shop.env").write_text(f"# TOKEN=no\nXTOKEN=no\n{text}")

    assert observe(running(docker), release_in(root, environment=ENVIRONMENT)).missing_variables == ("TOKEN",)


def test_variables_that_environment_values_need_are_named_as_if_they_were_required(
    docker: FakeDocker, root: Path
) -> None:
    """Of the services that would start; Compose would put nothing in their place, and say no word of it."""
    (root / "secrets").mkdir()
    (root / "secrets/shop.env").write_text("PASSWORD=x\nTOKEN=x\n")
    values = "{A: '${A}', B: '${PASSWORD}', C: '${NOPE}', D: '${OR:-}'}"
    services = f"{{web: {{image: 'web:1', environment: {values}}}, b: {{image: 'b:1', environment: ['E=${{OTHER}}']}}}}"

    seen = observe(running(docker), release_in(root, f"services: {services}", environment=ENVIRONMENT))
    assert seen.missing_variables == ("NOPE",)


def test_no_value_of_the_environment_file_is_in_the_answer(docker: FakeDocker, root: Path) -> None:
    (root / "secrets").mkdir()
    (root / "secrets/shop.env").write_text("PASSWORD=hunter2hunter2\nTOKEN=hunter2hunter2\n")
    ended = running(docker).run(DRIVER.look((Question(release_in(root, environment=ENVIRONMENT)),), WHO))

    assert b"hunter2" not in ended.stdout + ended.stderr


def with_environment(root: Path, text: str, key: bytes | None = b"k" * 32) -> Release:
    """A release whose env file is on a host that has a key of its own, or not yet."""
    (root / "secrets").mkdir(exist_ok=True)
    (root / "secrets/shop.env").write_text(text)
    if key is not None:
        (root / ".platformctl/key").write_bytes(key)
    return release_in(root, environment=replace(ENVIRONMENT, required=()))


@pytest.mark.parametrize("name", ["COMPOSE_COMPATIBILITY", "COMPOSE_REMOVE_ORPHANS"])
def test_a_host_that_gives_compose_words_of_its_own_is_noticed(docker: FakeDocker, root: Path, name: str) -> None:
    """One gives containers other names, the other removes those that a plan leaves alone."""
    release = with_environment(root, f"PASSWORD=a\n{name}=1\n")

    assert observe(running(docker), release).overriding_variables == (name,)


@pytest.mark.parametrize(("profiles", "told"), [("[debug]", ("COMPOSE_PROFILES",)), ("[]", ())])
def test_a_host_that_enables_profiles_decides_which_services_there_are(
    docker: FakeDocker, root: Path, profiles: str, told: tuple[str, ...]
) -> None:
    release = with_environment(root, "COMPOSE_PROFILES=debug\n")
    release = release_in(
        root, f"services: {{web: {{image: 'web:1'}}, db: {{image: 'web:1', profiles: {profiles}}}}}",
        environment=release.module.env,
    )  # fmt: skip

    assert observe(running(docker), release).overriding_variables == told


def test_a_fingerprint_of_the_environment_file_changes_with_the_file_and_with_the_key(
    docker: FakeDocker, root: Path
) -> None:
    first = observe(running(docker), with_environment(root, "PASSWORD=a\n")).environment
    same = observe(docker, with_environment(root, "PASSWORD=a\n")).environment
    rotated = observe(docker, with_environment(root, "PASSWORD=b\n")).environment
    elsewhere = observe(docker, with_environment(root, "PASSWORD=a\n", b"j" * 32)).environment

    assert first == same
    assert len({first, rotated, elsewhere, Digest.of(b"PASSWORD=a\n").hexadecimal}) == 4


def test_a_secret_that_only_the_host_has_is_told_by_a_keyed_fingerprint(docker: FakeDocker, root: Path) -> None:
    secrets = ", ".join(f"{name}: {{file: ../../secrets/{name}}}" for name in ("a", "b", "gone"))
    compose = f"services: {{web: {{image: 'web:1', secrets: [a, b, gone]}}}}\nsecrets: {{{secrets}}}"
    (root / "secrets").mkdir(exist_ok=True)
    (root / ".platformctl/key").unlink(missing_ok=True)
    for name in ("a", "b"):
        (root / f"secrets/{name}").write_text("hunter2")
    without_key = observe(running(docker), release_in(root, compose)).host_files
    (root / ".platformctl/key").write_bytes(b"k" * 32)
    first = observe(docker, release_in(root, compose)).host_files
    (root / "secrets/b").write_text("hunter3")
    rotated = observe(docker, release_in(root, compose)).host_files

    assert without_key == {}
    assert first.keys() == {"secrets/a", "secrets/b"}
    assert first["secrets/a"] == first["secrets/b"] == rotated["secrets/a"] != rotated["secrets/b"]
    assert Digest.of(b"hunter2").hexadecimal not in first.values()


def test_a_host_without_a_key_gives_no_fingerprint(docker: FakeDocker, root: Path) -> None:
    release = with_environment(root, "PASSWORD=a\n", key=None)

    assert observe(running(docker), release).environment is None
