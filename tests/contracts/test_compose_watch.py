"""The driver docker-compose asks how a project is, and that what was there before is kept."""

import json
from collections.abc import Mapping
from urllib.parse import unquote

import pytest

from platformctl.errors import PrepareFailed, Unreachable
from platformctl.model.command import Command, Completed
from platformctl.model.names import Digest
from platformctl.model.observed import Container, ProjectSeen
from tests.contracts.compose_driver import DRIVER, FILES, WEB, docker
from tests.contracts.compose_host import (
    CONTAINER,
    IMAGE,
    NETWORK,
    OTHER_IMAGE,
    VOLUME,
    FakeDocker,
    frame,
    http,
    line,
    listing,
)
from tests.contracts.releases import HOST, MODULE, a_release

__all__ = ["docker"]


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
OF_OTHER_TYPES: tuple[object, ...] = (["x"], {}, 1.5, True)
WRONG = [(f, wrong) for f in CONTAINER for wrong in OF_OTHER_TYPES if (f, wrong) != IN_NO_NETWORK]


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
