"""The driver docker-compose takes no answer that is cut, doubled or not the one it asked for."""

from pathlib import Path

import pytest

from platformctl.drivers.interface import Question
from platformctl.errors import Unreachable
from platformctl.model.command import Completed
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
    CONTAINER,
    FOUND,
    FakeDocker,
    engine,
    frame,
    look,
)

__all__ = ["docker", "root"]


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
