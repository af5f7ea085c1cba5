"""The driver docker-compose: its scripts under a real sh, with a `docker` that says what it is told, and its steps."""

import json
import os
import shlex
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from platformctl.drivers.compose_borrowing import NOTHING, borrowed, lenders_of
from platformctl.drivers.compose_questions import PLUGIN
from platformctl.drivers.docker_compose import DockerCompose
from platformctl.drivers.interface import Question
from platformctl.errors import InvalidInput, PolicyViolation, PrepareFailed, Unreachable, or_raise
from platformctl.model.command import Command, Completed
from platformctl.model.desired import Environment, HostEntry, InputFile, ModuleKind, Release
from platformctl.model.names import Digest, HostName, ProjectName, RepoPath, ServiceName, VariableName
from platformctl.model.observed import Container, FileSeen, Identity, ImageSeen, Observation, ProjectSeen
from platformctl.model.plan import Action, Cause, Change, Place, PlannedFile, PlannedImage, Remove, Run
from platformctl.model.state import Receipt, RunningContainer
from platformctl.transports.ssh import SshTransport
from tests.contracts.compose_host import (
    CONTAINER,
    FOUND,
    IMAGE,
    NETWORK,
    OTHER_IMAGE,
    VOLUME,
    FakeDocker,
    engine,
    frame,
    http,
    line,
    listing,
    look,
)
from tests.contracts.releases import FOLDER, HOST, MODULE, SHA, a_release
from tests.lab import Host

DRIVER = DockerCompose()
NOW = "2026-06-01T12:00:00Z"
WHO = Identity(1000, "agent", "m", "e", "28.2.2", "amd64", "2.26.1", "", 1780000000, "/home/agent", "/usr/bin:/bin")
WEB = "services: {web: {image: 'web:1', volumes: ['./web.conf:/etc/web.conf']}}"
FILES = {"web.conf": b"listen 80\n"}
LENDERS = "ps -a --no-trunc --filter label=com.docker.compose.project=shop --filter label=com.docker.compose.service=db"


@pytest.fixture
def docker() -> Iterator[FakeDocker]:
    """Beside pytest's own folders, which nobody but their owner may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield FakeDocker.create(Path(name) / "host")


# --- who are you? ---------------------------------------------------------------------------------


def well(docker: FakeDocker) -> FakeDocker:
    told = http({"ID": "engine-1", "ServerVersion": "28.2.2", "Architecture": "aarch64"})
    return docker.says("system dial-stdio", told).says("compose version", b"v2.26.1\n")


def identify(docker: FakeDocker, **environment: str) -> Identity:
    answer = docker.run(DRIVER.identify(version=True), **{"DOCKER_HOST": "unix:///nowhere", **environment})
    return DRIVER.read_identity(answer, HOST)


def reason(docker: FakeDocker, **environment: str) -> str:
    with pytest.raises(Unreachable) as caught:
        identify(docker, **environment)
    assert caught.value.host == HOST.name
    assert caught.value.hint
    return caught.value.reason


def test_a_host_with_docker_and_compose_says_who_it_is(docker: FakeDocker) -> None:
    who = identify(well(docker))

    assert (who.engine_id, who.engine_version, who.architecture) == ("engine-1", "28.2.2", "arm64")
    assert (who.compose_version, who.uid, who.home) == ("2.26.1", os.getuid(), str(docker.here))
    assert who.machine_id == Path("/etc/machine-id").read_text().strip()
    assert who.path == str(docker.here / "bin")


def test_to_ask_leaves_nothing_behind(docker: FakeDocker) -> None:
    identify(well(docker))

    assert list((docker.here / "tmp").iterdir()) == []


def test_without_docker_the_reason_is_compose_missing(docker: FakeDocker) -> None:
    assert reason(docker) == "compose_missing"


@pytest.mark.parametrize("said", [b"", b" \n", http({"ID": "engine-1"})])
def test_an_engine_that_does_not_answer_is_down(docker: FakeDocker, said: bytes) -> None:
    assert reason(well(docker).says("system dial-stdio", said, 1)) == "docker_down"


@pytest.mark.parametrize("said", [b"", http({"message": "no"}, statuses={0: 500})])
def test_an_engine_that_says_nothing_or_refuses_is_down(docker: FakeDocker, said: bytes) -> None:
    assert reason(well(docker).says("system dial-stdio", said)) == "docker_down"


def test_compose_is_not_run_to_say_who_answers(docker: FakeDocker) -> None:
    answer = well(docker).run(DRIVER.identify(), DOCKER_HOST="unix:///nowhere")

    assert DRIVER.read_identity(answer, HOST).compose_version == ""
    assert docker.asked == ("system dial-stdio",)


def plugin(docker: FakeDocker, size: int, text: str = "") -> Path:
    """A program of that size where docker looks for Compose first."""
    path = docker.here / ".docker/cli-plugins/docker-compose"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.ljust(size))
    return path


def test_another_program_is_seen_without_running_it(docker: FakeDocker) -> None:
    plugin(well(docker), 1 << 20)
    first, again = identify(docker).compose_program, identify(docker).compose_program
    plugin(docker, 1 << 20, "another")

    assert first == again != ""
    assert identify(docker).compose_program not in ("", first)


def test_a_program_that_may_run_another_one_tells_no_version(docker: FakeDocker) -> None:
    """A script, and one that stands in a folder only docker's own settings name."""
    plugin(well(docker), 100)
    assert identify(docker).compose_program == ""
    plugin(docker, 1 << 20)
    (docker.here / ".docker/config.json").write_text('{"cliPluginsExtraDirs": ["/elsewhere"]}')
    assert identify(docker).compose_program == ""


