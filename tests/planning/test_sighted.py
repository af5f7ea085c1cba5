"""What an observation can tell of a release, and what it must not claim."""

from dataclasses import replace

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.model.desired import Environment, Release, Strategy
from platformctl.model.names import Digest, RepoPath, ServiceName
from platformctl.model.observed import Earlier, FileSeen, ImageSeen, Source
from platformctl.model.plan import Action, Cause, Plan
from platformctl.model.state import Computed, HostRecord
from platformctl.planning.build import build_offline
from platformctl.planning.sighted import build_sighted, build_unseen
from tests.contracts.releases import MODULE, a_release
from tests.planning.running_host import IMAGE, Host, hash_of, running
from tests.planning.test_removal import WHEN, record_of

COMPOSE = "services: {web: {image: 'web:1', depends_on: [db]}, db: {image: 'web:1'}}"
OTHER = COMPOSE.replace("depends_on", "labels: {a: b}, depends_on")
DRIVER = DockerCompose()
MADE = Computed("2.26.1", "f", {"web": hash_of("web"), "db": hash_of("db")})
SECRET = replace(MODULE, env=Environment(file=RepoPath("secrets/shop.env")))


def there(**about: object) -> Host:
    """A host on which the release runs, by an observation."""
    found = running(COMPOSE, module=SECRET)
    images = (ImageSeen("web:1", IMAGE),)
    seen = replace(found.observation, source=Source.OBSERVATION, images=images, hashes={}, environment="f")
    return replace(found, observation=replace(seen, **about))  # type: ignore[arg-type]


def planned(host: Host, record: HostRecord | None = None, release: Release | None = None) -> Plan:
    wanted = release or host.release
    known = record_of(host, computed=MADE) if record is None else record
    return build_sighted(wanted, host.observation, known, DRIVER, WHEN, (), frozenset())


def causes(plan: Plan) -> dict[str, tuple[Cause, ...]]:
    return {change.service: change.causes for change in plan.changes if change.action is not Action.KEEP}


def test_a_release_that_runs_is_told_exactly_and_never_to_be_applied() -> None:
    plan = planned(there())

    assert (causes(plan), plan.speculative, plan.observed.source) == ({}, True, Source.OBSERVATION)


def test_what_was_seen_of_a_release_that_runs_is_told() -> None:
    stopped = there().with_container("db", state="exited", exit_code=1)
    other_image = there().with_container("web", image_id=Digest.of(b"other"))
    edited = there().with_file("compose.yaml", b"by hand")

    assert causes(planned(stopped)) == {"db": (Cause.UNHEALTHY,)}
    assert causes(planned(other_image)) == {"web": (Cause.IMAGE_DIGEST,)}
    assert causes(planned(edited)) == {"web": (Cause.FILE_CONTENT,)}


def test_another_value_in_the_env_file_may_change_every_service() -> None:
    assert causes(planned(there(environment="g"))) == {
        "db": (Cause.ENV_FINGERPRINT,),
        "web": (Cause.ENV_FINGERPRINT, Cause.DEPENDENCY),
    }


def test_another_release_is_told_by_its_definition_without_steps() -> None:
    plan = planned(there(), release=a_release(OTHER, module=SECRET))

    assert causes(plan) == {"web": (Cause.DEFINITION,)}
    assert (plan.speculative, plan.steps) == (True, ())


MOUNTED = COMPOSE.replace("db: {", "db: {volumes: ['./db.conf:/db.conf'], ")


@pytest.mark.parametrize(
    ("compose", "files", "told"),
    [
        (MOUNTED, {"db.conf": b"2"}, {"db": (Cause.FILE_CONTENT,)}),
        (MOUNTED.replace("web: {", "web: {init: true, "), {"db.conf": b"1"}, {"web": (Cause.DEFINITION,)}),
        (OTHER, {}, {"web": (Cause.DEFINITION,)}),
        (
            MOUNTED.replace("web: {", "web: {volumes: ['./db.conf:/x'], "),
            {"db.conf": b"2"},
            {"db": (Cause.FILE_CONTENT,), "web": (Cause.DEFINITION, Cause.FILE_CONTENT)},
        ),
    ],
)
def test_another_release_is_told_by_the_services_that_use_a_file_which_differs(
    compose: str, files: dict[str, bytes], told: dict[str, tuple[Cause, ...]]
) -> None:
    applied = running(MOUNTED, files={"db.conf": b"1"}, module=SECRET)

    assert causes(planned(applied, release=a_release(compose, files=files, module=SECRET))) == told


def knowing(compose: str, files: dict[str, bytes] | None = None) -> Host:
    """A host on which that release runs, by an observation, and a clone that has the release."""
    host = running(compose, files=files, module=SECRET)
    known = Earlier(
        host.release.compose,
        tuple(FileSeen(file.path, file.digest, file.mode) for file in host.release.files),
        {file.digest: file.content for file in host.release.files},
    )
    return replace(host, observation=replace(host.observation, source=Source.OBSERVATION, earlier=known))


