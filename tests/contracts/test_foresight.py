"""What a plan brings is what a later plan of the same run finds, without asking a host."""

from dataclasses import replace

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.drivers.interface import Preceding
from platformctl.model.desired import Release
from platformctl.model.names import Digest, ModuleId, ProjectName, RepoPath, ServiceName
from platformctl.model.observed import FileSeen, Observation
from platformctl.model.plan import Action, Cause, Change, Place, Step
from tests.contracts.compose_host import IMAGE
from tests.contracts.releases import FOLDER, MODULE, a_release
from tests.contracts.test_drivers import observed
from tests.trust.workshop import a_plan

DRIVER = DockerCompose()
COMPOSE = """
services: {web: {image: 'web:1', depends_on: [db]}, db: {image: 'web:1', volumes: ['data:/d']}}
volumes: {data: {}}
"""
FILE = RepoPath(f"{FOLDER}/compose.yaml")
NEW, OLD = Digest.of(b"new"), Digest.of(b"old")


def change(service: str, action: Action) -> Change:
    after = {"config_hash": "h" * 64, "image": "web:1", "image_id": IMAGE, "state": "running"}
    return Change(f"db.{service}", ServiceName(service), action, (Cause.MISSING,), None, after, False, "")


def before(action: Action = Action.CREATE) -> Preceding:
    """The plan of the module that owns db: it places the shared file and does something to db."""
    runtime = replace(MODULE.runtime, compose_service=ServiceName("db"))
    release = a_release(COMPOSE, module=replace(MODULE, id=ModuleId("db"), runtime=runtime))
    step = Step("release", (Place(FILE, NEW, 0o644),), ())
    plan = a_plan(changes=(change("db", action),), steps=(step,), images=())
    return Preceding(release, plan, seen(release))


def seen(release: Release) -> Observation:
    """A host with the old file and nothing of the project."""
    there = observed(DRIVER, release)
    return replace(there, containers=(), networks=(), volumes=(), files=(FileSeen(FILE, OLD, 0o644),))


def test_a_later_plan_finds_files_containers_networks_and_volumes_of_an_earlier_one() -> None:
    release = a_release(COMPOSE)
    after = DRIVER.foresee(release, seen(release), before())

    assert after.files == (FileSeen(FILE, NEW, 0o644),)
    assert {NEW, OLD} <= after.kept
    assert [(c.service, c.config_hash, c.image_id, c.state) for c in after.containers] == [
        ("db", "h" * 64, IMAGE, "running")
    ]
    assert [network.name for network in after.networks] == ["shop_default"]
    assert [volume.name for volume in after.volumes] == ["shop_data"]
    assert DRIVER.drift(release, after, after.containers[0]) == {}
    assert DRIVER.lost_networks(release, after, after.containers[0]) == ()
    assert DRIVER.contradictions(release, after) == ()


def test_a_container_is_foreseen_by_the_name_that_it_is_given() -> None:
    given = COMPOSE.replace("db: {image", "db: {container_name: vault, image")
    release = a_release(given)
    made = replace(before(), release=a_release(given, module=before().release.module))

    assert [each.name for each in DRIVER.foresee(release, seen(release), made).containers] == ["vault"]


def test_a_container_whose_hash_is_not_known_yet_is_there_all_the_same() -> None:
    """It was made by nobody's hand: only what its hash will be is not known."""
    release, unknown = a_release(COMPOSE), change("db", Action.CREATE)
    unknown = replace(unknown, after={**(unknown.after or {}), "config_hash": ""})
    made = replace(before(), plan=replace(before().plan, changes=(unknown,)))

    assert len(DRIVER.foresee(release, seen(release), made).of(ServiceName("db"))) == 1


def test_what_is_deleted_is_gone_and_what_is_started_runs() -> None:
    release = a_release(COMPOSE)
    there = DRIVER.foresee(release, seen(release), before())
    stopped = replace(there, containers=tuple(replace(c, state="exited", exit_code=1) for c in there.containers))

    assert DRIVER.foresee(release, there, before(Action.DELETE)).containers == ()
    assert [c.state for c in DRIVER.foresee(release, stopped, before(Action.START)).containers] == ["running"]
    assert DRIVER.foresee(release, stopped, before(Action.KEEP)).containers == stopped.containers