def compose_s_own_program(docker: FakeDocker) -> str:
    return docker.run(Command(("sh", "-c", f"{PLUGIN}\nplugin"))).text


def test_compose_s_own_program_is_run_where_it_and_docker_are_programs(docker: FakeDocker) -> None:
    path = plugin(docker, 1 << 20)
    path.chmod(0o755)
    docker.program("docker", "x" * (1 << 20))
    assert compose_s_own_program(docker) == str(path)

    docker.program("docker", "#!/bin/sh\n")
    assert compose_s_own_program(docker) == "", "a script may find another one"
    docker.program("snap", "x" * (1 << 20))
    (docker.here / "bin/docker").unlink()
    (docker.here / "bin/docker").symlink_to("snap")
    assert compose_s_own_program(docker) == "", "so may one that is docker by another name"


def test_compose_s_own_program_is_not_guessed(docker: FakeDocker) -> None:
    docker.program("docker", "x" * (1 << 20))
    plugin(docker, 100).chmod(0o755)
    assert compose_s_own_program(docker) == "", "a script"
    plugin(docker, 1 << 20).chmod(0o644)
    assert compose_s_own_program(docker) == "", "not to be run"
    plugin(docker, 1 << 20).chmod(0o755)
    (docker.here / ".docker/config.json").write_text('{"cliPluginsExtraDirs": ["/elsewhere"]}')
    assert compose_s_own_program(docker) == "", "another folder may come first"


def test_a_socket_that_may_not_be_written_is_a_matter_of_permission(docker: FakeDocker) -> None:
    path = docker.here / "docker.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        path.chmod(0o400)
        answer = well(docker).run(DRIVER.identify(), as_nobody=True, DOCKER_HOST=f"unix://{path}")

    with pytest.raises(Unreachable) as caught:
        DRIVER.read_identity(answer, HOST)
    assert caught.value.reason == "docker_permission"
    assert "usermod -aG docker" in caught.value.hint


def test_without_compose_the_reason_is_compose_missing(docker: FakeDocker) -> None:
    assert reason(well(docker).says("compose version", b"", 1)) == "compose_missing"


def test_compose_that_says_no_version_is_missing(docker: FakeDocker) -> None:
    assert reason(well(docker).says("compose version", b"")) == "compose_missing"


def test_version_1_alone_is_named_so(docker: FakeDocker) -> None:
    well(docker).says("compose version", b"", 1).program("docker-compose", "#!/bin/sh\n")

    assert reason(docker) == "compose_v1"


# --- how are you? ---------------------------------------------------------------------------------


def watch(docker: FakeDocker) -> tuple[Container, ...]:
    return DRIVER.read_watch(docker.run(DRIVER.watch("shop")), HOST)


def there(docker: FakeDocker, *containers: str) -> FakeDocker:
    """A host with these containers, by their ids."""
    ids = containers or (str(CONTAINER["id"]),)
    docker.says("inspect", b"".join(line({**CONTAINER, "id": each, "name": f"/{each[0]}"}) for each in ids))
    return docker.says("system dial-stdio", http(listing(*ids)))


def asked_of_engine(command: Command) -> str:
    return unquote(next(word for word in command.argv if "HTTP/1.0" in word and not word.startswith("\n")))


def test_containers_of_the_project_are_asked_for_and_read(docker: FakeDocker) -> None:
    one, two = "b" * 64, "a" * 64

    assert [container.name for container in watch(there(docker, one, two))] == ["a", "b"]
    assert docker.asked[0] == "system dial-stdio"
    assert docker.asked[1].endswith(f" {one} {two}")
    assert '{"label": ["com.docker.compose.project=shop"]}' in asked_of_engine(DRIVER.watch("shop"))


