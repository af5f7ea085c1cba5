"""A service belongs to the module that names it: no other module's plan may change it."""

import pytest

from platformctl.errors import PolicyViolation
from platformctl.model.names import ServiceName
from platformctl.model.plan import Action
from platformctl.planning.refusals import refuse_foreign
from tests.trust.workshop import a_change, a_plan

WEB, DB, CACHE = map(ServiceName, ("web", "db", "cache"))
OWNERS = {WEB: "shop", DB: "database", CACHE: "cache"}


def test_p17_a_plan_that_would_change_another_modules_service_is_refused_and_says_what_comes_first() -> None:
    plan = a_plan(changes=(a_change("web"), a_change("db", Action.RECREATE), a_change("cache", Action.KEEP)))
    with pytest.raises(PolicyViolation) as refusal:
        refuse_foreign(plan, OWNERS, frozenset({DB}))
    assert refusal.value.detail == "module shop would also change db (of module database)"
    assert refusal.value.hint == "apply that one first: platformctl plan database"


@pytest.mark.parametrize("owners", [OWNERS, {WEB: "shop"}])
def test_p17_what_another_module_has_may_be_needed_as_it_is(owners: dict[ServiceName, str]) -> None:
    kept = tuple(a_change(name, Action.KEEP) for name in ("db", "cache"))
    refuse_foreign(a_plan(changes=(a_change("web"), *kept)), owners, frozenset())


def test_p17_what_nobody_else_names_comes_along() -> None:
    refuse_foreign(a_plan(changes=(a_change("web"), a_change("db"))), {WEB: "shop"}, frozenset())


def test_p17_another_modules_one_shot_may_run_again_where_it_is_done() -> None:
    plan = a_plan(changes=(a_change("web"), a_change("db", Action.START)))

    refuse_foreign(plan, OWNERS, frozenset({DB}))
    with pytest.raises(PolicyViolation):
        refuse_foreign(plan, OWNERS, frozenset({CACHE}))
