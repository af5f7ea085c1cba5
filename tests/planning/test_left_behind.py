"""What a module has left where it was before is named by its plan, which leaves it alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.model.desired import Module
from platformctl.model.names import ProjectName, ServiceName
from platformctl.model.observed import ImageSeen
from platformctl.model.plan import Plan
from platformctl.model.state import RunningContainer
from platformctl.planning.build import build
from tests.contracts.releases import MODULE, a_release
from tests.lab import Host
from tests.planning.running_host import IMAGE, running
from tests.planning.test_removal import COMPOSE, DRIVER, WHEN, record_of
from tests.platform_repo import PlatformRepo

WAS = (RunningContainer("db", "d" * 64, IMAGE), RunningContainer("web", "e" * 64, IMAGE))
SLEEPER = {"image": "platformctl-lab/sleeper:1"}


def planned(module: Module, compose: str = COMPOSE, foreign: tuple[str, ...] = ()) -> Plan:
    """The plan of a module that ran as web, which needs db, in the project shop."""
    host = running(COMPOSE)
    release = a_release(compose, module=module)
    seen = tuple(ImageSeen(ref, IMAGE) for ref in ("db:1", "web:1"))
    there = replace(host.observation, images=seen, image_ids=frozenset({IMAGE}))
    if module.runtime.project != MODULE.runtime.project:
        there = replace(there, containers=(), networks=(), volumes=())
    services = frozenset(map(ServiceName, foreign))
    return build(release, there, record_of(host, containers=WAS), DRIVER, WHEN, (), services)


def left(plan: Plan) -> list[tuple[str, str]]:
    return [(each.name, each.why) for each in plan.untouched]


def renamed(**about: object) -> Module:
    return replace(MODULE, runtime=replace(MODULE.runtime, **about))  # type: ignore[arg-type]


def test_a_module_that_stays_leaves_nothing_behind() -> None:
    assert left(planned(MODULE)) == []


def test_what_ran_in_another_project_is_told_by_its_service_and_id() -> None:
    where = "of project shop, which the module was applied in last"
    assert left(planned(renamed(project=ProjectName("store")))) == [
        ("d" * 12, f"service db {where}"),
        ("e" * 12, f"service web {where}"),
    ]


def test_services_that_are_no_longer_the_modules_are_told_by_name() -> None:
    why = "the module no longer has or needs its service"
    assert left(planned(renamed(compose_service=ServiceName("db")))) == [("shop-web-1", why)]
    alone = COMPOSE.replace(", depends_on: [db]", "")
    assert left(planned(MODULE, alone)) == [("shop-db-1", why)]


def test_what_another_module_has_by_now_is_not_left_behind() -> None:
    assert left(planned(renamed(compose_service=ServiceName("db")), foreign=("web",))) == []


def test_what_is_no_longer_in_the_file_is_told_once() -> None:
    only = "services: {db: {image: 'db:1', volumes: ['data:/data']}}\nvolumes: {data: {}}\n"
    told = left(planned(renamed(compose_service=ServiceName("db")), only))
    assert [name for name, _ in told] == ["shop-web-1"]


@pytest.mark.lab
def test_a_module_that_moved_to_another_host_says_what_runs_on_the_first(
    tmp_path: Path, hosts: tuple[Host, ...]
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": hosts[0], "rs3000": hosts[1]})
    repo.add_module("web", {"services": {"web": SLEEPER}})
    repo.deploy("web")
    container = hosts[0].docker("inspect", "--format", "{{.Id}}", "web-web-1").strip()
    repo.add_module("web", host="rs3000")

    plan = repo.plan("web")
    (told,) = repo.run("show", plan, "--json").json["plan"]["untouched"]
    assert told["name"] == container[:12]
    assert told["why"].startswith("service web on host rs2000, which the module was applied on last")
    repo.approve(plan)
    repo.apply(plan)
    assert [each["container"] for each in repo.run("stray", "list", "--json", expect=0).json["strays"]] == ["web-web-1"]


@pytest.mark.parametrize(
    ("uses", "file"),
    [
        ("volumes: ['./conf/a:/etc/a:ro']", "conf/a"),
        ("env_file: [{path: a.env, required: false}]", "a.env"),
        ("volumes: ['./conf:/etc/conf:ro']", ""),
    ],
)
def test_a_file_that_is_no_longer_brought_and_still_used_stays_and_is_told(uses: str, file: str) -> None:
    """What is gone below a mounted folder goes from the host too: a container would go on seeing it."""
    compose = f"services: {{web: {{image: 'web:1', {uses}}}}}"
    host = running(compose, {"conf/a": b"one\n", "conf/b": b"two\n", "a.env": b"A=1\n"})
    release = a_release(compose, files={"conf/b": b"two\n"})
    there = replace(host.observation, images=(ImageSeen("web:1", IMAGE),), image_ids=frozenset({IMAGE}))
    plan = build(release, there, record_of(host), DRIVER, WHEN, ())

    why = "the repository no longer has it, and service web goes on using the host's"
    assert left(plan) == ([(f"modules/shop/{file}", why)] if file else [])