def test_a_project_without_containers_is_empty(docker: FakeDocker) -> None:
    assert watch(docker.says("system dial-stdio", http([]))) == ()
    assert docker.asked == ("system dial-stdio",)


@pytest.mark.parametrize("broken", ["system dial-stdio", "inspect"])
def test_containers_that_can_not_be_listed_are_not_taken_for_none(docker: FakeDocker, broken: str) -> None:
    there(docker).says(broken, b"", 1)

    with pytest.raises(Unreachable) as caught:
        watch(docker)
    assert caught.value.reason == "docker_down"


def test_an_engine_that_refuses_to_list_containers_has_not_none(docker: FakeDocker) -> None:
    there(docker).says("system dial-stdio", http({"message": "no"}, statuses={0: 500}))

    with pytest.raises(Unreachable) as caught:
        watch(docker)
    assert caught.value.reason == "docker_down"


@pytest.mark.parametrize("cut", [1, 2, 40, 110])
def test_a_list_of_containers_that_is_cut_short_is_no_answer(docker: FakeDocker, cut: int) -> None:
    there(docker).says("system dial-stdio", http(listing(str(CONTAINER["id"])))[: -cut - 1])

    with pytest.raises(Unreachable):
        watch(docker)


def test_a_container_that_goes_between_two_questions_is_asked_for_again(docker: FakeDocker) -> None:
    """Its end is somebody's deed, or its own: no reason to call a healthy apply unknown."""
    (docker.here / "listing").write_bytes(http(listing(str(CONTAINER["id"]))))
    docker.program(
        "docker",
        f"""#!/bin/sh
case $1 in
  system) echo "ask $1" >>'{docker.here}/asked'; cat '{docker.here}/listing' ;;
  inspect) mkdir '{docker.here}/gone' 2>/dev/null && {{ echo half; exit 1; }}; cat <<'END'
{json.dumps(CONTAINER)}
END
esac
""",
    )
    (found,) = watch(docker)
    assert found.id == CONTAINER["id"]
    assert docker.asked == ("ask system", "ask system")


def test_a_survey_asks_for_every_project(docker: FakeDocker) -> None:
    (found,) = DRIVER.read_watch(there(docker).run(DRIVER.survey()), HOST)

    assert (found.project, found.folder) == ("shop", "/opt/platform/modules/shop")
    assert '{"label": ["com.docker.compose.project"]}' in asked_of_engine(DRIVER.survey())


def test_a_watch_leaves_commands_and_labels_on_the_host(docker: FakeDocker) -> None:
    told = there(docker).run(DRIVER.watch("shop"))

    assert b"hunter2" in docker.answers["system dial-stdio"][0]
    assert b"hunter2" not in told.stdout


def see_whole(docker: FakeDocker) -> ProjectSeen:
    return DRIVER.read_whole(docker.run(DRIVER.watch_whole("shop")), HOST)


def with_resources(docker: FakeDocker, *, broken: int | None = None) -> FakeDocker:
    """`broken` is the number of the list that the engine refuses."""
    lists = ([NETWORK], {"Volumes": [VOLUME]}, listing(str(CONTAINER["id"])))
    statuses = {} if broken is None else {broken: 500}
    return there(docker).says("system dial-stdio", http(*lists, statuses=statuses))


def test_the_look_at_the_whole_has_the_networks_and_volumes_of_the_project_too(docker: FakeDocker) -> None:
    found = see_whole(with_resources(docker))

    assert [container.id for container in found.containers] == [CONTAINER["id"]]
    assert found.resources == {"network shop_default": "n" * 64, "volume shop_data": ""}
    assert asked_of_engine(DRIVER.watch_whole("shop")).count('{"label": ["com.docker.compose.project=shop"]}') == 3
    assert [words.split(" ")[0] for words in docker.asked] == ["system", "inspect"]


def test_a_project_without_volumes_has_none(docker: FakeDocker) -> None:
    lists = ([NETWORK], {"Volumes": None}, listing(str(CONTAINER["id"])))

    assert see_whole(there(docker).says("system dial-stdio", http(*lists))).resources.keys() == {"network shop_default"}


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_resources_that_can_not_be_listed_are_not_taken_for_none(docker: FakeDocker, broken: int) -> None:
    with pytest.raises(Unreachable):
        see_whole(with_resources(docker, broken=broken))


# --- what was, is kept ----------------------------------------------------------------------------


