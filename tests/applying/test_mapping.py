"""How an apply ends (docs/architecture.md, steps 12 and 13): what is seen decides, and each ending has one exit code.

The host here behaves: it has containers, an operation may change them, refuse, or be lost, and it remembers its orders.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from platformctl.applying.hands import Done
from platformctl.applying.proof import Wish
from platformctl.applying.run import Apply
from platformctl.errors import ExitCode, Locked, OutcomeUnknown, Unreachable
from platformctl.model.command import Command, Completed
from platformctl.model.desired import Canary
from platformctl.model.events import CanaryAnswered, Event, RollbackStub
from platformctl.model.observed import Container, ProjectSeen
from platformctl.model.plan import Operation, Run, Step
from platformctl.model.policy import ApprovalRule
from platformctl.model.result import ApplyResult
from platformctl.trust.rules import approved_sha, for_apply
from platformctl.trust.verify import VerifiedPlan, verify
from tests.applying.test_proof import FAILED, OK, OTHER, WISH, Reading, StillClock
from tests.trust.workshop import NOW, SHA, Workshop, a_plan

NEW = replace(OK, id="2")
UP, DOWN = Run(("up",), 9), Run(("down",), 9)
STEPS = (Step("files", (Run(("place",), 9),), (Run(("unplace",), 9),)), Step("up", (UP,), (DOWN,)))
Deed = Callable[["FakeHost"], int]


@dataclass
class FakeHost:
    """Containers, and what each order does to them: a deed returns the exit status, by the order's first word."""

    containers: tuple[Container, ...]
    deeds: dict[str, Deed] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    untouched: bool = False

    def ask(self, command: Command) -> Completed:
        """Show the containers."""
        return Completed(0, repr(ProjectSeen(self.containers, self.resources)).encode(), b"")

    def perform(
        self, event: str, step: str, operations: Sequence[Operation], look: Command | None = None
    ) -> tuple[Sequence[Done], Completed | None]:
        """Obey, as far as each order ends well."""
        self.notes.append(f"{event} {step}")
        done: list[Done] = []
        for operation in operations:
            assert isinstance(operation, Run)
            (word,) = operation.argv
            self.orders.append(word)
            done.append(Done(self.deeds.get(word, changes_nothing)(self), "said on the host"))
            if done[-1].status:
                return done, None
        return done, None if look is None else self.ask(look)

    def note(self, event: str, **details: str) -> None:
        """Remember."""
        self.notes.append(f"{event} {details['step']}")


def changes_nothing(_: FakeHost) -> int:
    return 0


def becomes(*containers: Container, status: int = 0) -> Deed:
    """The order makes these the containers."""

    def deed(host: FakeHost) -> int:
        host.containers = containers
        return status

    return deed


def is_lost(_: FakeHost) -> int:
    raise OutcomeUnknown("the connection was lost", host="h1")


def is_fenced(_: FakeHost) -> int:
    raise Locked("the lock is no longer ours", reason="held")


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> VerifiedPlan:
    """A plan of two steps, signed by a planner and approved by a person with real keys."""
    workshop = Workshop(tmp_path_factory.mktemp("keys"))
    sealed = workshop.sealed_plan(a_plan(steps=STEPS))
    return verify(
        sealed,
        (workshop.approval(sealed, "ann"),),
        rule=for_apply(ApprovalRule(), tool_version="0.1.0"),
        keyring=workshop.keyring(),
        head=approved_sha(SHA),
        now=NOW,
    )


@dataclass
class Ending:
    """What came of an apply, and what was told meanwhile."""

    result: ApplyResult
    told: list[Event]

    @property
    def code(self) -> int:
        return int(self.result.exit_code)


def ended(
    verified: VerifiedPlan,
    host: FakeHost,
    *,
    wish: Wish = WISH,
    leave: bool = False,
    stop_after: int | None = None,
    stop_at: type[Event] | None = None,
) -> Ending:
    """Apply; with `stop_after` somebody asks to stop behind so many orders, with `stop_at` when that is told."""
    told: list[Event] = []

    def back() -> Wish:
        host.notes.append("what must be back")
        return replace(wish, images={}, canary=None)

    before = ProjectSeen(host.containers, dict(host.resources))
    run = Apply(
        verified,
        wish,
        back,
        leave=leave,
        hands=host,
        driver=Reading(),
        tell=told.append,
        clock=StillClock(),
        interrupted=lambda: (
            (stop_after is not None and len(host.orders) >= stop_after)
            or (stop_at is not None and any(isinstance(event, stop_at) for event in told))
        ),
    )
    return Ending(run(before), told)


