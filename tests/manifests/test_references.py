"""Modules name hosts, modules and services that are there, and no two own the same."""

from dataclasses import replace
from itertools import pairwise

from platformctl.manifests.compose import read_compose
from platformctl.manifests.load import check_reached, check_references
from platformctl.model.desired import HostEntry, Module, ModuleKind, Runtime
from platformctl.model.finding import Finding
from platformctl.model.names import HostName, ModuleId, ProjectName, RepoPath, ServiceName

HOSTS = {HostName("rs2000"): HostEntry(HostName("rs2000"), "local", "/opt/platform", machine_id="0" * 32)}


def module(name: str, *needs: str, host: str = "rs2000") -> Module:
    return Module(
        id=ModuleId(name),
        path=RepoPath(f"modules/{name}/module.yaml"),
        description="",
        owner="",
        host=HostName(host),
        kind=ModuleKind.SERVICE,
        runtime=Runtime("docker-compose", RepoPath("compose.yaml"), ServiceName(name), ProjectName(name)),
        depends_on=tuple(map(ModuleId, needs)),
    )


def findings(*modules: Module) -> list[tuple[str, str, str]]:
    return [(f.module, f.rule, f.message) for f in check_references(modules, HOSTS)]


def test_references_that_hold_are_not_mentioned() -> None:
    assert findings(module("web", "db", "cache"), module("db"), module("cache", "db")) == []


def test_p33_a_host_that_is_not_listed_is_denied_with_the_near_name() -> None:
    (finding,) = check_references([module("web", host="rs200")], HOSTS)
    assert (finding.rule, finding.severity, finding.hint) == ("host-allow-list", "deny", "did you mean rs2000?")


def test_p33_an_empty_allow_list_denies_every_host() -> None:
    assert [f.rule for f in check_references([module("web")], {})] == ["host-allow-list"]


def test_a_dependency_that_is_not_there_is_told_with_the_near_name() -> None:
    (finding,) = check_references([module("web", "reddis"), module("redis")], HOSTS)
    assert (finding.field, finding.message) == ("spec.depends_on.0", "there is no module reddis")
    assert finding.hint == "did you mean redis?"


def test_every_module_of_every_cycle_is_told_the_way_round() -> None:
    told = findings(
        module("a", "b"), module("b", "c"), module("c", "a"), module("x", "y"), module("y", "x"), module("z")
    )
    assert {name for name, _, _ in told} == {"a", "b", "c", "x", "y"}
    around = next(message for name, _, message in told if name == "a")
    steps = around.removeprefix("modules wait for each other: ").split(" → ")
    assert steps[0] == steps[-1]
    assert set(pairwise(steps)) == {("a", "b"), ("b", "c"), ("c", "a")}


def test_a_module_beside_a_cycle_is_not_part_of_it() -> None:
    assert {name for name, _, _ in findings(module("a", "b"), module("b", "a"), module("c", "a"))} == {"a", "b"}


def test_a_service_belongs_to_one_module() -> None:
    # given two modules that name the same service of the same project
    web = module("web")
    other = replace(module("other"), runtime=web.runtime)
    # then the second is told, and one on another host is not
    assert [(n, rule) for n, rule, _ in findings(web, other)] == [("other", "service-owner")]
    assert [f.rule for f in check_references([web, replace(other, host=HostName("b"))], _with("b"))] == []


SHARED = """services:
  web: {image: web:1, depends_on: [db]}
  api: {image: api:1, depends_on: [db, cache]}
  db: {image: db:1, depends_on: [helper]}
  cache: {image: cache:1}
  helper: {image: helper:1}
"""


def reached(*names: str) -> list[tuple[str, str]]:
    runtime = Runtime("docker-compose", RepoPath("compose.yaml"), ServiceName("x"), ProjectName("shop"))
    sharing = [replace(module(n), runtime=replace(runtime, compose_service=ServiceName(n))) for n in names]
    compose = read_compose(SHARED.encode(), RepoPath("compose.yaml"), {})
    return [(f.module, f.message.partition(" of ")[0]) for f in check_reached(sharing, compose)]


def test_a_service_that_one_module_reaches_is_that_modules_and_one_that_is_named_the_naming_ones() -> None:
    assert reached("web") == reached("api", "db") == reached("web", "api", "db") == []


def test_a_service_that_two_modules_reach_and_none_names_is_told_to_both() -> None:
    assert reached("web", "api") == [(name, f"service {s}") for s in ("db", "helper") for name in ("web", "api")]


def test_a_project_has_one_compose_file() -> None:
    # given
    web = module("web")
    sharing = replace(module("api"), runtime=replace(web.runtime, compose_service=ServiceName("api")))
    stranger = replace(sharing, runtime=replace(sharing.runtime, compose_file=RepoPath("other.yaml")))
    # then
    assert findings(web, sharing) == []
    assert [(n, rule) for n, rule, _ in findings(web, stranger)] == [("api", "project-owner")]


def test_findings_name_the_manifest() -> None:
    finding: Finding = check_references([module("web", "gone")], HOSTS)[0]
    assert finding.file == "modules/web/module.yaml"


def _with(name: str) -> dict[HostName, HostEntry]:
    return {**HOSTS, HostName(name): HOSTS[HostName("rs2000")]}