def tagged(*statuses: int) -> bytes:
    """What the engine says to as many names for images, and then of the containers."""
    one = b"HTTP/1.1 %d Word\r\nContent-Length: 0\r\n\r\n"
    return b"".join(one % status for status in statuses) + http(listing("a" * 64, "b" * 64))


def keep(docker: FakeDocker, *images: Digest) -> frozenset[str]:
    return DRIVER.read_kept(docker.run(DRIVER.keep(a_release(WEB, files=FILES), images)), HOST)


def test_previous_images_get_a_name_and_the_containers_are_told(docker: FakeDocker) -> None:
    docker.says("system dial-stdio", tagged(201, 201))

    assert keep(docker, IMAGE, OTHER_IMAGE, IMAGE) == {"a" * 64, "b" * 64}
    asked = asked_of_engine(DRIVER.keep(a_release(WEB, files=FILES), [IMAGE]))
    assert asked.startswith(
        f"POST /images/{IMAGE}/tag?repo=platformctl/{MODULE.id}&tag={IMAGE.hexadecimal[:12]} HTTP/1.1\r\n"
    )
    assert docker.asked == ("system dial-stdio",)


def test_an_image_that_is_gone_can_not_be_kept(docker: FakeDocker) -> None:
    with pytest.raises(PrepareFailed, match="can not be kept"):
        keep(docker.says("system dial-stdio", tagged(201, 404)), IMAGE, OTHER_IMAGE)


@pytest.mark.parametrize("told", [b"", tagged(201)[:-3], tagged(201)[:30]])
def test_an_engine_that_does_not_say_what_came_of_it_has_kept_nothing(docker: FakeDocker, told: bytes) -> None:
    with pytest.raises(Unreachable):
        keep(docker.says("system dial-stdio", told), IMAGE)


def test_what_keeps_says_of_containers_is_their_ids(docker: FakeDocker) -> None:
    told = docker.says("system dial-stdio", tagged()).run(DRIVER.keep(a_release(WEB, files=FILES), []))

    assert b"hunter2" not in told.stdout


def read_container(data: Mapping[str, object]) -> tuple[Container, ...]:
    told = {"containers": line(data), "engine": http([{"Id": data["id"]}])}
    return DRIVER.read_watch(Completed(0, frame(told), b""), HOST)


OPTIONAL = ("service", "hash", "version", "oneoff", "health", "project", "folder", "files")
NOT_OPTIONAL = sorted(CONTAINER.keys() - set(OPTIONAL))


IN_NO_NETWORK: tuple[str, object] = ("networks", {})
WRONG = [(f, wrong) for f in CONTAINER for wrong in (["x"], {}, 1.5, True) if (f, wrong) != IN_NO_NETWORK]


@pytest.mark.parametrize(("field", "wrong"), WRONG)
def test_a_field_of_another_type_is_no_answer(field: str, wrong: object) -> None:
    with pytest.raises(Unreachable):
        read_container({**CONTAINER, field: wrong})


@pytest.mark.parametrize("field", NOT_OPTIONAL)
def test_a_field_that_must_be_there_is_never_null(field: str) -> None:
    with pytest.raises(Unreachable):
        read_container({**CONTAINER, field: None})


@pytest.mark.parametrize("field", OPTIONAL)
def test_a_container_that_compose_did_not_make_or_without_a_check_is_read(field: str) -> None:
    assert len(read_container({**CONTAINER, field: None})) == 1


@pytest.mark.parametrize("digest", ["", "sha256:abc", "latest", IMAGE.upper()])
def test_an_image_id_that_is_no_digest_is_no_answer(digest: str) -> None:
    with pytest.raises(Unreachable):
        read_container({**CONTAINER, "image_id": digest})


# --- what is there? -------------------------------------------------------------------------------


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
    docker.says("system dial-stdio", engine()).says("inspect --type container", line(CONTAINER))
    return docker.says("compose -p", b"web " + b"a" * 64 + b"\n")


def observe(docker: FakeDocker, release: Release) -> Observation:
    question = (Question(release),)
    return or_raise(DRIVER.read_look(docker.run(DRIVER.look(question, WHO)), question, WHO, NOW)[0])


def release_in(root: Path, compose: str = WEB, **about: object) -> Release:
    return a_release(compose, root=str(root), files={**FILES, **about.pop("files", {})}, **about)  # type: ignore


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


ENVIRONMENT = Environment(
    set={VariableName("A"): "1"},
    file=RepoPath("secrets/shop.env"),
    required=(VariableName("A"), VariableName("PASSWORD"), VariableName("TOKEN")),
)


