"""What every driver promises: it only says words and reads answers, and no answer can make it guess.

A driver of the table needs a `Sample` here: what its host answers when all is well.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platformctl.drivers.interface import Driver, Question
from platformctl.errors import EXIT_CODES, ExitCode, Refusal, Unreachable, or_raise
from platformctl.model.command import Command, Completed
from platformctl.model.desired import Release
from platformctl.model.names import ModuleId, ProjectName, ServiceName
from platformctl.model.observed import Container, Identity, Observation
from platformctl.model.plan import Action, Cause, Change, PlannedImage, Run
from platformctl.sockets import DRIVERS
from tests.contracts import compose_host
from tests.contracts.releases import HOST, MODULE, a_release

REASONS = EXIT_CODES[ExitCode.UNREACHABLE].reasons
NOW = "2026-06-01T12:00:00Z"
COMPOSE = "services: {web: {image: 'web:1', volumes: ['./web.conf:/etc/web.conf']}}"
ZNAMES = ("zoo", "zorro", "zebra", "zulu", "zuppa")
HOSTILE = ("--privileged", "-v", "$(touch /tmp/x)", "a;b", "a b", "'", '"', "*")


@dataclass(frozen=True)
class Sample:
    """A driver's good answers, whole and by their sections."""

    identity: Mapping[str, bytes]
    look: Callable[[Release], Mapping[str, bytes]]
    watch: Mapping[str, bytes]
    whole: Mapping[str, bytes]
    images: Mapping[str, bytes]
    kept: Mapping[str, bytes]
    framed: Callable[[Mapping[str, bytes | tuple[int, bytes]]], bytes]


SAMPLES = {
    "docker-compose": Sample(
        compose_host.IDENTITY,
        compose_host.look,
        compose_host.WATCH,
        compose_host.WHOLE,
        compose_host.IMAGES,
        compose_host.KEPT,
        compose_host.frame,
    ),
}
Reader = Callable[[bytes], object]


@cache
def known(name: str) -> Driver:
    return made(name)


def made(name: str) -> Driver:
    driver: Driver = DRIVERS.find(name)()
    return driver


def releases(driver: Driver) -> tuple[Release, Release]:
    """One release, and one that differs from it in every name: they stand in no script by chance."""
    files = {"web.conf": b"listen 80\n"}
    runtime = replace(MODULE.runtime, project=ProjectName("zoo"), compose_service=ServiceName("zorro"))
    other = replace(MODULE, id=ModuleId("zebra"), runtime=runtime)
    compose = COMPOSE.replace("web", "zorro")
    return (
        a_release(COMPOSE, files=files, driver=driver.name),
        a_release(compose, files={"zorro.conf": b"x"}, module=other, root="/zulu", driver=driver.name),
    )


def change(service: str, action: Action = Action.CREATE, *causes: Cause) -> Change:
    name = ServiceName(service)
    return Change(f"shop.{service}", name, action, causes or (Cause.MISSING,), None, None, False, "")


def commands(driver: Driver, release: Release, name: str = "web") -> Iterator[Command | Run]:
    """Every command and operation a driver may ask for, with `name` where a stranger's word could come in."""
    image = PlannedImage(name, None, compose_host.IMAGE)
    container = replace(watched(driver)[0], id=name)
    yield from (driver.identify(), driver.look((Question(release),), identified(driver)))
    yield from (ask(release.module.runtime.project) for ask in (driver.watch, driver.watch_whole))
    yield from (driver.logs(container), driver.fetch(image), driver.images())
    yield driver.keep(release, [image.id])
    yield from driver.bring_up(release)
    seen = observed(driver, release)
    for step in driver.steps(release, (change(name),), (image,), seen, None):
        yield from (operation for operation in (*step.do, *step.undo) if isinstance(operation, Run))


def identified(driver: Driver) -> Identity:
    sample = SAMPLES[driver.name]
    return driver.read_identity(Completed(0, sample.framed(sample.identity), b""), HOST)


