"""How a host asks its engine: perl on the engine's own socket where docker would take the same, else docker itself."""

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.errors import Unreachable
from platformctl.model.observed import Container, Identity
from tests.contracts.compose_host import CONTAINER, SETTINGS, FakeDocker, http, line, listing
from tests.contracts.releases import HOST

DRIVER = DockerCompose()
INFO = {"ID": "by-socket", "ServerVersion": "28.2.2", "Architecture": "x86_64"}
DIAL = "system dial-stdio"


@pytest.fixture
def host() -> Iterator[FakeDocker]:
    """A host with perl, whose docker would say another engine id."""
    with tempfile.TemporaryDirectory() as name:
        made = FakeDocker.create(Path(name) / "host").says(DIAL, http({**INFO, "ID": "by-docker"}))
        perl = shutil.which("perl")
        assert perl, "perl is part of every Debian and Ubuntu"
        (made.here / "bin/perl").symlink_to(perl)
        yield made


class Engine:
    """A socket on which an engine says the next of `told` to each who asks, unless he stops listening."""

    def __init__(self, path: Path, told: Sequence[bytes]) -> None:
        self.asked: list[bytes] = []
        self._told = told
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(10)

    def serve(self) -> None:
        for told in self._told:
            connection, _ = self._listener.accept()
            with connection:
                self._answer(connection, told)

    def _answer(self, connection: socket.socket, told: bytes) -> None:
        connection.settimeout(10)
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            asked += connection.recv(65536)
        self.asked.append(asked)
        connection.settimeout(0.1)
        try:
            gone = connection.recv(1) == b""
        except TimeoutError:
            gone = False
        if not gone:
            connection.sendall(told)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def engine(host: FakeDocker, *told: bytes) -> Iterator[tuple[str, Engine]]:
    """DOCKER_HOST of an engine on that host."""
    path = host.here / "engine.sock"
    made = Engine(path, told)
    server = threading.Thread(target=made.serve)
    server.start()
    try:
        yield f"unix://{path}", made
        server.join()
    finally:
        made.close()


def identify(host: FakeDocker, **environment: str) -> Identity:
    """Who answers on a host whose engine usually listens on `engine.sock` of its folder."""
    command = DRIVER.identify()
    words = tuple(word.replace("/var/run/docker.sock", f"{host.here}/engine.sock") for word in command.argv)
    assert words != command.argv
    return DRIVER.read_identity(host.run(replace(command, argv=words), as_nobody=False, **environment), HOST)


def test_the_socket_is_asked_without_docker_and_nobody_hangs_up_before_the_answer(host: FakeDocker) -> None:
    with engine(host, http(INFO)) as (place, met):
        who = identify(host, DOCKER_HOST=place)

    assert who.engine_id == "by-socket"
    assert met.asked == [b"GET /info HTTP/1.0\r\nHost: docker\r\n\r\n"]
    assert host.asked == ()
    assert list((host.here / "tmp").iterdir()) == []


def test_an_answer_that_is_cut_short_is_none(host: FakeDocker) -> None:
    with engine(host, http(INFO)[:-9]) as (place, _), pytest.raises(Unreachable):
        identify(host, DOCKER_HOST=place)


def test_an_engine_that_takes_a_question_and_says_nothing_is_left_after_its_time(host: FakeDocker) -> None:
    """A minute on a real host (`test_an_engine_that_does_not_answer_is_not_waited_for_for_ever`), a second here."""
    command = DRIVER.identify()
    words = tuple(word.replace("alarm 60", "alarm 1") for word in command.argv)
    assert words != command.argv
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(host.here / "engine.sock"))
        silent.listen()
        answer = host.run(replace(command, argv=words), DOCKER_HOST=f"unix://{host.here}/engine.sock")

    with pytest.raises(Unreachable) as caught:
        DRIVER.read_identity(answer, HOST)
    assert (caught.value.reason, host.asked) == ("docker_down", ())


