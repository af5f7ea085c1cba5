"""The driver docker-compose asks a host who it is: what answers there, or the reason why nothing does."""

import os
import socket
from pathlib import Path

import pytest

from platformctl.drivers.compose_questions import PLUGIN
from platformctl.errors import Unreachable
from platformctl.model.command import Command
from platformctl.model.observed import Identity
from platformctl.model.plan import Run
from tests.contracts.compose_driver import DRIVER, docker
from tests.contracts.compose_host import FakeDocker, http
from tests.contracts.releases import HOST

__all__ = ["docker"]


def well(docker: FakeDocker) -> FakeDocker:
    told = http({"ID": "engine-1", "ServerVersion": "28.2.2", "Architecture": "aarch64"})
    return docker.says("system dial-stdio", told).says("compose version", b"v2.26.1\n")


def identify(docker: FakeDocker, **environment: str) -> Identity:
    answer = docker.run(
        DRIVER.identify(version=True), as_nobody=False, **{"DOCKER_HOST": "unix:///nowhere", **environment}
    )
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


UP = ("docker", "compose", "-p", "a b", "up", "-d", "--", "web")


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


def test_compose_is_told_without_docker_what_docker_would_tell_it(docker: FakeDocker) -> None:
    said = '#!/bin/sh\nprintf "%s|" "$DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND" "$@"; exit 3\n'
    plugin(docker, 1 << 20, said).chmod(0o755)
    docker.program("docker", "x" * (1 << 20))
    ended = docker.run(Command(DRIVER.spoken(Run(UP, 60))))

    assert (ended.status, ended.text) == (3, "docker|compose|-p|a b|up|-d|--|web|")


def test_a_docker_that_may_be_anything_is_told_itself(docker: FakeDocker) -> None:
    plugin(docker, 1 << 20, "#!/bin/sh\necho plugin\n").chmod(0o755)
    docker.program("docker", '#!/bin/sh\nprintf "%s|" "${DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND-unset}" "$@"\n')

    assert docker.run(Command(DRIVER.spoken(Run(UP, 60)))).text == "unset|compose|-p|a b|up|-d|--|web|"


def test_words_that_are_not_for_compose_are_said_as_they_are() -> None:
    tag = ("docker", "tag", "--", "sha256:1", "web:1")

    assert DRIVER.spoken(Run(tag, 60)) == tag


def test_a_socket_that_may_not_be_written_is_a_matter_of_permission(docker: FakeDocker) -> None:
    path = docker.here / "docker.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        path.chmod(0o400)
        answer = well(docker).run(DRIVER.identify(), as_nobody=True, DOCKER_HOST=f"unix://{path}")

    with pytest.raises(Unreachable) as caught:
        DRIVER.read_identity(answer, HOST)
    assert caught.value.reason == "docker_permission"
    assert f"usermod -aG docker {HOST.user or 'USER'}`" in caught.value.hint


def test_without_compose_the_reason_is_compose_missing(docker: FakeDocker) -> None:
    assert reason(well(docker).says("compose version", b"", 1)) == "compose_missing"


def test_compose_that_says_no_version_is_missing(docker: FakeDocker) -> None:
    assert reason(well(docker).says("compose version", b"")) == "compose_missing"


def test_version_1_alone_is_named_so(docker: FakeDocker) -> None:
    well(docker).says("compose version", b"", 1).program("docker-compose", "#!/bin/sh\necho 1.29.2\n")

    assert reason(docker) == "compose_v1"


def test_a_newer_compose_that_is_no_plugin_of_docker_is_not_taken_for_version_1(docker: FakeDocker) -> None:
    well(docker).says("compose version", b"", 1).program("docker-compose", "#!/bin/sh\necho 2.26.1-4\n")

    assert reason(docker) == "compose_missing"


@pytest.mark.parametrize("said", ["2.26.1-4", "v2.40.3", "5.0.1", "v2.24.0-birthday.10", "2.26.1+ds1-0ubuntu1~24.04.1"])
def test_a_version_is_taken_as_it_is_written(docker: FakeDocker, said: str) -> None:
    assert identify(well(docker).says("compose version", said.encode())).compose_version == said.removeprefix("v")


@pytest.mark.parametrize(
    "said", [b"<html>502</html>", b"\xff\x00\x9c", b"[]", b"2", b"2.26.1 2.26.2", b"1.29.2", b"dev"]
)
def test_what_is_no_version_is_garbage(docker: FakeDocker, said: bytes) -> None:
    assert reason(well(docker).says("compose version", said)) == "connect"