def watched(driver: Driver) -> tuple[Container, ...]:
    sample = SAMPLES[driver.name]
    return driver.read_watch(Completed(0, sample.framed(sample.watch), b""), HOST)


def observed(driver: Driver, release: Release) -> Observation:
    sample = SAMPLES[driver.name]
    answer = Completed(0, sample.framed(sample.look(release)), b"")
    return or_raise(driver.read_look(answer, (Question(release),), identified(driver), NOW)[0])


@cache
def readers(name: str) -> Mapping[str, tuple[Mapping[str, bytes], Reader]]:
    """The sections of each good answer, and what reads them."""
    driver = known(name)
    sample, release, who = SAMPLES[name], releases(driver)[0], identified(driver)
    return {
        "identity": (sample.identity, lambda told: driver.read_identity(Completed(0, told, b""), HOST)),
        "look": (
            sample.look(release),
            lambda told: or_raise(driver.read_look(Completed(0, told, b""), (Question(release),), who, NOW)[0]),
        ),
        "watch": (sample.watch, lambda told: driver.read_watch(Completed(0, told, b""), HOST)),
        "watch-whole": (sample.whole, lambda told: driver.read_whole(Completed(0, told, b""), HOST)),
        "images": (sample.images, lambda told: driver.read_images(Completed(0, told, b""), HOST)),
        "kept": (sample.kept, lambda told: driver.read_kept(Completed(0, told, b""), HOST)),
    }


@pytest.fixture(params=DRIVERS.names)
def driver(request: pytest.FixtureRequest) -> Driver:
    return made(request.param)


answers = pytest.mark.parametrize("answer", ["identity", "look", "watch", "watch-whole", "images", "kept"])


def test_every_driver_of_the_table_is_tried_here() -> None:
    assert set(SAMPLES) == set(DRIVERS.names)


# --- what is said ---------------------------------------------------------------------------------


def test_a_driver_goes_by_the_name_it_is_registered_with_and_has_a_version(driver: Driver) -> None:
    assert made(driver.name).name == driver.name
    assert driver.version


def test_commands_are_words_with_a_deadline(driver: Driver) -> None:
    for command in commands(driver, releases(driver)[0]):
        assert isinstance(command.argv, tuple)
        assert all(isinstance(word, str) for word in command.argv)
        assert command.argv
        assert 0 < command.timeout <= 3600


def test_the_same_question_has_the_same_words(driver: Driver) -> None:
    first, again = (tuple(commands(made(driver.name), releases(driver)[0])) for _ in range(2))

    assert first == again
    assert observed(driver, releases(driver)[0]) == observed(made(driver.name), releases(driver)[0])


def test_data_is_never_in_the_text_of_a_script(driver: Driver) -> None:
    said = [c.argv for c in commands(driver, releases(driver)[1], "zuppa") if c.argv[:2] == ("sh", "-c")]

    assert any("zoo" in word for argv in said for word in argv[4:])
    assert not [script for _, _, script, *_ in said if any(name in script for name in ZNAMES)]


@pytest.mark.parametrize("word", HOSTILE)
def test_a_hostile_name_is_an_operand_and_nothing_else(driver: Driver, word: str) -> None:
    for command in commands(driver, releases(driver)[0], word):
        for at, said in enumerate(command.argv):
            if word in said and command.argv[:2] != ("sh", "-c"):
                assert "--" in command.argv[:at], command.argv
            elif said == word:
                assert at > 3, "the words after a script are $0 and its arguments"


def audited(name: str) -> None:
    """Everything a driver can be asked, in a process that ends when anything is run, opened or connected to."""
    driver = made(name)
    release = releases(driver)[0]
    tuple(commands(driver, release))
    sys.addaudithook(_refuse)
    tuple(commands(driver, release))
    observed(driver, release)