def test_a_socket_nobody_listens_on_is_left_to_docker(host: FakeDocker) -> None:
    path = host.here / "engine.sock"
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(path))

        assert identify(host, DOCKER_HOST=f"unix://{path}").engine_id == "by-docker"


@pytest.fixture
def usual(host: FakeDocker) -> Iterator[None]:
    """Somebody listens where an engine usually does; whoever came there would wait for an answer."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(host.here / "engine.sock"))
        listening.listen()
        listening.setblocking(False)
        yield
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize(
    "environment",
    [{"DOCKER_HOST": "tcp://192.0.2.1:2375"}, {"DOCKER_HOST": "ssh://there"}, {"DOCKER_CONTEXT": "there"}],
)
def test_an_engine_elsewhere_is_left_to_docker(host: FakeDocker, environment: dict[str, str]) -> None:
    assert identify(host, **environment).engine_id == "by-docker"


@pytest.mark.usefixtures("usual")
def test_a_context_in_docker_s_settings_is_left_to_docker(host: FakeDocker) -> None:
    (host.here / ".docker").mkdir()
    (host.here / ".docker/config.json").write_text('{"currentContext": "there"}')

    assert identify(host).engine_id == "by-docker"


def test_where_nothing_names_another_engine_the_usual_socket_is_asked(host: FakeDocker) -> None:
    (host.here / ".docker").mkdir()
    (host.here / ".docker/config.json").write_text('{"auths": {}}')
    with engine(host, http(INFO)):
        assert identify(host).engine_id == "by-socket"


def test_docker_s_own_word_for_the_engine_comes_before_a_context(host: FakeDocker) -> None:
    with engine(host, http(INFO)) as (place, _):
        assert identify(host, DOCKER_HOST=place, DOCKER_CONTEXT="there").engine_id == "by-socket"


def test_a_host_without_perl_asks_by_docker(host: FakeDocker) -> None:
    (host.here / "bin/perl").unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(host.here / "engine.sock"))
        listening.listen()

        assert identify(host, DOCKER_HOST=f"unix://{host.here}/engine.sock").engine_id == "by-docker"


ID = str(CONTAINER["id"])
LABELS = {
    "com.docker.compose.project": CONTAINER["project"],
    "com.docker.compose.service": CONTAINER["service"],
    "com.docker.compose.config-hash": CONTAINER["hash"],
    "com.docker.compose.version": CONTAINER["version"],
    "com.docker.compose.oneoff": CONTAINER["oneoff"],
    "com.docker.compose.project.working_dir": CONTAINER["folder"],
    "com.docker.compose.project.config_files": CONTAINER["files"],
    'Id": "9", "State': '\\"}, {[<Id> hunter2',
}
STATE: dict[str, object] = {
    "Pid": 7,
    "Status": CONTAINER["state"],
    "ExitCode": CONTAINER["exit_code"],
    "StartedAt": CONTAINER["started_at"],
    "Health": {"Log": [{"Output": 'hunter2 "Status": "unhealthy"'}], "Status": CONTAINER["health"]},
}
CONFIG: dict[str, object] = {"Env": ["PASSWORD=hunter2"], "Labels": LABELS, "Image": CONTAINER["image_ref"]}
HOST_CONFIG: dict[str, object] = {**SETTINGS, "Binds": ["hunter2:/x"]}
WHOLE = {
    "Path": "hunter2",
    "State": STATE,
    "Config": CONFIG,
    "Id": ID,
    "Name": CONTAINER["name"],
    "Image": CONTAINER["image_id"],
    "RestartCount": CONTAINER["restarts"],
    "HostConfig": HOST_CONFIG,
    "NetworkSettings": {"Networks": CONTAINER["networks"]},
}
"""The same container as the engine's API has it, among what nobody else is to know."""
LIST = http(listing(ID))
GONE = http({"message": "No such container"}, statuses={0: 404})


