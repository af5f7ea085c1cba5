"""In which order the plans of an index begin, and how the whole of it ends."""

import pytest

from platformctl.errors import EXIT_CODES, ExitCode, InvalidInput, Terminated, Touched
from platformctl.model.names import HostName, ModuleId
from platformctl.workflows.fleet import code_of
from platformctl.workflows.schedule import Leg, Schedule


def leg(module: str, host: str, *needs: str) -> Leg:
    return Leg(ModuleId(module), HostName(host), frozenset(map(ModuleId, needs)))


def schedule(*legs: Leg, first: str = "none", parallel: int = 9, keep_going: bool = False) -> Schedule:
    return Schedule(legs, first=HostName(first), parallel=parallel, keep_going=keep_going)


def begun(schedule: Schedule) -> list[Leg]:
    """All that may begin now."""
    return list(iter(schedule.begin, None))


def names(legs: list[Leg]) -> list[str]:
    return [each.module for each in legs]


def test_hosts_are_at_work_side_by_side_and_each_with_one_plan() -> None:
    train = schedule(leg("a", "h1"), leg("b", "h1"), leg("c", "h2"), leg("d", "h3"))
    first = begun(train)
    assert names(first) == ["a", "c", "d"]
    train.ended(first[1], well=True)
    assert names(begun(train)) == []
    train.ended(first[0], well=True)
    assert names(begun(train)) == ["b"]


def test_no_more_hosts_than_asked_for_are_at_work() -> None:
    train = schedule(*(leg(f"m{n}", f"h{n}") for n in range(5)), parallel=2)
    running = begun(train)
    assert names(running) == ["m0", "m1"]
    train.ended(running[0], well=True)
    assert names(begun(train)) == ["m2"]


def test_a_plan_waits_for_those_that_its_module_needs_wherever_they_run() -> None:
    train = schedule(leg("api", "h1", "db"), leg("web", "h1", "api"), leg("db", "h2"))
    (db,) = begun(train)
    assert db.module == "db"
    train.ended(db, well=True)
    (api,) = begun(train)
    assert api.module == "api"
    train.ended(api, well=True)
    assert names(begun(train)) == ["web"]


def test_the_first_host_is_applied_before_all_others() -> None:
    train = schedule(leg("a", "h1"), leg("b", "h2"), leg("c", "h2"), leg("d", "h3"), first="h2")
    for expected in ("b", "c"):
        (running,) = begun(train)
        assert running.module == expected
        train.ended(running, well=True)
    assert names(begun(train)) == ["a", "d"]


def test_what_the_first_host_needs_of_others_begins_with_it() -> None:
    train = schedule(leg("a", "h1"), leg("web", "h2", "db"), leg("db", "h3"), first="h2")
    assert names(begun(train)) == ["db"]


def test_a_plan_that_fails_stops_the_train_and_what_runs_is_waited_for() -> None:
    train = schedule(leg("a", "h1"), leg("b", "h2"), leg("c", "h3"), parallel=2)
    running = begun(train)
    train.ended(running[0], well=False)
    assert begun(train) == []
    train.ended(running[1], well=True)
    assert begun(train) == []
    assert train.left() == {"c": "stopped before it"}


def test_with_keep_going_only_what_needs_the_failed_one_is_left() -> None:
    train = schedule(
        leg("db", "h1"), leg("api", "h2", "db"), leg("web", "h3", "api"), leg("log", "h4"), first="h1", keep_going=True
    )
    (db,) = begun(train)
    train.ended(db, well=False)
    (log,) = begun(train)
    train.ended(log, well=True)
    assert begun(train) == []
    assert train.left() == {"api": "needs db", "web": "needs api"}


def test_a_first_host_whose_plans_can_not_begin_holds_nobody_up() -> None:
    train = schedule(leg("web", "h1", "db"), leg("db", "h2"), leg("log", "h3"), first="h1", keep_going=True)
    (db,) = begun(train)
    train.ended(db, well=False)
    assert names(begun(train)) == ["log"]


def test_modules_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        schedule(leg("a", "h1", "b"), leg("b", "h2", "a"), leg("c", "h3"))
    assert caught.value.detail in ("a → b → a", "b → a → b")


@pytest.mark.parametrize(
    ("codes", "skipped", "expected"),
    [
        ((0, 0), False, 0),
        ((9, 0), False, 9),
        ((9, 9), True, 13),
        ((9, 69), False, 13),
        ((9, 11), True, 13),
        ((11,), True, 11),
        ((69, 75), True, 69),
        ((0, 7), False, 7),
        ((69, 11), False, 11),
        ((11, 12, 8), False, 12),
        ((5, 10), False, 10),
    ],
)
def test_how_the_whole_ends(codes: tuple[int, ...], skipped: bool, expected: int) -> None:
    """8 to 13 as soon as any host may have been touched; 13 only when something was applied and something was not."""
    assert code_of([ExitCode(code) for code in codes], skipped=skipped) == expected


def test_who_is_stopped_before_anything_ran_says_so() -> None:
    assert code_of([], skipped=True, interrupted=Terminated) is ExitCode.TERMINATED
    assert code_of([ExitCode.APPLIED], skipped=True, interrupted=Terminated) is ExitCode.PARTIAL
    assert code_of([ExitCode.APPLIED], skipped=False, interrupted=Terminated) is ExitCode.APPLIED


def test_every_code_that_may_have_touched_a_host_outweighs_those_that_did_not() -> None:
    touching = {code for code, row in EXIT_CODES.items() if row.touched is not Touched.NO} - {ExitCode.APPLIED}
    assert {code_of([ExitCode.TOOL_ERROR, code], skipped=False) for code in touching} == touching