def _refuse(event: str, _arguments: object) -> None:
    if event.split(".")[0] in ("subprocess", "socket", "open", "os", "shutil", "pty"):
        os.write(2, event.encode())
        os._exit(9)


def test_a_driver_runs_opens_and_reaches_nothing(driver: Driver) -> None:
    script = f"from tests.contracts.test_drivers import audited; audited({driver.name!r})"
    ended = subprocess.run((sys.executable, "-c", script), capture_output=True, check=False, text=True)

    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_watch_for_what_a_driver_runs_sees_it() -> None:
    script = (
        "import sys, os; from tests.contracts.test_drivers import _refuse; sys.addaudithook(_refuse); open('/dev/null')"
    )
    ended = subprocess.run((sys.executable, "-c", script), capture_output=True, check=False, text=True)

    assert (ended.returncode, ended.stderr) == (9, "open")


# --- what is read ---------------------------------------------------------------------------------


@answers
def test_a_good_answer_is_read_alike_each_time(driver: Driver, answer: str) -> None:
    sections, read = readers(driver.name)[answer]
    told = SAMPLES[driver.name].framed(sections)

    assert read(told) == read(told)


@answers
def test_an_answer_that_was_cut_anywhere_is_no_answer(driver: Driver, answer: str) -> None:
    sections, read = readers(driver.name)[answer]
    told = SAMPLES[driver.name].framed(sections)
    for length in range(len(told)):
        with pytest.raises(Unreachable) as caught:
            read(told[:length])
        assert caught.value.reason in REASONS


@answers
def test_an_answer_without_one_of_its_sections_is_no_answer(driver: Driver, answer: str) -> None:
    sections, read = readers(driver.name)[answer]
    for missing in sections:
        with pytest.raises(Unreachable) as caught:
            read(SAMPLES[driver.name].framed({name: body for name, body in sections.items() if name != missing}))
        assert caught.value.reason in REASONS
        assert caught.value.host == HOST.name


@answers
def test_no_part_of_an_answer_that_failed_is_taken_for_an_empty_one(driver: Driver, answer: str) -> None:
    sections, read = readers(driver.name)[answer]
    for failed in sections:
        with pytest.raises(Refusal):
            read(SAMPLES[driver.name].framed({**sections, failed: (1, b"")}))


def is_read_or_refused(read: Reader, told: bytes) -> None:
    """A value, or a refusal with the words that programs know; any other exception fails the test."""
    refused: Refusal | None = None
    try:
        read(told)
    except Refusal as refusal:
        refused = refusal
    assert refused is None or (refused.hint and (refused.reason in REASONS or not isinstance(refused, Unreachable)))


@answers
@given(
    told=st.one_of(st.binary(max_size=200), st.from_regex(rb"([a-z-]{1,9} \d{1,5} \d{1,3}\n.{0,9})*", fullmatch=True))
)
def test_noise_is_no_answer(answer: str, told: bytes) -> None:
    for name in SAMPLES:
        with pytest.raises(Unreachable):
            readers(name)[answer][1](told)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
bodies = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    values.map(compose_host.line),
    values.map(lambda value: b"local a " + compose_host.line(value)),
    values.map(lambda value: b"remote a " + compose_host.line(value)),
    st.sampled_from(
        [b"[" * 100_000, b"remote a " + b"[" * 100_000, b"9" * 5000, b"\n" * 9, b"local a", b"- -", b"\xff"]
    ),
)


@answers
@settings(max_examples=80)
@given(data=st.data(), body=bodies, status=st.sampled_from([0, 0, 1, 66]))
def test_whatever_a_section_says_is_read_or_refused(answer: str, data: st.DataObject, body: bytes, status: int) -> None:
    for name, sample in SAMPLES.items():
        sections, read = readers(name)[answer]
        section = data.draw(st.sampled_from(sorted(sections)))
        is_read_or_refused(read, sample.framed({**sections, section: (status, body)}))
