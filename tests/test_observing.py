"""A host that can not be asked, answers too much, or lives at another time is refused by a reason that says so (P6)."""

from dataclasses import dataclass

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.drivers.interface import Question
from platformctl.errors import ExitCode, Unreachable, WrongHost
from platformctl.model.command import NO_ROOM, Command, Completed
from platformctl.model.desired import HostEntry
from platformctl.observing import identify, observe
from tests.asked import Asked
from tests.contracts.compose_host import IDENTITY, frame
from tests.contracts.releases import HOST, a_release
from tests.contracts.test_drivers import identified

DRIVER = DockerCompose()
CLOCK = 1780000000
RELEASE = a_release("services: {web: {image: 'web:1'}}")
ENTRY = HostEntry(HOST.name, "ssh", HOST.root, machine_id="machine-1")
WELL = frame(IDENTITY)


@dataclass
class Answers(Asked):
    """A transport whose host gives one answer to everything."""

    answer: Completed
    entry: HostEntry = ENTRY
    exchanges: int = 0

    def run(self, _command: Command) -> Completed:
        self.exchanges += 1
        return self.answer


@pytest.mark.parametrize("apart", [-300, 0, 300])
def test_a_clock_that_is_near_ours_will_do(apart: int) -> None:
    assert identify(Answers(Completed(0, WELL, b"")), DRIVER, now=CLOCK + apart).clock == CLOCK


@pytest.mark.parametrize("apart", [-301, 301])
def test_a_clock_that_is_off_is_told_with_how_much(apart: int) -> None:
    with pytest.raises(Unreachable) as caught:
        identify(Answers(Completed(0, WELL, b"")), DRIVER, now=CLOCK + apart)

    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.UNREACHABLE, "clock_skew")
    assert f"{-apart} seconds" in caught.value.detail
    assert caught.value.hint


def test_who_is_another_machine_is_told_before_its_clock() -> None:
    entry = HostEntry(HOST.name, "ssh", HOST.root, machine_id="machine-2")

    with pytest.raises(WrongHost):
        identify(Answers(Completed(0, WELL, b""), entry), DRIVER, now=0)


BAD_ANSWERS = {
    "more than is kept of 100 MB": (Completed(0, b"x" * 1000, b"", truncated=True), "connect"),
    "a good answer with a flood behind it": (Completed(0, WELL, b"", truncated=True), "connect"),
    "garbage": (Completed(0, b"\x1b[2J\x00hello", b""), "connect"),
    "nothing": (Completed(0, b"", b""), "connect"),
    "a failure": (Completed(127, b"", b"sh: not found"), "connect"),
    "no room for its own files": (Completed(NO_ROOM, b"", b""), "disk_full"),
    "Compose version 1": (Completed(0, frame({**IDENTITY, "compose": b"v1\n"}), b""), "compose_v1"),
    "no Compose": (Completed(0, frame({**IDENTITY, "compose": b"missing\n"}), b""), "compose_missing"),
    "no permission": (Completed(0, frame({**IDENTITY, "engine": b"permission\n"}), b""), "docker_permission"),
    "no engine": (Completed(0, frame({**IDENTITY, "engine": b"down\n"}), b""), "docker_down"),
}


@pytest.mark.parametrize(("answer", "reason"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_host_that_can_not_answer_is_unreachable_and_says_why(answer: Completed, reason: str) -> None:
    with pytest.raises(Unreachable) as caught:
        identify(Answers(answer), DRIVER, now=CLOCK)

    assert (caught.value.exit_code, caught.value.reason, caught.value.host) == (69, reason, HOST.name)
    assert caught.value.hint
    assert "hello" not in caught.value.detail


@pytest.mark.parametrize("name", ["more than is kept of 100 MB", "garbage", "nothing", "a failure"])
def test_a_look_that_is_no_answer_is_no_observation(name: str) -> None:
    transport = Answers(BAD_ANSWERS[name][0])
    with pytest.raises(Unreachable):
        observe(transport, DRIVER, [Question(RELEASE)], identified(DRIVER), "2026-06-01T12:00:00Z")

    assert transport.exchanges == 1