def test_an_environment_file_that_is_not_on_the_host_is_refused_by_name(docker: FakeDocker, root: Path) -> None:
    with pytest.raises(PolicyViolation) as caught:
        observe(running(docker), release_in(root, environment=ENVIRONMENT))
    assert "secrets/shop.env" in caught.value.detail


@pytest.mark.parametrize("text", ["PASSWORD=x\n", "export PASSWORD=x\n", "  PASSWORD: x\n", "PASSWORD\n"])
def test_required_variables_that_neither_file_nor_manifest_sets_are_named(
    docker: FakeDocker, root: Path, text: str
) -> None:
    (root / "secrets").mkdir()
    (root / "secrets/shop.env").write_text(f"# TOKEN=no\nXTOKEN=no\n{text}")

    assert observe(running(docker), release_in(root, environment=ENVIRONMENT)).missing_variables == ("TOKEN",)


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


def test_a_fingerprint_of_the_environment_file_changes_with_the_file_and_with_the_key(
    docker: FakeDocker, root: Path
) -> None:
    first = observe(running(docker), with_environment(root, "PASSWORD=a\n")).environment
    same = observe(docker, with_environment(root, "PASSWORD=a\n")).environment
    rotated = observe(docker, with_environment(root, "PASSWORD=b\n")).environment
    elsewhere = observe(docker, with_environment(root, "PASSWORD=a\n", b"j" * 32)).environment

    assert first == same
    assert len({first, rotated, elsewhere, Digest.of(b"PASSWORD=a\n").hexadecimal}) == 4


def test_a_host_without_a_key_gives_no_fingerprint(docker: FakeDocker, root: Path) -> None:
    release = with_environment(root, "PASSWORD=a\n", key=None)

    assert observe(running(docker), release).environment is None


BORROWING = """services:
  web: {image: 'web:1', network_mode: 'service:db', volumes_from: ['db:ro', 'container:other']}
  db: {image: 'web:1'}
  alone: {image: 'web:1', ipc: shareable, pid: host}
"""


def test_hashes_of_borrowers_are_asked_for_with_the_ids_that_up_puts_in(docker: FakeDocker, root: Path) -> None:
    running(docker).says(LENDERS, b"shop-db-2 " + b"2" * 64 + b"\nshop-db-1 " + b"1" * 64 + b"\n")
    observe(docker, release_in(root, BORROWING))
    *_, first, second = sorted((words for words in docker.asked if words.startswith("compose")), key=len)

    assert first.endswith("compose.yaml config")
    assert "-f - -f " in second
    assert second.endswith("/lent.yaml config --no-normalize --no-consistency --hash *")


def test_what_compose_did_not_complete_is_not_hashed(docker: FakeDocker, root: Path) -> None:
    """Compose hashes the second half of a pipe by itself, whatever became of the first (seen with 2.26.1)."""
    running(docker).says(LENDERS, b"shop-db-1 " + b"1" * 64 + b"\n")
    (docker.here / "bin/docker").rename(docker.here / "bin/told")
    docker.program("docker", '#!/bin/sh\ncase "$*" in *" config") exit 15 ;; *) exec told "$@" ;; esac\n')
    with pytest.raises(InvalidInput):
        observe(docker, release_in(root, BORROWING))


def test_ids_of_lenders_come_in_the_place_of_their_names() -> None:
    release = a_release(BORROWING)

    assert borrowed(release) == (
        'services:\n  "web": {"network_mode": "container:@db@", "volumes_from": !override ["@db@", "other"]}\n'
    )
    assert (DRIVER.borrowers(release, ServiceName("db")), lenders_of(release)) == (("web",), ("db",))


def test_a_release_where_nobody_borrows_puts_nothing_in() -> None:
    assert borrowed(a_release(WEB)) == NOTHING


# --- what to do, and how to take it back ----------------------------------------------------------

PREFIX = (
    *("docker", "compose", "-f", f"/opt/platform/{FOLDER}/compose.yaml", "-p", "shop"),
    *("--project-directory", f"/opt/platform/{FOLDER}", "--env-file", "/dev/null"),
)
UP = (*PREFIX, "up", "-d", "--no-build", "--pull", "never")
COMPOSE_FILE = RepoPath(f"{FOLDER}/compose.yaml")
WEB_CONF = RepoPath(f"{FOLDER}/web.conf")
WITH_DB = (
    "services: {web: {image: 'web:1', depends_on: [db]}, db: {image: 'db:1', volumes: ['./web.conf:/etc/db.conf']}}"
)


