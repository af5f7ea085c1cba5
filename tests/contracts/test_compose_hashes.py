"""The driver docker-compose has Compose say what each service is that `up` would start, and tells what it refuses."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.drivers.compose_look import LOOK_TIMEOUT
from platformctl.drivers.interface import Question
from platformctl.errors import InvalidInput, Unreachable, or_raise
from platformctl.model.command import Completed
from platformctl.model.desired import Environment
from platformctl.model.names import RepoPath
from tests.contracts.compose_driver import (
    DRIVER,
    NOW,
    WHO,
    docker,
    observe,
    release_in,
    root,
    running,
)
from tests.contracts.compose_host import (
    FakeDocker,
    frame,
    look,
)
from tests.contracts.releases import FOLDER

__all__ = ["docker", "root"]


def test_compose_is_asked_about_what_up_makes_of_profiles(docker: FakeDocker, root: Path) -> None:
    """`up` enables those of the service it names, and hashes it without what they do not bring (seen with 2.26.1)."""
    needs = "depends_on: {db: {condition: service_started, required: false}, cache: {}}"
    compose = f"""services:
  web: {{image: 'web:1', profiles: [x, y], {needs}}}
  db: {{image: 'web:1', profiles: [PROFILE]}}
  cache: {{image: 'web:1'}}
"""
    hashes = (name + b" " + b"a" * 64 + b"\n" for name in (b"web", b"db", b"cache"))
    running(docker).says("compose -p", b"".join(hashes))

    def asked(profile: str) -> tuple[str, ...]:
        before = len(docker.asked)
        observe(docker, release_in(root, compose.replace("PROFILE", profile)))
        return tuple(words for words in docker.asked[before:] if words.startswith("compose"))

    with_it, without_it = asked("y"), asked("z")
    assert all("--profile x" in words and "--profile y" in words for words in (*with_it, *without_it))
    assert [any("/dropped.yaml" in words for words in asked) for asked in (with_it, without_it)] == [False, True]


def test_a_version_that_is_not_known_is_asked_for_with_the_hashes(docker: FakeDocker, root: Path) -> None:
    running(docker).says("compose version", b"2.40.0\n")
    unknown = replace(WHO, compose_version="")

    def version(*, hashes: bool) -> str:
        question = (Question(release_in(root), hashes=hashes),)
        (seen,) = DRIVER.read_look(docker.run(DRIVER.look(question, unknown)), question, unknown, NOW)
        return or_raise(seen).identity.compose_version

    assert (version(hashes=True), version(hashes=False)) == ("2.40.0", "")


def test_compose_that_is_not_there_is_found_out_by_the_look(docker: FakeDocker, root: Path) -> None:
    running(docker).says("compose version", b"", 1)
    question, unknown = (Question(release_in(root)),), replace(WHO, compose_version="")

    with pytest.raises(Unreachable) as caught:
        DRIVER.read_look(docker.run(DRIVER.look(question, unknown)), question, unknown, NOW)
    assert caught.value.reason == "compose_missing"


def test_a_look_waits_for_each_module_that_compose_is_slow_about(docker: FakeDocker, root: Path) -> None:
    """What the host grants Compose, time after time, is over before nobody waits for the look any more."""
    with_env_file = "services: {web: {image: 'web:1', env_file: [{path: secrets/web.env, required: false}]}}"
    releases = [release_in(root), release_in(root, with_env_file), release_in(root)]
    questions = tuple(Question(each) for each in releases)
    running(docker)
    granted = docker.hangs("compose -p")
    command = DRIVER.look(questions, WHO)
    seen = DRIVER.read_look(docker.run(command), questions, WHO, NOW)

    assert all(isinstance(each, InvalidInput) for each in seen)
    asked = [sum(map(int, line.split())) for line in granted.read_text().splitlines()]
    at_once = 2  # what has no hash without env files is read by one Compose and hashed by another
    assert len(asked) == 2 + 2 * at_once
    assert sum(asked) - 2 * asked[0] <= command.timeout - LOOK_TIMEOUT


TWO = "services: {web: {image: 'web:1', depends_on: [db]}, db: {image: 'web:1'}, alone: {image: 'web:1'}}"
HASHED = {name: f"{name} {digit * 64}\n" for name, digit in (("web", "a"), ("db", "b"), ("alone", "c"))}


def test_of_each_service_that_up_would_start_there_is_a_hash(docker: FakeDocker, root: Path) -> None:
    running(docker).says("compose -p", "".join(HASHED.values()).encode())

    assert observe(docker, release_in(root, TWO)).hashes == {"web": "a" * 64, "db": "b" * 64}


@pytest.mark.parametrize(
    "said",
    [
        "",
        "<html>502</html>\n",
        HASHED["web"] + HASHED["alone"],
        HASHED["web"] + HASHED["db"].replace("b" * 64, ""),
        HASHED["web"] + HASHED["db"].replace("b" * 64, "b" * 63),
        HASHED["web"] + HASHED["db"].replace("b" * 64, "B" * 64),
        HASHED["web"] + HASHED["db"] + "level=warning\n",
    ],
)
def test_hashes_that_are_none_or_not_all_are_garbage(docker: FakeDocker, root: Path, said: str) -> None:
    running(docker).says("compose -p", said.encode())

    with pytest.raises(Unreachable) as caught:
        observe(docker, release_in(root, TWO))
    assert (caught.value.reason, caught.value.host) == ("connect", "one")


def test_a_service_that_a_profile_brings_has_a_hash_too(docker: FakeDocker, root: Path) -> None:
    release = release_in(root, "services: {web: {image: 'web:1', profiles: [rare]}}")
    assert observe(running(docker), release).hashes == {"web": "a" * 64}

    docker.says("compose -p", b"")
    with pytest.raises(Unreachable):
        observe(docker, release)


@pytest.mark.parametrize("said", ["web", "web db"])
def test_only_a_service_whose_env_file_is_still_to_come_may_be_without_a_hash(root: Path, said: str) -> None:
    release = release_in(
        root, TWO.replace("depends_on: [db]", "depends_on: [db], env_file: a.env"), files={"a.env": b"A=1\n"}
    )
    told: dict[str, bytes | tuple[int, bytes]] = {**look(release), "hashes.0": (1, b""), "refused.0": b"no a.env"}
    told["other-hashes.0"] = "".join(HASHED[name] for name in said.split()).encode()
    answer, question = Completed(0, frame(told), b""), (Question(release),)

    if said == "web db":
        assert or_raise(DRIVER.read_look(answer, question, WHO, NOW)[0]).hashes == {"db": "b" * 64}
    else:
        with pytest.raises(Unreachable):
            DRIVER.read_look(answer, question, WHO, NOW)


@pytest.mark.parametrize(
    ("read", "is_asked"),
    [
        ("env_file: a.env", True),
        ("env_file: [a.env, {path: ../b.env, required: false}]", True),
        ("env_file: [a.env, secrets/own.env]", True),
        ("env_file: secrets/own.env", False),
        ("labels: {a: b}", False),
    ],
)
def test_env_files_that_come_with_a_plan_are_tried_before_they_come(
    read: str, is_asked: bool, docker: FakeDocker, root: Path
) -> None:
    """Beside those that only the host has, and without those of services beside the closure."""
    compose = TWO.replace("depends_on: [db]", f"depends_on: [db], {read}").replace("alone: {", "alone: {env_file: z, ")
    own = Environment(file=RepoPath(f"{FOLDER}/secrets/own.env"))
    (root / FOLDER / "secrets").mkdir(parents=True)
    (root / FOLDER / "secrets/own.env").write_bytes(b"C=1\n")
    running(docker).says("compose -p", "".join(HASHED.values()).encode())
    observe(docker, release_in(root, compose, files={"a.env": b"A=1\n"}, environment=own))

    asked = [words for words in docker.asked if words.endswith("config -q")]
    assert len(asked) == is_asked
    assert all(f"/brought/{FOLDER} " in words and "/beside.yaml " in words for words in asked)


def test_hashes_are_asked_for_with_the_words_that_up_is_told(docker: FakeDocker, root: Path) -> None:
    release = release_in(root)
    observe(running(docker), release)
    (asked,) = (words.split() for words in docker.asked if words.startswith("compose"))
    (up,) = DRIVER.bring_up(release)

    for option in ("-p", "--project-directory", "--env-file"):
        assert asked[asked.index(option) + 1] == up.argv[up.argv.index(option) + 1]


REFUSED = """services:
  web:
    image: web:1
    mem_limit: lots
