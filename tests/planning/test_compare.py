"""Planning again: what counts as another answer, and how it is told."""

from dataclasses import fields, replace

import pytest

from platformctl.model import plan as model
from platformctl.model.names import GitSha, RepoPath, ServiceName
from platformctl.model.plan import Action, Cause, Plan
from platformctl.model.reports import Difference
from platformctl.planning.compare import compare, differences
from tests.trust.workshop import OTHER_SHA, a_change, a_plan, some_digest

IMMATERIAL = {
    "created_at": "2027-01-01T00:00:00Z",
    "expires_at": "2027-01-02T00:00:00Z",
    "source_repo": "elsewhere",
    "source_ref": "refs/heads/other",
    "speculative": True,
    "source_dirty": True,
    "tool_version": "9.9.9",
    "drivers": {"docker-compose": "2"},
    "observed": replace(a_plan().observed, at="2027-01-01T00:00:00Z", digest=some_digest("later")),
    "trust": replace(a_plan().trust, policy_digest=some_digest("later")),
    "host": replace(a_plan().host, port=2222),
    "untouched": (model.Bystander("container", "tool", "made by hand"),),
}
"""What says when, where and with what a plan was made; each is judged by a check of its own."""
MATERIAL = {
    "module": "other",
    "kind": "job",
    "source_sha": OTHER_SHA,
    "desired": some_digest("other"),
    "files": (model.PlannedFile(RepoPath("compose/shop/compose.yaml"), some_digest("compose"), 0o755),),
    "images": (model.PlannedImage("web:1", None, some_digest("other")),),
    "closure": (ServiceName("web"), ServiceName("db")),
    "changes": (replace(a_change(), action=Action.RECREATE),),
    "steps": a_plan().steps[:1],
    "rollback": model.Rollback(False, None, "first apply"),
    "policy": (),
}


def change(service: str, action: Action = Action.CREATE, *causes: Cause) -> model.Change:
    return replace(a_change(service, action), causes=causes)


def test_the_same_plan_made_again_is_no_difference() -> None:
    assert differences(a_plan(), a_plan()) == ()


@pytest.mark.parametrize("name", IMMATERIAL)
def test_when_and_with_what_a_plan_was_made_is_no_difference(name: str) -> None:
    assert differences(a_plan(), a_plan(**{name: IMMATERIAL[name]})) == ()


@pytest.mark.parametrize("name", MATERIAL)
def test_what_would_happen_otherwise_is_told_by_its_field(name: str) -> None:
    told = differences(a_plan(), a_plan(**{name: MATERIAL[name]}))

    assert told
    assert all(line.startswith(name) for line in told)


def test_every_field_of_a_plan_is_either_compared_or_judged_elsewhere() -> None:
    assert {each.name for each in fields(Plan)} == set(MATERIAL) | set(IMMATERIAL)


@pytest.mark.parametrize("name", MATERIAL)
def test_a_difference_is_one_whichever_plan_came_first(name: str) -> None:
    assert differences(a_plan(**{name: MATERIAL[name]}), a_plan())


def test_a_field_that_differs_is_told_with_both_values() -> None:
    before, again = a_plan(source_sha=GitSha("a" * 40)), a_plan(source_sha=GitSha("b" * 40))

    assert differences(before, again) == (f"source_sha: {'a' * 40}, now {'b' * 40}",)


def test_the_mode_of_a_file_is_told_as_chmod_takes_it() -> None:
    """Both of a file that travels and of the step that places it."""
    told = differences(a_plan(), a_plan(files=MATERIAL["files"]))
    (first, *rest) = a_plan().steps
    place = next(each for each in first.do if isinstance(each, model.Place))
    steps = (replace(first, do=(replace(place, mode=0o600),)), *rest)

    assert told == ("files.compose/shop/compose.yaml.mode: 0644, now 0755",)
    assert any(line.endswith(".mode: 0644, now 0600") for line in differences(a_plan(), a_plan(steps=steps)))


def test_a_change_is_told_by_its_service_and_field() -> None:
    before = a_plan(changes=(change("web", Action.RECREATE, Cause.IMAGE_DIGEST),))
    again = a_plan(changes=(change("web", Action.CREATE, Cause.IMAGE_DIGEST),))

    assert differences(before, again) == ("changes.web.action: recreate, now create",)


def test_one_change_more_does_not_shift_the_others() -> None:
    web, db = change("web"), change("db")

    assert differences(a_plan(changes=(web,)), a_plan(changes=(db, web))) == ("changes.db: nothing, now create",)
    assert differences(a_plan(changes=(db, web)), a_plan(changes=(web,))) == ("changes.db: create, now nothing",)


def test_another_order_is_a_difference() -> None:
    web, db = change("web"), change("db")

    assert differences(a_plan(changes=(web, db)), a_plan(changes=(db, web))) == ("changes: web db, now db web",)


def test_a_row_hides_behind_no_other_of_its_name() -> None:
    twice = (change("web", Action.DELETE), change("web", Action.CREATE))

    assert differences(a_plan(changes=twice), a_plan(changes=twice[1:]))
    assert differences(a_plan(changes=twice), a_plan(changes=(change("web", Action.KEEP), twice[1])))


@pytest.mark.parametrize("word", ["-v", "--force-recreate", ""])
def test_one_word_more_in_a_step_is_a_difference(word: str) -> None:
    (first, last), plan = a_plan().steps, a_plan()
    run = last.do[0]
    assert isinstance(run, model.Run)
    more = replace(last, do=(replace(run, argv=(*run.argv, word)),))

    assert differences(plan, a_plan(steps=(first, more)))


def test_another_way_back_is_a_difference() -> None:
    (first, last), plan = a_plan().steps, a_plan()

    assert differences(plan, a_plan(steps=(first, replace(last, undo=()))))


def test_no_more_lines_are_told_than_somebody_reads() -> None:
    before = a_plan(changes=tuple(change(f"web{number}") for number in range(100)))

    assert len(differences(before, a_plan(changes=()))) == 20


def test_every_field_is_told_with_both_values_to_who_asks_for_all() -> None:
    before = a_plan(changes=tuple(change(f"web{number}") for number in range(100)))
    (first, *rest) = compare(before, a_plan(changes=(), kind="job"))

    assert first == Difference("kind", "service", "job")
    assert len(rest) == 100
