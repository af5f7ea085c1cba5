"""When a release is proven, and when not (P3): what containers show, look by look, on a clock that does not wait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from platformctl.applying.hands import Done
from platformctl.applying.proof import Wish, first_look, prove
from platformctl.drivers.docker_compose import DockerCompose
from platformctl.errors import Unreachable
from platformctl.model.command import Command, Completed
from platformctl.model.desired import Health, HostEntry
from platformctl.model.events import Event, HealthSeen, Watching
from platformctl.model.names import Digest, HostName, ServiceName
from platformctl.model.observed import Container, ProjectSeen
from platformctl.model.plan import Operation
from platformctl.model.result import Proof

IMAGE = Digest.of(b"image")
OK = Container("1", "p-web-1", ServiceName("web"), IMAGE, "web:1", "h", "2.26.1", "running", None, 0, 0, "t1")
STARTING, HEALTHY, SICK = (replace(OK, health=health) for health in ("starting", "healthy", "unhealthy"))
RESTARTED, BY_HAND = replace(OK, restarts=1, started_at="t2"), replace(OK, started_at="t2")
FAILED, DONE = replace(OK, state="exited", exit_code=3), replace(OK, state="exited")
OTHER = replace(OK, id="9", service=ServiceName("other"), name="p-other-1")
WISH = Wish(
    entry=HostEntry(HostName("h1"), "ssh", "/opt/platform"),
    project="p",
    services=frozenset({"web"}),
    one_shots=frozenset(),
    may_change=frozenset({"web"}),
    images={"web": IMAGE},
    health=Health(timeout=5, stable_for=2),
    canary=None,
)
ONE_SHOT = replace(WISH, one_shots=frozenset({"web"}))


class StillClock:
    """Time passes when somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Watched:
    """A host whose containers are one row after the other; the last row stays. `asked` are the looks, word by word."""

    looks: list[tuple[Container, ...]]
    resources: Mapping[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    untouched: bool = False

    def ask(self, command: Command) -> Completed:
        if command.argv[:2] == ("docker", "logs"):
            raise Unreachable("the host went away")
        shown = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        self.asked.append(command.argv[3])
        return Completed(0, repr(ProjectSeen(shown, self.resources)).encode(), b"")

    def perform(
        self, event: str, step: str, operations: Sequence[Operation], look: Command | None = None
    ) -> tuple[Sequence[Done], Completed | None]:
        raise AssertionError(operations)

    def note(self, event: str, **details: str) -> None:
        raise AssertionError(event, details)


class Reading(DockerCompose):
    """The driver, but for the form in which containers come."""

    def read_watch(self, answer: Completed, entry: HostEntry) -> tuple[Container, ...]:
        return self.read_whole(answer, entry).containers

    def read_whole(self, answer: Completed, entry: HostEntry) -> ProjectSeen:
        found: ProjectSeen = eval(answer.stdout, _NAMES)
        return found


_NAMES = {"Container": Container, "ProjectSeen": ProjectSeen}


def proof(
    wish: Wish,
    *looks: Container | Sequence[Container],
    before: tuple[Container, ...] = (),
    resources: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
    told: list[Event] | None = None,
    asked: list[str] | None = None,
) -> Proof:
    rows = [(look,) if isinstance(look, Container) else tuple(look) for look in looks]
    events: list[Event] = [] if told is None else told
    return prove(
        wish,
        ProjectSeen(before, resources[0]),
        hands=Watched(rows, resources[1], [] if asked is None else asked),
        driver=Reading(),
        tell=events.append,
        clock=StillClock(),
        interrupted=lambda: False,
    )


@pytest.mark.parametrize(
    ("wish", "looks"),
    [
        (WISH, [OK]),
        (WISH, [STARTING, STARTING, HEALTHY]),
        (WISH, [HEALTHY, STARTING, HEALTHY]),
        (replace(WISH, health=Health(timeout=1, stable_for=60)), [OK]),
        (replace(WISH, may_change=frozenset()), [RESTARTED]),
        (ONE_SHOT, [OK, OK, DONE]),
        (replace(WISH, services=frozenset(), absent=frozenset({"web"})), [()]),
    ],
    ids=["runs", "becomes-healthy", "wavers", "held-longer-than-waited", "kept-one-restarted-before", "job", "gone"],
)
def test_it_is_proven(wish: Wish, looks: list[Container]) -> None:
    before = (RESTARTED,) if looks == [RESTARTED] else ()
    assert proof(wish, *looks, before=before).good


def test_what_is_seen_is_told_when_it_is_something_else() -> None:
    told: list[Event] = []
    proof(WISH, STARTING, STARTING, HEALTHY, told=told)
    assert told == [Watching("health", 5), HealthSeen(("web waiting",)), HealthSeen(("web running",))]


@pytest.mark.parametrize(
    ("wish", "looks", "complaint"),
    [
        (WISH, [()], "web: has no container"),
        (WISH, [FAILED], "web: exited with status 3"),
        (WISH, [DONE], "web: exited with status 0"),
        (WISH, [OK, FAILED], "web: exited with status 3"),
        (WISH, [RESTARTED], "web: was restarted"),
        (WISH, [OK, RESTARTED], "web: was restarted"),
        (WISH, [OK, BY_HAND], "web: was restarted"),
        (WISH, [OK, replace(OK, id="2")], "web: was replaced by another container"),
        (WISH, [replace(OK, state="restarting")], "web: was restarted"),
        (WISH, [replace(OK, state="paused")], "web: is paused"),
        (WISH, [replace(OK, state="created")], "web: is created"),
        (WISH, [STARTING, SICK], "web: is unhealthy"),
        (WISH, [STARTING], "web: did not become healthy in time"),
        (WISH, [(STARTING, replace(FAILED, id="2"))], "web: exited with status 3"),
        (ONE_SHOT, [OK], "web: did not end in time"),
        (ONE_SHOT, [OK, FAILED], "web: exited with status 3"),
        (replace(WISH, images={"web": Digest.of(b"x")}), [OK], "another image than planned runs: web"),
        (replace(WISH, services=frozenset(), absent=frozenset({"web"})), [OK], "web: is still there"),
    ],
)
def test_it_is_not_proven(wish: Wish, looks: list[Container], complaint: str) -> None:
    assert proof(wish, *looks).complaint == complaint


def test_what_was_not_planned_is_told_whatever_else_is_well() -> None:
    found = proof(WISH, (OK, replace(OTHER, id="10")), before=(OTHER,))
    assert (found.unplanned, found.complaint, found.good) == (("other",), "", False)


def test_a_one_off_run_of_somebody_is_not_an_unplanned_change() -> None:
    assert proof(WISH, (OK, replace(OTHER, oneoff=True))).good


NETWORK, VOLUME = "network p_default", "volume p_data"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({NETWORK: "a", VOLUME: ""}, {NETWORK: "a", VOLUME: ""}),
        ({}, {NETWORK: "a", VOLUME: ""}),
    ],
    ids=["none", "the-same", "planned"],
)
def test_networks_and_volumes_that_are_as_planned_are_proven(before: dict[str, str], after: dict[str, str]) -> None:
    wish = replace(WISH, may_come=frozenset({NETWORK, VOLUME}))
    assert proof(wish, OK, resources=(before, after)).good