def change(service: str, action: Action, *causes: Cause, after: str = "other") -> Change:
    """A change of a service, whose hash is `after` then."""
    name = ServiceName(service)
    hashes = {"config_hash": "one"}, {"config_hash": after}
    return Change(f"shop.{service}", name, action, causes, *hashes, False, "")


def seen(release: Release, *in_place: RepoPath) -> Observation:
    """The host before: `in_place` are the files that are there as wanted, others are there with other bytes."""
    told = Completed(0, frame(look(release)), b"")
    other = Digest.of(b"before")
    files = tuple(
        FileSeen(f.path, f.digest if f.path in in_place else other, f.mode)
        for f in release.files
        if not f.path.startswith(".platformctl/")
    )
    return replace(or_raise(DRIVER.read_look(told, (Question(release),), WHO, NOW)[0]), files=files)


def receipt(release: Release, **about: object) -> Receipt:
    """What the release before left: another file and another image."""
    old = Receipt(
        module=release.module.id,
        host=HOST.name,
        outcome="APPLIED",
        plan_digest=IMAGE,
        source_sha=SHA,
        desired=IMAGE,
        applied_at=NOW,
        applied_by="ann@example.org",
        pull_request=None,
        files=tuple(PlannedFile(f.path, Digest.of(b"before"), f.mode) for f in release.files),
        images=(PlannedImage("web:1", None, OTHER_IMAGE),),
        up=DRIVER.bring_up(release),
        closure=release.closure,
        containers=(RunningContainer("web", "1", OTHER_IMAGE),),
    )
    return replace(old, **about)  # type: ignore[arg-type]


def words(operations: tuple[Run | Place | Remove, ...]) -> list[object]:
    """Runs by their words, files by what happens to them."""
    return [
        operation.argv if isinstance(operation, Run) else (type(operation).__name__.lower(), operation.path)
        for operation in operations
    ]


def test_nothing_to_change_is_no_step() -> None:
    release = a_release(WEB, files=FILES)

    assert DRIVER.steps(release, (change("web", Action.KEEP),), (), seen(release), None) == ()


def test_a_first_deploy_tags_places_files_and_brings_up() -> None:
    release = a_release(WEB, files=FILES)
    image = PlannedImage("web:1", None, OTHER_IMAGE)
    (step,) = DRIVER.steps(release, (change("web", Action.CREATE, Cause.MISSING),), (image,), seen(release), None)

    assert words(step.do) == [
        ("docker", "tag", "--", OTHER_IMAGE, "web:1"),
        ("place", COMPOSE_FILE),
        ("place", WEB_CONF),
        (*UP, "--", "web"),
    ]


def test_a_reference_by_digest_is_not_tagged() -> None:
    release = a_release(WEB, files=FILES)
    image = PlannedImage(f"web@{OTHER_IMAGE}", None, OTHER_IMAGE)
    (step,) = DRIVER.steps(release, (change("web", Action.CREATE, Cause.MISSING),), (image,), seen(release), None)

    assert not [said for said in words(step.do) if "tag" in said]


def test_files_that_are_in_place_are_not_placed_again() -> None:
    release = a_release(WEB, files=FILES)
    changes = (change("web", Action.RECREATE, Cause.DEFINITION),)
    (step,) = DRIVER.steps(release, changes, (), seen(release, WEB_CONF), receipt(release))

    assert words(step.do) == [("place", COMPOSE_FILE), (*UP, "--", "web")]