def test_9_what_was_planned_is_seen_to_run(verified: VerifiedPlan) -> None:
    host = FakeHost((OK,), {"up": becomes(NEW)})
    ending = ended(verified, host)
    assert ending.code == ExitCode.APPLIED
    assert host.orders == ["place", "up"]
    assert host.notes == ["do files", "done files", "do up", "done up"]


def test_11_a_failed_step_is_undone_in_reverse_and_what_follows_is_not_begun(verified: VerifiedPlan) -> None:
    host = FakeHost((OK,), {"up": becomes(status=1), "down": becomes(OK)})
    ending = ended(verified, host)
    assert ending.code == ExitCode.ROLLED_BACK
    assert host.orders == ["place", "up", "down", "unplace"]
    assert ending.result.reason == "step up: up ended with status 1"
    assert host.notes[-3:] == ["undo files", "undone files", "what must be back"]


def test_11_what_is_not_healthy_is_undone(verified: VerifiedPlan) -> None:
    """A status of 0 is not the verdict."""
    ending = ended(verified, FakeHost((OK,), {"up": becomes(FAILED), "down": becomes(OK)}))
    assert (ending.code, ending.result.reason) == (ExitCode.ROLLED_BACK, "web: exited with status 3")


def test_12_an_undo_that_fails_is_said(verified: VerifiedPlan) -> None:
    host = FakeHost((OK,), {"up": becomes(FAILED), "down": becomes(FAILED, status=1)})
    ending = ended(verified, host)
    assert (ending.code, ending.result.undone) == (ExitCode.ROLLBACK_FAILED, "step up: down ended with status 1")


def test_12_an_undo_after_which_the_previous_release_is_not_healthy_is_said(verified: VerifiedPlan) -> None:
    ending = ended(verified, FakeHost((OK,), {"up": becomes(FAILED), "down": becomes(FAILED)}))
    assert (ending.code, ending.result.undone) == (ExitCode.ROLLBACK_FAILED, "web: exited with status 3")


def test_10_with_strategy_none_what_is_unhealthy_stays_and_a_person_is_called(verified: VerifiedPlan) -> None:
    host = FakeHost((OK,), {"up": becomes(FAILED)})
    ending = ended(verified, host, leave=True)
    assert (ending.code, host.orders) == (ExitCode.UNHEALTHY, ["place", "up"])
    (stub,) = (event for event in ending.told if isinstance(event, RollbackStub))
    assert (stub.module, stub.host, stub.reason) == ("shop", "rs2000", "web: exited with status 3")


def test_8_with_strategy_none_a_failed_step_stays_and_a_person_is_called(verified: VerifiedPlan) -> None:
    host = FakeHost((OK,), {"up": becomes(FAILED, status=1)})
    ending = ended(verified, host, leave=True)
    assert (ending.code, host.orders, ending.result.lost) == (ExitCode.REMOTE_FAILED, ["place", "up"], False)
    assert any(isinstance(event, RollbackStub) for event in ending.told)


@pytest.mark.parametrize("order", ["place", "up"])
def test_8_what_nobody_saw_the_end_of_is_neither_repeated_nor_undone(verified: VerifiedPlan, order: str) -> None:
    host = FakeHost((OK,), {order: is_lost})
    ending = ended(verified, host)
    assert (ending.code, ending.result.lost) == (ExitCode.REMOTE_FAILED, True)
    assert host.orders[-1] == order


def test_75_who_lost_the_lock_before_the_first_operation_is_told_so(verified: VerifiedPlan) -> None:
    with pytest.raises(Locked):
        ended(verified, FakeHost((OK,), {"place": is_fenced}, untouched=True))


def test_8_who_lost_the_lock_later_does_not_know(verified: VerifiedPlan) -> None:
    ending = ended(verified, FakeHost((OK,), {"up": is_fenced}))
    assert (ending.code, ending.result.lost) == (ExitCode.REMOTE_FAILED, True)


def test_8_an_undo_nobody_saw_the_end_of_is_unknown(verified: VerifiedPlan) -> None:
    ending = ended(verified, FakeHost((OK,), {"up": becomes(FAILED), "down": is_lost}))
    assert (ending.code, ending.result.lost) == (ExitCode.REMOTE_FAILED, True)