def watch(host: FakeDocker, place: str) -> tuple[Container, ...]:
    told = host.run(DRIVER.watch("shop"), DOCKER_HOST=place)
    assert b"hunter2" not in told.stdout
    return DRIVER.read_watch(told, HOST)


def test_of_a_container_the_socket_tells_what_docker_would_and_nothing_else(host: FakeDocker) -> None:
    with engine(host, LIST, http(WHOLE)) as (place, met):
        by_socket = watch(host, place)
    host.says(DIAL, LIST).says("inspect --type container", line(CONTAINER))

    assert by_socket == DRIVER.read_watch(host.run(DRIVER.watch("shop"), DOCKER_HOST="tcp://192.0.2.1:2375"), HOST)
    assert met.asked[1] == f"GET /containers/{ID}/json HTTP/1.0\r\nHost: docker\r\n\r\n".encode()
    assert list((host.here / "tmp").iterdir()) == []


def test_a_container_that_has_nothing_at_a_place_is_told_so(host: FakeDocker) -> None:
    without = {**WHOLE, "State": {**STATE, "Health": None}, "Config": {"Image": "web:1", "Labels": None}}
    with engine(host, LIST, http(without)) as (place, _):
        (found,) = watch(host, place)

    assert (found.health, found.service, found.project) == (None, "", "")


@pytest.mark.parametrize("cut", [1, 2, 40, 300, 900])
def test_a_container_of_which_only_a_part_is_told_is_not_taken_for_one_without_the_rest(
    host: FakeDocker, cut: int
) -> None:
    with engine(host, *[LIST, http(WHOLE)[: -cut - 1]] * 3) as (place, _), pytest.raises(Unreachable):
        watch(host, place)
    assert {words.split(" ")[0] for words in host.asked} == {"inspect"}


def test_a_list_that_ends_amid_a_secret_stays_on_the_host(host: FakeDocker) -> None:
    told = http([{"Id": ID, "Command": "run", "Labels": {"a": "S3CRET", "b": "more"}}])
    cut = told[: told.index(b"more")]
    with engine(host, *[cut] * 3) as (place, met):
        answer = host.run(DRIVER.watch("shop"), DOCKER_HOST=place)
    assert len(met.asked) == 3
    assert b"S3CRET" not in answer.stdout + answer.stderr
    with pytest.raises(Unreachable):
        DRIVER.read_watch(answer, HOST)


LARGE = {
    "many ports": {"HostConfig": {**HOST_CONFIG, "PortBindings": {f"{n}/udp": [{}] for n in range(70_000)}}},
    "a long text": {"Config": {**CONFIG, "Env": ["A=" + '"' * 70_000]}},
    "many labels": {"Config": {**CONFIG, "Labels": {**{f"l{n}": "" for n in range(70_000)}, **LABELS}}},
}


@pytest.mark.parametrize("more", LARGE.values(), ids=LARGE)
def test_a_container_with_very_much_is_told_as_well(host: FakeDocker, more: dict[str, object]) -> None:
    with engine(host, LIST, http({**WHOLE, **more})) as (place, _):
        (found,) = watch(host, place)
    assert (found.id, found.health, found.service, host.asked) == (ID, "healthy", "web", ())


@pytest.mark.parametrize("told", [b"", http(WHOLE).replace(b"200", b"500"), http([WHOLE]), http("{}"), GONE])
def test_what_is_no_answer_about_a_container_is_none_and_asked_for_twice_more(host: FakeDocker, told: bytes) -> None:
    with engine(host, *[LIST, told] * 3) as (place, met), pytest.raises(Unreachable) as caught:
        watch(host, place)
    assert (caught.value.reason, len(met.asked)) == ("docker_down", 6)


def test_a_container_that_goes_between_two_questions_is_asked_for_again_on_the_socket_too(host: FakeDocker) -> None:
    with engine(host, LIST, GONE, LIST, http(WHOLE)) as (place, _):
        assert [container.id for container in watch(host, place)] == [ID]