CHANGES = {
    "what Compose sees is not forced": (
        (change("db", Action.KEEP), change("web", Action.RECREATE, Cause.IMAGE_DIGEST)),
        [(*UP, "--", "web")],
    ),
    "a mounted file of the service itself": (
        (change("db", Action.KEEP), change("web", Action.RECREATE, Cause.FILE_CONTENT)),
        [(*UP, "--force-recreate", "--", "web")],
    ),
    "a mounted file of what it needs": (
        (change("db", Action.RECREATE, Cause.FILE_CONTENT), change("web", Action.KEEP)),
        [(*UP, "--force-recreate", "--", "db"), (*UP, "--", "web")],
    ),
    "a mounted file of both": (
        (change("db", Action.RECREATE, Cause.FILE_CONTENT), change("web", Action.RECREATE, Cause.FILE_CONTENT)),
        [(*UP, "--force-recreate", "--", "db"), (*UP, "--force-recreate", "--", "web")],
    ),
    "a file and a definition": (
        (change("db", Action.KEEP), change("web", Action.RECREATE, Cause.DEFINITION, Cause.FILE_CONTENT)),
        [(*UP, "--", "web")],
    ),
    "a file and another number of containers": (
        (change("db", Action.KEEP), change("web", Action.RECREATE, Cause.DEFINITION, Cause.FILE_CONTENT, after="one")),
        [(*UP, "--force-recreate", "--", "web")],
    ),
    "another number of containers": (
        (change("db", Action.KEEP), change("web", Action.RECREATE, Cause.DEFINITION, after="one")),
        [(*UP, "--", "web")],
    ),
    "a file alone, by the manifest's word": (
        (change("db", Action.KEEP), change("web", Action.UPDATE, Cause.FILE_CONTENT)),
        [],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_only_what_compose_does_not_see_is_forced(case: str) -> None:
    changes, ups = CHANGES[case]
    release = a_release(WITH_DB, files=FILES)
    (step,) = DRIVER.steps(release, changes, (), seen(release, COMPOSE_FILE, WEB_CONF), receipt(release))

    assert words(step.do) == ups


def test_environment_files_come_in_the_order_that_lets_the_manifest_win() -> None:
    release = a_release(WEB, files=FILES, environment=ENVIRONMENT)
    (up,) = DRIVER.bring_up(release)
    own = release.files[-1]

    assert [file for option, file in zip(up.argv, up.argv[1:], strict=False) if option == "--env-file"] == [
        "/opt/platform/secrets/shop.env",
        f"/opt/platform/{own.path}",
    ]


def test_the_tools_own_file_is_not_placed_by_a_step() -> None:
    release = a_release(WEB, files=FILES, environment=replace(ENVIRONMENT, file=None))
    changes = (change("web", Action.RECREATE, Cause.DEFINITION),)
    (step,) = DRIVER.steps(release, changes, (), seen(release), None)

    assert [said for said in words(step.do) if said[0] == "place"] == [("place", COMPOSE_FILE), ("place", WEB_CONF)]


def test_modules_that_share_a_compose_file_share_all_words_but_the_service() -> None:
    runtime = replace(MODULE.runtime, project=ProjectName("suite"), compose_service=ServiceName("db"))
    one = a_release(
        WITH_DB, files=FILES, module=replace(MODULE, runtime=replace(runtime, compose_service=ServiceName("web")))
    )
    other = a_release(WITH_DB, files=FILES, module=replace(MODULE, runtime=runtime))
    ups = [DRIVER.bring_up(release)[0].argv for release in (one, other)]

    assert ups[0][:-1] == ups[1][:-1]
    assert (ups[0][-1], ups[1][-1]) == ("web", "db")


def test_a_job_is_put_back_without_being_run_again() -> None:
    release = a_release(WEB, files=FILES, module=replace(MODULE, kind=ModuleKind.JOB))
    changes = (change("web", Action.RECREATE, Cause.DEFINITION),)
    (step,) = DRIVER.steps(release, changes, (), seen(release), receipt(release))

    assert words(step.do)[-1] == (*UP, "--", "web")
    ups = [said for said in words(step.undo) if "up" in said]
    assert ups
    assert all("--no-start" in said and "-d" not in said for said in ups)


def test_the_way_back_from_a_first_deploy_removes_what_was_created_and_no_volume() -> None:
    release = a_release(WEB, files=FILES)
    before = replace(
        seen(release), networks=(), files=(FileSeen(COMPOSE_FILE, None, None), FileSeen(WEB_CONF, None, None))
    )
    (step,) = DRIVER.steps(release, (change("web", Action.CREATE, Cause.MISSING),), (), before, None)
    undo = words(step.undo)

    assert undo[-2:] == [("remove", COMPOSE_FILE), ("remove", WEB_CONF)]
    assert undo[0][-1] == "web"
    assert undo[1][-1] == "shop_default"
    assert not [said for said in undo if "volume" in " ".join(said) or "-v" in said]


def test_a_network_that_was_there_before_stays() -> None:
    release = a_release(WEB, files=FILES)
    (step,) = DRIVER.steps(release, (change("web", Action.CREATE, Cause.MISSING),), (), seen(release), None)

    assert not [said for said in words(step.undo) if "shop_default" in said]


def test_on_the_way_back_files_and_tags_are_there_before_the_previous_release_comes_up() -> None:
    release = a_release(WEB, files=FILES)
    changes = (change("web", Action.RECREATE, Cause.IMAGE_DIGEST, Cause.FILE_CONTENT),)
    (step,) = DRIVER.steps(release, changes, (), seen(release), receipt(release))

    assert words(step.undo) == [
        ("place", COMPOSE_FILE),
        ("place", WEB_CONF),
        ("docker", "tag", "--", OTHER_IMAGE, "web:1"),
        (*UP, "--force-recreate", "--", "web"),
    ]


def test_a_service_that_the_previous_release_did_not_have_goes_first() -> None:
    release = a_release(WITH_DB, files=FILES)
    changes = (change("db", Action.CREATE, Cause.MISSING), change("web", Action.RECREATE, Cause.DEPENDENCY))
    before = receipt(release, closure=(ServiceName("web"),))
    (step,) = DRIVER.steps(release, changes, (), seen(release), before)

    assert words(step.undo)[0][-1] == "db"
    assert words(step.undo)[-1] == (*UP, "--", "web")


def test_who_waits_for_a_service_is_recreated_with_it() -> None:
    release = a_release(WITH_DB, files=FILES)

    assert DRIVER.dependents(release, ServiceName("db")) == ("web",)
    assert DRIVER.dependents(release, ServiceName("web")) == ()


def test_what_comes_with_a_release_is_what_its_file_has_of_its_own_for_services() -> None:
    compose = """
services:
  web: {image: a, depends_on: [db], networks: [front, theirs], volumes: ["data:/d", "./x:/x", "named:/n", "lent:/l"]}
  db: {image: b}
  other: {image: c, networks: [back], volumes: ["more:/m"]}
  rare: {image: d, profiles: [rare], networks: [rare], volumes: ["rare:/r"]}
networks: {front: , back: , rare: , unused: , theirs: {external: true}}
volumes: {data: , more: , rare: , unused: , named: {name: of-its-own}, lent: {external: true}}
"""
    networks, volumes = {"shop_front", "shop_back", "shop_default"}, {"shop_data", "shop_more", "of-its-own"}
    assert DRIVER.makes(a_release(compose)) == {f"network {n}" for n in networks} | {f"volume {v}" for v in volumes}


def test_one_shots_are_jobs_and_what_is_awaited_to_end() -> None:
    compose = (
        "services: {web: {image: a, depends_on: {init: {condition: service_completed_successfully}}}, init: {image: b}}"
    )

    assert DRIVER.one_shots(a_release(compose)) == {"init"}
    assert DRIVER.one_shots(a_release(compose, module=replace(MODULE, kind=ModuleKind.JOB))) == {"init", "web"}
    assert DRIVER.one_shots(a_release(WITH_DB, files=FILES)) == frozenset()


# --- on a real host -------------------------------------------------------------------------------


def hash_by_docker(host: Host, release: Release) -> str:
    """What `docker compose` computes for the service web."""
    (up,) = DRIVER.bring_up(release)
    options = shlex.join(up.argv[up.argv.index("-p") : up.argv.index("up")])
    compose = "cat >/tmp/asked.yaml && docker compose -f /tmp/asked.yaml"
    told = host.sh(f"{compose} {options} config --hash '*'", stdin=release.files[0].content)
    return told.split()[1]


@pytest.mark.lab
def test_a_real_host_answers_all_three_questions(host: Host) -> None:
    entry = HostEntry(
        HostName("one"),
        "ssh",
        host.root,
        host.address,
        host.port,
        host.user,
        host.host_key_fingerprints,
        host.machine_id,
    )
    release = a_release(WEB.replace("web:1", "platformctl-lab/web:1"), files=FILES, root=host.root)
    with SshTransport(entry, {"PLATFORMCTL_SSH_KEY": str(host.key_path)}) as transport:
        who = DRIVER.read_identity(transport.run(DRIVER.identify(version=True)), entry)
        question = (Question(release),)
        observed = or_raise(DRIVER.read_look(transport.run(DRIVER.look(question, who)), question, who, NOW)[0])
        containers = DRIVER.read_watch(transport.run(DRIVER.watch("shop")), entry)
        host.docker("network", "create", "--label", "com.docker.compose.project=shop", "shop_default")
        host.docker("volume", "create", "--label", "com.docker.compose.project=shop", "shop_data")
        whole = DRIVER.read_whole(transport.run(DRIVER.watch_whole("shop")), entry)
        again = or_raise(DRIVER.read_look(transport.run(DRIVER.look(question, who)), question, who, NOW)[0])

    assert set(whole.resources) == {"network shop_default", "volume shop_data"}
    assert whole.resources == again.resources, "both looks name the same things alike"
    assert (who.machine_id, who.engine_id, who.user) == (host.machine_id, host.engine_id, host.user)
    assert (observed.containers, containers) == ((), ())
    assert observed.hashes == {"web": hash_by_docker(host, release)}, (
        "Compose's own program says what docker makes of it"
    )
    assert observed.images[0].present
    assert observed.images[0].id in observed.image_ids
