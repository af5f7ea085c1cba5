"""How a host asks its engine: perl on the engine's own socket where docker would take the same, else docker itself."""

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.errors import Unreachable
from platformctl.model.observed import Identity
from tests.contracts.compose_host import FakeDocker, http
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
    """A socket on which an engine says `told` to the first who asks, unless he stops listening."""

    def __init__(self, path: Path, told: bytes) -> None:
        self.asked = b""
        self._told = told
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(10)

    def serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(10)
            while not self.asked.endswith(b"\r\n\r\n"):
                self.asked += connection.recv(65536)
            connection.settimeout(0.3)
            try:
                gone = connection.recv(1) == b""
            except TimeoutError:
                gone = False
            if not gone:
                connection.sendall(self._told)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def engine(host: FakeDocker, told: bytes) -> Iterator[tuple[str, Engine]]:
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
    return DRIVER.read_identity(host.run(replace(command, argv=words), **environment), HOST)


def test_the_socket_is_asked_without_docker_and_nobody_hangs_up_before_the_answer(host: FakeDocker) -> None:
    with engine(host, http(INFO)) as (place, met):
        who = identify(host, DOCKER_HOST=place)

    assert who.engine_id == "by-socket"
    assert met.asked == b"GET /info HTTP/1.0\r\nHost: docker\r\n\r\n"
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