@pytest.mark.parametrize(
    ("before", "after", "unplanned"),
    [
        ({}, {"network p_other": "a"}, "network p_other"),
        ({}, {"volume p_other": ""}, "volume p_other"),
        ({NETWORK: "a"}, {}, NETWORK),
        ({NETWORK: "a"}, {NETWORK: "b"}, NETWORK),
        ({VOLUME: ""}, {}, VOLUME),
    ],
    ids=["another-network", "another-volume", "a-network-went", "a-network-became-another", "a-volume-went"],
)
@pytest.mark.parametrize("look", [OK, SICK])
def test_a_network_or_volume_that_came_or_went_unplanned_is_told(
    before: dict[str, str], after: dict[str, str], unplanned: str, look: Container
) -> None:
    wish = replace(WISH, may_come=frozenset({NETWORK, VOLUME}))
    assert proof(wish, look, resources=(before, after)).unplanned == (unplanned,)


@pytest.mark.parametrize(
    ("wish", "looks", "asked"),
    [
        (WISH, [OK], ["watch"] * 4 + ["watch-whole"]),
        (replace(WISH, health=Health(timeout=5, stable_for=0)), [OK], ["watch-whole"]),
        (WISH, [SICK], ["watch", "watch-whole"]),
    ],
    ids=["healthy", "nothing-to-hold", "sick"],
)
def test_a_healthy_apply_asks_nothing_more_than_its_looks(wish: Wish, looks: list[Container], asked: list[str]) -> None:
    found: list[str] = []
    proof(wish, *looks, asked=found)
    assert found == asked
    assert first_look(wish, Reading()).argv[3] == asked[0]


@pytest.mark.parametrize("stable_for", [0, 2])
def test_what_was_looked_at_with_the_last_step_is_not_asked_again(stable_for: int) -> None:
    wish = replace(WISH, health=Health(timeout=5, stable_for=stable_for))
    host = Watched([(OK,)], {})
    answer = host.ask(first_look(wish, Reading()))
    none: list[Event] = []
    found = prove(
        wish,
        ProjectSeen((), {}),
        hands=host,
        driver=Reading(),
        tell=none.append,
        clock=StillClock(),
        interrupted=lambda: False,
        first=answer,
    )

    assert found.complaint == ""
    assert host.asked == (["watch-whole"] if stable_for == 0 else ["watch"] * 4 + ["watch-whole"])