def test_of_another_release_the_services_and_fields_that_differ_are_told_where_the_clone_has_the_earlier_one() -> None:
    after = MOUNTED.replace("db: {", "db: {user: '0', ").replace("web:1'}", "web:2'}")
    release = a_release(after, files={"db.conf": b"2\n"}, module=SECRET)
    plan = planned(knowing(MOUNTED, {"db.conf": b"1\n"}), release=release)
    (change,) = plan.changes

    assert causes(plan) == {"db": (Cause.DEFINITION, Cause.FILE_CONTENT)}
    assert (plan.speculative, plan.steps) == (True, ())
    before, now = change.before or {}, change.after or {}
    assert (before.get("user"), now["user"]) == (None, "0")
    assert (before["image"], now["image"]) == ("web:1", "web:2")
    assert (before["files"], now["files"]) == ({"modules/shop/db.conf": "1\n"}, {"modules/shop/db.conf": "2\n"})


def test_of_a_service_that_is_new_its_definition_is_told_and_no_value_of_its_environment() -> None:
    release = a_release(
        COMPOSE.replace("[db]", "[db, new]")[:-1] + ", new: {image: 'web:1', init: true, environment: {A: hunter2}}}",
        module=SECRET,
    )
    plan = planned(knowing(COMPOSE), release=release)
    made = {str(change.service): change for change in plan.changes}

    assert causes(plan) == {"new": (Cause.MISSING,), "web": (Cause.DEFINITION,)}
    assert (made["new"].action, made["new"].before) == (Action.CREATE, None)
    assert {name: (made["new"].after or {})[name] for name in ("init", "environment", "image")} == {
        "init": True,
        "environment": ["A"],
        "image": "web:1",
    }
    assert "hunter2" not in str(plan)


def test_what_differs_beside_all_services_counts_for_the_modules_own() -> None:
    networks = COMPOSE + "\nnetworks: {default: {internal: true}}\n"

    assert causes(planned(knowing(COMPOSE), release=a_release(networks, module=SECRET))) == {"web": (Cause.DEFINITION,)}


def test_of_another_modules_service_that_differs_its_own_plan_tells() -> None:
    host, release = knowing(COMPOSE), a_release(COMPOSE.replace("db: {", "db: {init: true, "), module=SECRET)
    plan = build_sighted(release, host.observation, record_of(host), DRIVER, WHEN, (), frozenset({ServiceName("db")}))

    assert causes(plan) == {"web": (Cause.DEFINITION,)}


def test_without_any_record_every_service_that_comes_along_is_told() -> None:
    release = a_release(COMPOSE.replace("db: {", "db: {scale: 0, "), module=SECRET)

    assert causes(build_offline(a_release(COMPOSE), None, DRIVER, WHEN, ())) == {
        "db": (Cause.MISSING,),
        "web": (Cause.MISSING,),
    }
    assert causes(build_offline(release, None, DRIVER, WHEN, ())) == {"web": (Cause.MISSING,)}


@pytest.mark.parametrize(
    ("containers", "told"),
    [(True, {"web": (Cause.DEFINITION,)}), (False, {"db": (Cause.MISSING,), "web": (Cause.MISSING,)})],
)
def test_of_what_no_receipt_names_it_is_told_whether_it_runs(
    containers: bool, told: dict[str, tuple[Cause, ...]]
) -> None:
    host = there() if containers else there(containers=())

    assert causes(planned(host, HostRecord(MODULE.id, 0))) == told


def test_what_was_seen_to_have_no_container_is_made_whatever_else_differs() -> None:
    containers = tuple(each for each in there().observation.containers if each.service == "web")
    plan = planned(there(containers=containers), release=a_release(OTHER, module=SECRET))
    none = planned(there(containers=()), release=a_release(OTHER, module=SECRET))
    foreign = frozenset({ServiceName("db")})
    left = build_sighted(a_release(OTHER, module=SECRET), there(containers=()).observation, HostRecord(MODULE.id, 0),
                         DRIVER, WHEN, (), foreign)  # fmt: skip

    assert {c.service: (c.action, c.causes) for c in plan.changes} == {
        "db": (Action.CREATE, (Cause.MISSING,)),
        "web": (Action.RECREATE, (Cause.DEFINITION,)),
    }
    assert {c.service: c.action for c in none.changes} == {"db": Action.CREATE, "web": Action.CREATE}
    assert causes(left) == {"web": (Cause.MISSING,)}, "of another module's service its own plan tells"


@pytest.mark.parametrize(
    ("containers", "strategy", "destructive"),
    [(False, Strategy.PREVIOUS, False), (True, Strategy.PREVIOUS, True), (False, Strategy.NONE, True)],
)
def test_a_first_deploy_is_destructive_only_where_something_is_known_to_be_lost(
    containers: bool, strategy: Strategy, destructive: bool
) -> None:
    host = there() if containers else there(containers=())
    release = replace(host.release, module=replace(SECRET, rollback=strategy))

    assert planned(host, HostRecord(MODULE.id, 0), release).destructive is destructive


def test_a_module_that_was_not_there_yet_is_missing() -> None:
    plan = build_unseen(there().release, "2026-06-01T11:00:00Z", DRIVER, WHEN, (), frozenset())
    others = build_unseen(there().release, "2026-06-01T11:00:00Z", DRIVER, WHEN, (), frozenset({ServiceName("db")}))

    assert causes(plan) == {"db": (Cause.MISSING,), "web": (Cause.MISSING,)}
    assert causes(others) == {"web": (Cause.MISSING,)}, "of another module's service its own plan tells"
    assert (plan.observed.at, plan.observed.source, plan.speculative) == (
        "2026-06-01T11:00:00Z",
        Source.OBSERVATION,
        True,
    )


def test_a_release_whose_images_were_not_looked_at_is_not_compared_with_them() -> None:
    assert causes(planned(there(images=()))) == {}
