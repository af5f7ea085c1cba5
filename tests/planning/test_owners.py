"""A service belongs to the module that names it: no other module's plan may change it."""

from pathlib import Path

import pytest

from platformctl.errors import PolicyViolation
from platformctl.model.names import GitSha, ModuleId, ServiceName
from platformctl.model.plan import Action
from platformctl.planning.refusals import refuse_foreign
from platformctl.workflows.desire import owners_at, release_at
from platformctl.workflows.parts import trust_roots
from tests.e2e.refusals import refusal
from tests.lab import Host
from tests.platform_repo import PlatformRepo
from tests.trust.workshop import a_change, a_plan
from tests.workflows.inside import parts_of

WEB, DB, CACHE = map(ServiceName, ("web", "db", "cache"))
SLEEPER = {"image": "platformctl-lab/sleeper:1"}
SHOP = {"orchestrator": "docker-compose", "compose_file": "modules/web/compose.yaml", "project": "shop"}
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


@pytest.mark.parametrize("how", [("--offline",), ("--offline", "--all")])
def test_p17_no_plan_is_made_of_a_module_that_shares_a_service_which_none_names(
    tmp_path: Path, how: tuple[str, ...]
) -> None:
    """Each of the two would change it. Where one module names it, or one alone reaches it, there is a plan."""
    repo = PlatformRepo.create(tmp_path)
    two_that_share(repo)
    words = ("plan", *how) if "--all" in how else ("plan", "web", *how)
    refused = repo.run(*words, "--json", expect=65).json
    errors = [each["error"] for each in refused["failed"]] if "--all" in how else [refused["error"]]
    assert {error["reason"] for error in errors} == {"service-owner"}
    assert errors[-1]["detail"] == "service db of project shop is reached by modules api, web, and belongs to none"

    repo.add_module("db", host="local", runtime=SHOP)
    repo.run(*words, expect=1)
    repo.git("rm", "-r", "--quiet", "modules/db", "modules/api")
    repo.commit("web alone")
    repo.run(*words, expect=1)


def test_p17_a_release_of_a_commit_that_shares_a_service_can_be_gone_back_to(tmp_path: Path) -> None:
    """A host may remember one from before that was refused; who owns what at that commit can be told all the same."""
    repo = PlatformRepo.create(tmp_path)
    commit = two_that_share(repo)
    parts = parts_of(repo, lambda transport: transport)
    roots = trust_roots(parts)
    release = release_at(parts, roots, GitSha(commit), ModuleId("web"))

    assert owners_at(parts, roots, GitSha(commit), release) == {WEB: "web", ServiceName("api"): "api"}


def two_that_share(repo: PlatformRepo) -> str:
    """Modules web and api, both of which need db; the commit is returned."""
    services = {"web": {**SLEEPER, "depends_on": ["db"]}, "api": {**SLEEPER, "depends_on": ["db"]}, "db": SLEEPER}
    repo.add_module("web", {"services": services}, host="local", runtime=SHOP)
    return repo.add_module("api", host="local", runtime=SHOP)


@pytest.mark.lab
def test_p17_what_only_another_modules_service_needs_is_that_modules_too(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    runtime = {"orchestrator": "docker-compose", "compose_file": "modules/db/compose.yaml", "project": "shop"}

    def commit(**cache: object) -> None:
        services = {"web": {**SLEEPER, "depends_on": ["db"]}, "db": {**SLEEPER, "depends_on": ["cache"]}}
        repo.add_module("db", {"services": {**services, "cache": {**SLEEPER, **cache}}}, runtime=runtime)
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
