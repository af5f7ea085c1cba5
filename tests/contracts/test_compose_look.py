"""The driver docker-compose looks at what is there: all that a plan needs, and nothing that was not said."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.drivers.interface import Question
from platformctl.errors import PolicyViolation, Unreachable
from platformctl.model.desired import InputFile, Release
from platformctl.model.names import Digest, ProjectName, RepoPath
from platformctl.model.observed import FileSeen, ImageSeen, Observation
from tests.contracts.compose_driver import (
    DRIVER,
    ENVIRONMENT,
    NOW,
    WHO,
    docker,
    observe,
    release_in,
    root,
    running,
)
from tests.contracts.compose_host import (
    CONTAINER,
    FOUND,
    IMAGE,
    NETWORK,
    OTHER_IMAGE,
    FakeDocker,
    engine,
    line,
)
from tests.contracts.releases import FOLDER, MODULE, a_release

__all__ = ["docker", "root"]


def test_one_look_tells_all_that_a_plan_needs(docker: FakeDocker, root: Path) -> None:
    seen = observe(running(docker), release_in(root))

    assert seen.files == (
        FileSeen(RepoPath(f"{FOLDER}/compose.yaml"), Digest.of(b"before"), 0o644),
        FileSeen(RepoPath(f"{FOLDER}/web.conf"), None, None),
    )
    assert seen.images == (ImageSeen("web:1", IMAGE, ("web@" + OTHER_IMAGE,)),)
    assert (seen.image_ids, seen.kept) == (frozenset({IMAGE}), frozenset({Digest.of(b"kept")}))
    assert [(network.name, network.id) for network in seen.networks] == [("shop_default", "n" * 64)]
    assert [(volume.name, volume.definition["labels"]) for volume in seen.volumes] == [("shop_data", {})]
    assert seen.hashes == {"web": "a" * 64}
    assert [(container.service, container.volumes) for container in seen.containers] == [
        ("web", {"/data": "shop_data"})
    ]


def test_a_look_at_several_modules_keeps_them_apart(docker: FakeDocker, root: Path) -> None:
    """What is wrong about one hides no other, and Compose is asked about those alone that it is to be asked about."""
    runtime = replace(MODULE.runtime, project=ProjectName("shop2"))
    neighbour = replace(MODULE, runtime=runtime)
    ids = {"shop": str(CONTAINER["id"]), "shop2": "2" * 64, "workshop": "3" * 64}
    running(docker).says("system dial-stdio", engine(FOUND, FOUND, containers=tuple(ids.values()))).says(
        "inspect --type container",
        b"".join(line({**CONTAINER, "id": container, "project": name}) for name, container in ids.items()),
    )
    questions = (
        Question(release_in(root), hashes=False),
        Question(release_in(root, environment=ENVIRONMENT)),
        Question(release_in(root, "services: {web: {image: 'other:1'}}", module=neighbour)),
    )
    first, without_file, other = DRIVER.read_look(docker.run(DRIVER.look(questions, WHO)), questions, WHO, NOW)

    assert isinstance(first, Observation)
    assert isinstance(other, Observation)
    assert isinstance(without_file, PolicyViolation)
    assert [[c.id for c in seen.containers] for seen in (first, other)] == [[CONTAINER["id"]], ["2" * 64]]
    assert (first.hashes, other.hashes) == ({}, {"web": "a" * 64})
    assert ([i.ref for i in first.images], [i.ref for i in other.images]) == (["web:1"], ["other:1"])
    assert (first.networks[0].name, other.networks) == ("shop_default", ())
    assert [words.split()[2] for words in docker.asked if words.startswith("compose")] == ["shop2"]
    assert next(words for words in docker.asked if words.startswith("inspect")).endswith(" ".join(ids.values()))


SEVERAL = "services: {web: {image: 'web:1', depends_on: [db]}, db: {image: 'web:1', scale: 2}}"


def test_names_that_containers_are_to_have_and_others_have_are_told_and_nothing_else_of_those(
    docker: FakeDocker, root: Path
) -> None:
    """Only names that no container has which is looked at anyway are asked for."""
    running(docker).says("ps --all", b"shop-db-2,shop-db-20/alias\nshopxdb-1\n")
    docker.says("compose -p", b"".join(name + b" " + b"a" * 64 + b"\n" for name in (b"web", b"db")))

    assert observe(docker, release_in(root, SEVERAL)).taken == ("shop-db-2",)
    (asked,) = (words for words in docker.asked if words.startswith("ps"))
    assert asked == "ps --all --format {{.Names}} --filter name=^/shop-db-1$ --filter name=^/shop-db-2$"


def test_names_are_not_asked_for_where_all_containers_are_there(docker: FakeDocker, root: Path) -> None:
    assert observe(running(docker).says("ps --all", b"", 1), release_in(root)).taken == ()
    assert not [words for words in docker.asked if words.startswith("ps")]


def test_where_names_can_not_be_told_nobody_guesses(docker: FakeDocker, root: Path) -> None:
    with pytest.raises(Unreachable):
        observe(running(docker).says("ps --all", b"", 1), release_in(root, SEVERAL))


def test_a_name_that_a_container_of_another_project_has_is_taken(docker: FakeDocker, root: Path) -> None:
    running(docker).says("inspect --type container", line({**CONTAINER, "project": "other"}))

    assert observe(docker, release_in(root)).taken == ("shop-web-1",)


EXTERNAL = """
services: {web: {image: 'web:1', networks: [theirs, gone, known], volumes: ['data:/d']}}
networks: {theirs: {external: true}, gone: {external: true}, known: {external: true, name: "%s"}}
volumes: {data: {external: true, name: nowhere}}
""" % ("1" * 64)


def test_networks_that_others_make_are_seen_and_what_is_not_there_is_missed(docker: FakeDocker, root: Path) -> None:
    networks = [NETWORK, {**NETWORK, "Name": "theirs", "Labels": None, "Id": "1" * 64}]
    running(docker).says("system dial-stdio", engine(networks=networks))
    release = release_in(root, EXTERNAL)
    seen = observe(docker, release)

    assert {network.name: network.id for network in seen.external} == {"theirs": "1" * 64, "1" * 64: "1" * 64}
    assert DRIVER.absent(release, seen) == ("network gone", "volume nowhere")


def test_a_swarm_may_have_a_network_elsewhere(docker: FakeDocker, root: Path) -> None:
    networks = [NETWORK, {**NETWORK, "Name": "ingress", "Labels": None, "Id": "2" * 64, "Driver": "overlay"}]
    running(docker).says("system dial-stdio", engine(networks=networks))
    release = release_in(root, EXTERNAL)

    assert DRIVER.absent(release, observe(docker, release)) == ("volume nowhere",)


def test_what_people_write_into_commands_and_labels_stays_on_the_host(docker: FakeDocker, root: Path) -> None:
    told = running(docker).run(DRIVER.look((Question(release_in(root)),), WHO))

    assert b"hunter2" in docker.answers["system dial-stdio"][0]
    assert b"hunter2" not in told.stdout
    assert b'"Labels":{}' in told.stdout


def test_a_look_changes_nothing(docker: FakeDocker, root: Path) -> None:
    before = sorted(docker.here.rglob("*"))
    observe(running(docker), release_in(root))

    assert set(docker.here.rglob("*")) - {docker.here / "asked"} == {*before, *docker.here.glob("answer*")} | {
        docker.here / "bin/docker"
    }


@pytest.mark.parametrize("name", ["-x", "--help", "a b.conf", " led", "$(id)", "a;b", "it's", '"', "*", "ünï", "%s"])
def test_a_file_of_any_name_is_looked_at_and_nothing_else(docker: FakeDocker, root: Path, name: str) -> None:
    module = replace(MODULE, runtime=replace(MODULE.runtime, compose_file=RepoPath("compose.yaml")))
    source = "./" + name.replace("$", "$$")
    compose = json.dumps(
        {"services": {"web": {"image": "web:1", "volumes": [{"type": "bind", "source": source, "target": "/x"}]}}}
    )
    release = with_file(a_release(compose, module=module, root=str(root)), name)
    (root / name).write_text("there")
    (root / name).chmod(0o640)

    seen = {file.path: file for file in observe(running(docker), release).files}
    assert seen[RepoPath(name)] == FileSeen(RepoPath(name), Digest.of(b"there"), 0o640)


def with_file(release: Release, name: str) -> Release:
    file = InputFile(RepoPath(name), b"", Digest.of(b""))
    return replace(release, files=(*release.files, file))


def test_a_link_on_the_host_is_no_file(docker: FakeDocker, root: Path) -> None:
    (root / FOLDER / "web.conf").symlink_to("/etc/passwd")

    assert observe(running(docker), release_in(root)).files[1].digest is None


def test_a_file_that_the_agent_can_not_read_is_named_and_hides_no_other_module(docker: FakeDocker, root: Path) -> None:
    """As where somebody with more rights has put one in the place of the agent's."""
    (root / FOLDER / "web.conf").write_text("listen 80")
    (root / FOLDER / "web.conf").chmod(0)
    mine, other = release_in(root), replace(release_in(root), files=release_in(root).files[:1])
    questions = (Question(mine), Question(other))

    answer = running(docker).run(DRIVER.look(questions, WHO), as_nobody=True)
    refused, seen = DRIVER.read_look(answer, questions, WHO, NOW)

    assert isinstance(refused, Unreachable)
    assert (refused.reason, refused.detail.rpartition(" ")[2]) == ("root_readonly", f"{FOLDER}/web.conf")
    assert isinstance(seen, Observation)
