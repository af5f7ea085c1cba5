"""A service belongs to the module that names it: no other module's plan may change it."""

from pathlib import Path

import pytest

from platformctl.errors import PolicyViolation
from platformctl.model.names import ServiceName
from platformctl.model.plan import Action
from platformctl.planning.refusals import refuse_foreign
from tests.e2e.refusals import refusal
from tests.lab import Host
from tests.platform_repo import PlatformRepo
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


@pytest.mark.lab
def test_p17_what_only_another_modules_service_needs_is_that_modules_too(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    sleeper = {"image": "platformctl-lab/sleeper:1"}
    runtime = {"orchestrator": "docker-compose", "compose_file": "modules/db/compose.yaml", "project": "shop"}

    def commit(**cache: object) -> None:
        services = {"web": {**sleeper, "depends_on": ["db"]}, "db": {**sleeper, "depends_on": ["cache"]}}
        repo.add_module("db", {"services": {**services, "cache": {**sleeper, **cache}}}, runtime=runtime)
        repo.add_module("web", runtime=runtime)

    commit()
    planned = repo.run("plan", "--all", "--json", expect=1).json
    assert [(each["module"], each["plan"]["rollback"]["ready"]) for each in planned["plans"]] == [
        ("db", True),
        ("web", True),
    ]
    index = repo.root / planned["index"]
    repo.approve(index)
    repo.apply(index)

    commit(environment={"A": "2"})
    error = refusal(repo.run("plan", "web", "--json"), 4)
    assert error["hint"] == "apply that one first: platformctl plan db"
    repo.deploy("db")
    repo.plan("web", expect=0)