def test_8_a_look_that_is_not_answered_is_unknown(verified: VerifiedPlan) -> None:
    class Silent(FakeHost):
        def ask(self, command: Command) -> Completed:
            raise Unreachable("the host went away")

    ending = ended(verified, Silent((OK,)))
    assert (ending.code, ending.result.lost) == (ExitCode.REMOTE_FAILED, True)


@pytest.mark.parametrize("status", [0, 1])
def test_8_a_change_that_was_not_planned_is_left_for_a_person(verified: VerifiedPlan, status: int) -> None:
    """Also where all is healthy, and where the step failed beside it: nothing is undone."""
    host = FakeHost((OK, OTHER), {"up": becomes(NEW, replace(OTHER, id="10"), status=status)})
    ending = ended(verified, host)
    assert (ending.code, ending.result.reason) == (ExitCode.REMOTE_FAILED, "unplanned: other")
    assert ending.result.unplanned == ("other",)
    assert host.orders == ["place", "up"]


@pytest.mark.parametrize("status", [0, 1])
def test_8_a_network_that_became_another_is_left_for_a_person(verified: VerifiedPlan, status: int) -> None:
    def remade(host: FakeHost) -> int:
        host.containers, host.resources = (NEW,), {"network p_default": "b"}
        return status

    host = FakeHost((OK,), {"up": remade}, {"network p_default": "a"})
    ending = ended(verified, host)
    assert (ending.code, ending.result.unplanned) == (ExitCode.REMOTE_FAILED, ("network p_default",))
    assert host.orders == ["place", "up"]


def test_12_an_undo_that_leaves_something_behind_is_said(verified: VerifiedPlan) -> None:
    def leaves(host: FakeHost) -> int:
        host.containers, host.resources = (OK,), {"volume p_data": ""}
        return 0

    ending = ended(verified, FakeHost((OK,), {"up": becomes(status=1), "down": leaves}))
    assert (ending.code, ending.result.unplanned) == (ExitCode.ROLLBACK_FAILED, ("volume p_data",))


@pytest.mark.parametrize("stop_after", [0, 1])
def test_11_asked_to_stop_the_step_under_way_comes_to_its_end_and_is_undone(
    verified: VerifiedPlan, stop_after: int
) -> None:
    """It alone: what never began has nothing to take back, and would take it from what was there before."""
    host = FakeHost((OK,))
    ending = ended(verified, host, stop_after=stop_after)
    assert (ending.code, ending.result.reason) == (ExitCode.ROLLED_BACK, "interrupted")
    assert host.orders == ["place", "unplace"]


def test_11_a_step_behind_the_one_that_failed_is_not_undone(verified: VerifiedPlan) -> None:
    host = FakeHost((OK,), {"place": lambda _: 1})
    assert ended(verified, host).code == ExitCode.ROLLED_BACK
    assert host.orders == ["place", "unplace"]


def test_11_asked_to_stop_while_health_is_watched_it_is_undone(verified: VerifiedPlan) -> None:
    host = FakeHost((OK,), {"up": becomes(NEW), "down": becomes(OK)})
    ending = ended(verified, host, stop_after=2)
    assert (ending.code, ending.result.reason) == (ExitCode.ROLLED_BACK, "interrupted")


def test_11_asked_to_stop_while_the_canary_is_asked_it_is_undone(verified: VerifiedPlan) -> None:
    """By that reason: a release that nobody saw fail is not put in quarantine."""
    host = FakeHost((OK,), {"up": becomes(NEW), "down": becomes(OK)})
    asked = replace(WISH, canary=Canary("http://127.0.0.1:1/", attempts=100))
    ending = ended(verified, host, wish=asked, stop_at=CanaryAnswered)
    assert (ending.code, ending.result.reason) == (ExitCode.ROLLED_BACK, "interrupted")


def test_8_a_mistake_of_ours_after_the_first_step_is_no_other_code(verified: VerifiedPlan) -> None:
    def mistake(_: FakeHost) -> int:
        raise KeyError("ours")

    ending = ended(verified, FakeHost((OK,), {"up": mistake}))
    assert (ending.code, ending.result.lost) == (ExitCode.REMOTE_FAILED, True)


@pytest.mark.parametrize("show_logs", [True, False])
def test_where_the_host_may_say_a_secret_nothing_of_it_is_told(verified: VerifiedPlan, show_logs: bool) -> None:
    wish = replace(WISH, show_logs=show_logs)
    ending = ended(verified, FakeHost((OK,), {"up": becomes(OK, status=1)}), wish=wish)
    assert ("said on the host" in repr(ending.told)) is show_logs