"""
WORDS = {
    "by a field": ("validating /tmp/tmp.X/in/0/compose.yaml: services.web.mem_limit must be a size", 4),
    "by a field in brackets": ("decoding failed:\n\nerror decoding 'services[web].mem_limit': invalid size: 'lots'", 4),
    "by a service": ("validating /tmp/tmp.X/in/0/compose.yaml: services.web Additional property x is not allowed", 2),
    "by a line": ("yaml: line 3: did not find expected ',' or '}'", 3),
    "by nothing": ("Invalid ip address a:b", None),
}


@pytest.mark.parametrize("case", WORDS)
def test_a_file_that_compose_refuses_is_told_by_file_and_line_in_its_own_words(
    docker: FakeDocker, root: Path, case: str
) -> None:
    said, line_number = WORDS[case]
    script = f"time='x' level=warning msg='the version is obsolete'\n{said}"
    running(docker).says("compose -p", b"", 15)
    told = (docker.here / "bin/docker").read_text()
    docker.program("docker", told.replace("exit 15", f"printf '%s\\n' {shlex.quote(script)} >&2; exit 15"))
    with pytest.raises(InvalidInput) as caught:
        observe(docker, release_in(root, REFUSED))

    assert (caught.value.file, caught.value.line) == (f"{FOLDER}/compose.yaml", line_number)
    assert "level=warning" not in caught.value.detail
    assert "/tmp/tmp.X" not in caught.value.detail
    assert said.split(": ")[-1] in caught.value.detail
