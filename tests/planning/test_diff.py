"""What would happen to each container and why, from a release and a host in memory."""

from dataclasses import replace

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.errors import PolicyViolation
from platformctl.model.desired import Module, ModuleKind
from platformctl.model.names import Digest, ServiceName
from platformctl.model.observed import ImageSeen
from platformctl.model.plan import Action, Cause
from platformctl.planning.build import resolve_images
from platformctl.planning.spreading import done
from tests.contracts.releases import MODULE, a_release
from tests.planning.running_host import CONFIGURED, FILES, IGNORING, IMAGE, WHO, running

WITH_ENV_FILE = "services: {web: {image: 'web:1', env_file: ['./web.env'], volumes: ['./conf:/etc/conf']}}"


def test_what_runs_as_it_is_wanted_is_kept() -> None:
    change = running(CONFIGURED, FILES).changes()["web"]

    assert (change.action, change.causes) == (Action.KEEP, ())


@pytest.mark.parametrize(
    ("module", "action"), [(MODULE, Action.RECREATE), (IGNORING, Action.UPDATE)], ids=["recreate", "ignore"]
)
def test_a_mounted_file_that_changed_does_what_the_manifest_says(module: Module, action: Action) -> None:
    change = running(CONFIGURED, FILES, module).with_file("conf/a", b"2").changes()["web"]

    assert (change.action, change.causes) == (action, (Cause.FILE_CONTENT,))


def test_an_env_file_makes_a_new_container_whatever_is_said_of_mounted_files() -> None:
    host = running(WITH_ENV_FILE, {**FILES, "web.env": b"A=1\n"}, IGNORING)

    assert host.with_file("web.env", b"A=2\n").changes()["web"].action is Action.RECREATE


def test_an_ignored_file_hides_nothing_else() -> None:
    host = running(CONFIGURED, FILES, IGNORING).with_file("conf/a", b"2")

    stopped = host.with_container("web", state="exited").changes()["web"]
    other = host.with_container("web", image_id=Digest.of(b"other")).changes()["web"]

    assert (stopped.action, stopped.causes) == (Action.START, (Cause.FILE_CONTENT, Cause.UNHEALTHY))
    assert (other.action, other.causes) == (Action.RECREATE, (Cause.IMAGE_DIGEST, Cause.FILE_CONTENT))


def test_a_one_shot_whose_file_is_ignored_runs_again_with_the_others() -> None:
    compose = """services:
      web: {image: 'web:1', depends_on: {job: {condition: service_completed_successfully}}}
      job: {image: 'job:1', volumes: ['./conf:/etc/conf']}
    """
    host = running(compose, FILES, IGNORING).with_container("job", state="exited").with_file("conf/a", b"2")

    assert host.changes()["job"].action is Action.UPDATE
    assert host.with_container("web", config_hash="x").changes()["job"].action is Action.START


def test_a_container_with_another_volume_than_it_is_to_mount_is_made_again() -> None:
    """Compose's hash has no names of volumes."""
    mounting = "services: {web: {image: 'web:1', volumes: ['data:/data/']}}\nvolumes: {data: {%s}}"
    host = running(mounting % "").with_container("web", volumes={"/data": "shop_data", "/other": "shop_other"})
    change = host.changes(a_release(mounting % "name: another"))["web"]

    assert host.changes()["web"].action is Action.KEEP
    assert (change.action, change.causes, change.is_forced) == (
        Action.RECREATE,
        (Cause.VOLUME, Cause.NEW_VOLUME),
        True,
    )
    assert [fields and fields["names"] for fields in (change.before, change.after)] == [
        {"volumes": ["shop_data"]},
        {"volumes": ["another"]},
    ]


@pytest.mark.parametrize(
    ("state", "code", "ended"),
    [("exited", 0, {"init"}), ("exited", 1, set()), ("created", 0, set()), ("running", 0, set())],
)
def test_a_one_shot_is_done_when_it_ended_well(state: str, code: int, ended: set[str]) -> None:
    """One that was put back without being run is not."""
    waits = "depends_on: {init: {condition: service_completed_successfully}}"
    host = running(f"services: {{web: {{image: 'web:1', {waits}}}, init: {{image: 'db:1'}}}}")
    host = host.with_container("init", state=state, exit_code=code)

    assert done(host.release, host.observation, DockerCompose()) == ended