def test_an_env_file_that_an_earlier_plan_brings_is_no_longer_lacking() -> None:
    release = a_release(COMPOSE)
    lacking = replace(seen(release), lacking=(FILE, RepoPath("modules/shop/other.env")))

    assert DRIVER.foresee(release, lacking, before()).lacking == ("modules/shop/other.env",)


def test_of_another_project_only_files_and_images_are_found() -> None:
    runtime = replace(MODULE.runtime, project=ProjectName("other"))
    release = a_release(COMPOSE, module=replace(MODULE, runtime=runtime))
    after = DRIVER.foresee(release, seen(release), before())

    assert after.files == (FileSeen(FILE, NEW, 0o644),)
    assert (after.containers, after.networks, after.volumes) == ((), (), ())


USING = """
services: {web: {image: 'w:1', container_name: shop-db-1, networks: [n], volumes: ['data:/v']}}
networks: {n: {external: true, name: shop_default}}
volumes: {data: {external: true, name: shop_data}}
"""


def test_another_project_finds_networks_and_volumes_that_it_uses_and_names_that_it_would_have() -> None:
    runtime = replace(MODULE.runtime, project=ProjectName("other"))
    release = a_release(USING, module=replace(MODULE, runtime=runtime))
    before_it = replace(seen(release), external=(), lent=())
    after = DRIVER.foresee(release, before_it, before())

    assert DRIVER.absent(release, before_it) == ("network shop_default", "volume shop_data")
    assert DRIVER.absent(release, after) == ()
    assert after.taken == ("shop-db-1",)
    gone = replace(before(Action.DELETE), seen=DRIVER.foresee(a_release(COMPOSE), seen(release), before()))
    assert DRIVER.foresee(release, after, gone).taken == ()
    assert DRIVER.absent(release, DRIVER.foresee(release, before_it, before(Action.KEEP))) != ()


def test_a_release_stands_alone_that_has_nothing_of_another_project() -> None:
    assert DRIVER.stands_alone(a_release(COMPOSE))
    assert DRIVER.stands_alone(a_release("services: {web: {image: 'web:1', network_mode: none}}"))


@pytest.mark.parametrize(
    "compose",
    [
        "{services: {web: {image: 'w:1', networks: [n]}}, networks: {n: {external: true}}}",
        "{services: {web: {image: 'w:1', networks: [n]}}, networks: {n: {name: shared}}}",
        "{services: {web: {image: 'w:1'}}, networks: {default: {name: shared}}}",
        "{services: {web: {image: 'w:1', volumes: ['data:/v']}}, volumes: {data: {external: true}}}",
        "{services: {web: {image: 'w:1', volumes: ['data:/v']}}, volumes: {data: {name: shared}}}",
        "services: {web: {image: 'w:1', network_mode: 'container:other'}}",
        "services: {web: {image: 'w:1', pid: 'container:other'}}",
        "services: {web: {image: 'w:1', volumes_from: ['container:other']}}",
        "services: {web: {image: 'w:1', external_links: [other]}}",
        "services: {web: {image: 'w:1', depends_on: [db]}, db: {image: 'w:1', ipc: 'container:other'}}",
    ],
)
def test_a_release_does_not_stand_alone_that_has_something_of_another_project(compose: str) -> None:
    assert not DRIVER.stands_alone(a_release(compose))


@pytest.mark.parametrize(("version", "others"), [("2.26.1", ["other"]), ("5.6.1", [])])
def test_what_compose_makes_for_services_that_it_does_not_bring_up_is_found_too(
    version: str, others: list[str]
) -> None:
    """Up to 5.1 it makes all networks and volumes of the services that it knows, those of another profile left out."""
    compose = """
services:
  web: {image: 'web:1', depends_on: [db]}
  db: {image: 'web:1', volumes: ['data:/d']}
  beside: {image: 'web:1', networks: [other], volumes: ['other:/d']}
  rare: {image: 'web:1', profiles: [rare], networks: [rare]}
networks: {other: {}, rare: {}}
volumes: {data: {}, other: {}}
"""
    runtime = replace(MODULE.runtime, compose_service=ServiceName("db"))
    made = a_release(compose, module=replace(MODULE, id=ModuleId("db"), runtime=runtime))
    there = replace(seen(made), identity=replace(seen(made).identity, compose_version=version))
    after = DRIVER.foresee(a_release(compose), there, replace(before(), release=made, seen=there))

    assert [network.name for network in after.networks] == [f"shop_{name}" for name in ["default", *others]]
    assert [volume.name for volume in after.volumes] == [f"shop_{name}" for name in ["data", *others]]
