"""The driver docker-compose looks at what is there: all that a plan needs, and nothing that was not said."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.drivers.interface import Question
from platformctl.errors import InvalidInput, PolicyViolation, Unreachable, or_raise
from platformctl.model.command import Completed
from platformctl.model.desired import InputFile, Release
from platformctl.model.names import Digest, ProjectName, RepoPath, ServiceName
from platformctl.model.observed import FileSeen, ImageSeen, Observation
from tests.contracts.compose_driver import (
    DRIVER,
    ENVIRONMENT,
    NOW,
    WEB,
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
    frame,
    line,
    look,
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
    assert [container.service for container in seen.containers] == ["web"]


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


def test_what_people_write_into_commands_and_labels_stays_on_the_host(docker: FakeDocker, root: Path) -> None:
    told = running(docker).run(DRIVER.look((Question(release_in(root)),), WHO))

    assert b"hunter2" in docker.answers["system dial-stdio"][0]
    assert b"hunter2" not in told.stdout
    assert b'"Labels":{}' in told.stdout


def test_a_look_waits_for_each_image_that_a_registry_may_be_asked_about(root: Path) -> None:
    first, other = (Question(release_in(root, WEB.replace("web:1", ref)), hashes=False) for ref in ("web:1", "web:2"))
    one, two = (DRIVER.look(questions, WHO) for questions in ((first, first), (first, other)))

    assert "timeout -k 2 20 docker manifest inspect" in one.argv[2]
    assert two.timeout - one.timeout >= 20 + 2


@pytest.mark.parametrize(
    ("image", "policy", "moving"),
    [
        *(("web:1", policy, True) for policy in ("always", "daily", "weekly", "refresh", "every_2h")),
        *(("web:1", policy, False) for policy in ("missing", "if_not_present", "never", "build")),
        (f"web@{IMAGE}", "always", False),
    ],
)
def test_the_registry_is_asked_of_images_that_each_up_would_ask_for(
    root: Path, image: str, policy: str, *, moving: bool
) -> None:
    release = release_in(root, f"services: {{web: {{image: '{image}', pull_policy: {policy}}}}}")

    assert release.compose.services[ServiceName("web")].is_moving == moving


def test_a_label_named_id_is_no_container(docker: FakeDocker, root: Path) -> None:
    ids = (str(CONTAINER["id"]), "b" * 64)
    told = engine(containers=ids)
    assert b'"Labels": {"Id": "' in told
    running(docker).says("system dial-stdio", told)

    docker.run(DRIVER.look((Question(release_in(root)),), WHO))

    (asked,) = {words for words in docker.asked if words.startswith("inspect --type container")}
    assert asked.endswith("} " + " ".join(ids))


def test_a_container_that_was_looked_at_twice_is_no_answer(root: Path) -> None:
    release = release_in(root)
    told = look(release)
    told["containers"] *= 2

    with pytest.raises(Unreachable):
        DRIVER.read_look(Completed(0, frame(told), b""), (Question(release),), WHO, NOW)


@pytest.mark.parametrize("containers", [(), ("9" * 64,), (str(CONTAINER["id"]), "9" * 64)])
def test_a_list_with_other_containers_than_were_looked_at_is_no_answer(
    docker: FakeDocker, root: Path, containers: tuple[str, ...]
) -> None:
    release = release_in(root)
    told = look(release)
    told["engine"] = engine(*[FOUND] * 1, containers=containers)

    with pytest.raises(Unreachable):
        DRIVER.read_look(Completed(0, frame(told), b""), (Question(release),), WHO, NOW)


@pytest.mark.parametrize("kept", range(0, len(engine()), 149))
def test_an_engine_that_is_cut_short_is_no_answer(docker: FakeDocker, root: Path, kept: int) -> None:
    running(docker).says("system dial-stdio", engine()[:kept])

    with pytest.raises(Unreachable):
        observe(docker, release_in(root))


def test_hashes_are_asked_for_with_the_words_that_up_is_told(docker: FakeDocker, root: Path) -> None:
    release = release_in(root)
    observe(running(docker), release)
    (asked,) = (words.split() for words in docker.asked if words.startswith("compose"))
    (up,) = DRIVER.bring_up(release)

    for option in ("-p", "--project-directory", "--env-file"):
        assert asked[asked.index(option) + 1] == up.argv[up.argv.index(option) + 1]


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


def test_an_image_the_host_lacks_is_asked_of_its_registry(docker: FakeDocker, root: Path) -> None:
    manifest = {
        "Descriptor": {"digest": OTHER_IMAGE, "platform": {"os": "linux", "architecture": "amd64"}},
        "OCIManifest": {"config": {"digest": IMAGE}},
    }
    lacking(docker).says("manifest inspect", line([manifest]))
    (image,) = observe(docker, release_in(root)).images

    assert image == ImageSeen("web:1", IMAGE, ("web@" + OTHER_IMAGE,), present=False)


def lacking(docker: FakeDocker) -> FakeDocker:
    """A host where the project runs, and that does not have the image any more."""
    told = engine({"message": "no such image"}, all_images=[], statuses={0: 404})
    return running(docker).says("system dial-stdio", told).says("image inspect", b"", 1)


@pytest.mark.parametrize("said", [b"", b"null", b"[]"])
def test_an_image_nobody_knows_has_no_id(docker: FakeDocker, root: Path, said: bytes) -> None:
    lacking(docker).says("manifest inspect", said)

    assert observe(docker, release_in(root)).images == (ImageSeen("web:1", None, present=False),)


@pytest.mark.parametrize("broken", [1, 2, 3, 4])
def test_a_list_that_the_engine_can_not_give_is_not_taken_for_an_empty_one(
    docker: FakeDocker, root: Path, broken: int
) -> None:
    running(docker).says("system dial-stdio", engine(statuses={broken: 500}))

    with pytest.raises(Unreachable):
        observe(docker, release_in(root))


@pytest.mark.parametrize("words", ["inspect --type container", "system dial-stdio"])
def test_a_section_where_typed_answers_stand_is_no_answer(docker: FakeDocker, root: Path, words: str) -> None:
    answer, _ = running(docker).answers[words]
    docker.says(words, answer + frame({"kept": b"0" * 64 + b"\n"}))

    with pytest.raises(Unreachable):
        observe(docker, release_in(root))


def test_a_root_that_is_not_there_has_a_reason(docker: FakeDocker) -> None:
    with pytest.raises(Unreachable) as caught:
        observe(running(docker), release_in(docker.here / "gone"))
    assert caught.value.reason == "root_readonly"


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