def test_a_volume_that_is_made_is_said() -> None:
    with_volume = "services: {web: {image: 'web:1', volumes: ['data:/data']}}\nvolumes: {data: {}}"
    host = running(with_volume)
    without = replace(host, observation=replace(host.observation, volumes=(), containers=()))

    assert host.with_container("web", config_hash="x").changes()["web"].causes == (Cause.DEFINITION,)
    assert without.changes()["web"].causes == (Cause.MISSING, Cause.NEW_VOLUME)
    assert without.changes()["web"].action is Action.CREATE


def test_another_number_of_containers_touches_nobody_who_needs_them() -> None:
    """Compose makes or removes as many as it takes, and the hash of the others stays (seen with 2.26.1)."""
    needed = "services: {{web: {{image: 'web:1', depends_on: [db]}}, db: {{image: 'db:1', scale: {scale}}}}}"
    more = a_release(needed.format(scale=2))
    changes = running(needed.format(scale=1)).changes(more)

    assert (changes["db"].action, changes["db"].causes) == (Action.RECREATE, (Cause.DEFINITION,))
    assert changes["web"].action is Action.KEEP


def test_a_service_of_no_container_has_none_and_asks_for_none() -> None:
    needed = "services: {{web: {{image: 'web:1', depends_on: [db]}}, db: {{image: 'db:1', scale: {scale}}}}}"
    host = running(needed.format(scale=1))
    none = a_release(needed.format(scale=0))
    gone = replace(host, observation=replace(host.observation, containers=host.observation.of(ServiceName("web"))))

    assert (host.changes(none)["db"].action, host.changes(none)["db"].after) == (Action.DELETE, None)
    assert host.changes(none)["web"].action is Action.KEEP
    assert gone.changes(none)["db"].action is Action.KEEP
    assert gone.changes()["db"].action is Action.CREATE


@pytest.mark.parametrize("kind", [ModuleKind.SERVICE, ModuleKind.JOB])
def test_nothing_drags_along_what_has_no_container(kind: ModuleKind) -> None:
    module = replace(MODULE, kind=kind)
    none = a_release(
        "services: {web: {image: 'web:1', depends_on: [db], scale: 0}, db: {image: 'db:1'}}", module=module
    )
    host = running("services: {web: {image: 'web:1', depends_on: [db]}, db: {image: 'db:1'}}", module=module)
    gone = replace(host, observation=replace(host.observation, containers=host.observation.of(ServiceName("db"))))
    changes = gone.with_container("db", config_hash="x").changes(none)

    assert [changes[name].action for name in ("db", "web")] == [Action.RECREATE, Action.KEEP]


def test_who_asks_to_be_started_again_is_named_and_not_made_anew() -> None:
    """Seen with Compose 5.6: it stops the container and starts the same one."""
    asks = "{db: {condition: service_started, restart: true}}"
    compose = f"services: {{web: {{image: 'web:1', depends_on: {asks}}}, db: {{image: 'db:1'}}}}"
    host = running(compose).with_container("db", config_hash="x")
    newer = replace(host, observation=replace(host.observation, identity=replace(WHO, compose_version="5.6.1")))
    named = {"old": host.changes(), "new": newer.changes(), "both": newer.with_container("web", image_id="x").changes()}

    found = {name: (changes["web"].action, changes["web"].causes) for name, changes in named.items()}
    assert found == {
        "old": (Action.RECREATE, (Cause.DEPENDENCY,)),
        "new": (Action.START, (Cause.DEPENDENCY,)),
        "both": (Action.RECREATE, (Cause.IMAGE_DIGEST,)),
    }


def test_an_image_that_can_not_be_resolved_is_told_by_its_own_line_and_by_who_was_asked() -> None:
    compose = "services:\n  web: {image: 'web:1', depends_on: [db]}\n  db:\n    image: db:1\n    %s\n"

    def refused(policy: str) -> PolicyViolation:
        host = running(compose % policy)
        seen = (ImageSeen("db:1", None, present=False), ImageSeen("web:1", IMAGE))
        with pytest.raises(PolicyViolation) as caught:
            resolve_images(host.release, replace(host.observation, images=seen), {})
        return caught.value

    plain, moving = refused("restart: always"), refused("pull_policy: daily")
    assert (plain.line, moving.line) == (4, 4)
    name = plain.host
    assert plain.detail == f"neither {name} nor a registry it may ask knows: db:1"
    assert moving.detail == f"its registry, which pull_policy has asked whatever {name} has, does not tell: db:1"
