"""The driver docker-compose says what to do, and how to take it back."""

from dataclasses import replace

import pytest

from platformctl.drivers.interface import Question
from platformctl.errors import or_raise
from platformctl.model.command import Completed
from platformctl.model.desired import ModuleKind, Release, Timeouts
from platformctl.model.names import Digest, ProjectName, RepoPath, ServiceName
from platformctl.model.observed import FileSeen, Observation
from platformctl.model.plan import Action, Cause, Change, Place, PlannedFile, PlannedImage, Remove, Run
from platformctl.model.state import Receipt, RunningContainer
from tests.contracts.compose_driver import DRIVER, ENVIRONMENT, FILES, NOW, WEB, WHO
from tests.contracts.compose_host import IMAGE, OTHER_IMAGE, frame, look
from tests.contracts.releases import FOLDER, HOST, MODULE, SHA, a_release

PREFIX = (
    *("docker", "compose", "-f", f"/opt/platform/{FOLDER}/compose.yaml", "-p", "shop"),
    *("--project-directory", f"/opt/platform/{FOLDER}", "--env-file", "/dev/null"),
)
UP = (*PREFIX, "up", "-d", "--no-build", "--pull", "never")
COMPOSE_FILE = RepoPath(f"{FOLDER}/compose.yaml")
WEB_CONF = RepoPath(f"{FOLDER}/web.conf")
WITH_DB = (
    "services: {web: {image: 'web:1', depends_on: [db]}, db: {image: 'db:1', volumes: ['./web.conf:/etc/db.conf']}}"
)


def change(service: str, action: Action, *causes: Cause, after: str = "other") -> Change:
    """A change of a service, whose hash is `after` then."""
    name = ServiceName(service)
    hashes = {"config_hash": "one"}, {"config_hash": after}
    return Change(f"shop.{service}", name, action, causes, *hashes, False, "")


def seen(release: Release, *in_place: RepoPath) -> Observation:
    """The host before: `in_place` are the files that are there as wanted, others are there with other bytes."""
    told = Completed(0, frame(look(release)), b"")
    other = Digest.of(b"before")
    files = tuple(
        FileSeen(f.path, f.digest if f.path in in_place else other, f.mode)
        for f in release.files
        if not f.path.startswith(".platformctl/")
    )
    return replace(or_raise(DRIVER.read_look(told, (Question(release),), WHO, NOW)[0]), files=files)


def receipt(release: Release, **about: object) -> Receipt:
    """What the release before left: another file and another image."""
    old = Receipt(
        module=release.module.id,
        host=HOST.name,
        outcome="APPLIED",
        plan_digest=IMAGE,
        source_sha=SHA,
        desired=IMAGE,
        applied_at=NOW,
        applied_by="ann@example.org",
        pull_request=None,
        files=tuple(PlannedFile(f.path, Digest.of(b"before"), f.mode) for f in release.files),
        images=(PlannedImage("web:1", None, OTHER_IMAGE),),
        up=DRIVER.bring_up(release),
        closure=release.closure,
        containers=(RunningContainer("web", "1", OTHER_IMAGE),),
    )
    return replace(old, **about)  # type: ignore[arg-type]


def words(operations: tuple[Run | Place | Remove, ...]) -> list[tuple[str, ...]]:
    """Runs by their words, files by what happens to them."""
    return [
        operation.argv if isinstance(operation, Run) else (type(operation).__name__.lower(), operation.path)
        for operation in operations
    ]


def test_a_step_has_the_limit_of_its_host() -> None:
    """Bringing up and taking away; what only asks or tags keeps its own."""
    release = a_release("services: {web: {image: 'web:1'}}")
    slow = replace(release, host=replace(release.host, timeouts=Timeouts(step=1200)))

    def limits(wanted: Release) -> set[int]:
        changes = (change("web", Action.CREATE, Cause.MISSING),)
        (step,) = DRIVER.steps(wanted, changes, (), seen(wanted), None)
        return {run.timeout for run in (*step.do, *step.undo) if isinstance(run, Run) and "rm-networks" not in run.argv}

    assert (limits(release), limits(slow)) == ({300}, {1200})
    assert [run.timeout for run in DRIVER.bring_up(slow)] == [1200]


def test_nothing_to_change_is_no_step() -> None:
    release = a_release(WEB, files=FILES)

    assert DRIVER.steps(release, (change("web", Action.KEEP),), (), seen(release), None) == ()


def test_a_first_apply_tags_places_files_and_brings_up() -> None:
    release = a_release(WEB, files=FILES)
    image = PlannedImage("web:1", None, OTHER_IMAGE)
    (step,) = DRIVER.steps(release, (change("web", Action.CREATE, Cause.MISSING),), (image,), seen(release), None)

    assert words(step.do) == [
        ("docker", "tag", "--", OTHER_IMAGE, "web:1"),
        ("place", COMPOSE_FILE),
        ("place", WEB_CONF),
        (*UP, "--", "web"),
    ]


def test_a_reference_by_digest_is_not_tagged() -> None:
    release = a_release(WEB, files=FILES)
    image = PlannedImage(f"web@{OTHER_IMAGE}", None, OTHER_IMAGE)
    (step,) = DRIVER.steps(release, (change("web", Action.CREATE, Cause.MISSING),), (image,), seen(release), None)

    assert not [said for said in words(step.do) if "tag" in said]


def test_files_that_are_in_place_are_not_placed_again() -> None:
    release = a_release(WEB, files=FILES)
    changes = (change("web", Action.RECREATE, Cause.DEFINITION),)
    (step,) = DRIVER.steps(release, changes, (), seen(release, WEB_CONF), receipt(release))

    assert words(step.do) == [("place", COMPOSE_FILE), (*UP, "--", "web")]


CHANGES = {
    "what Compose sees is not forced": (
        (change("db", Action.KEEP), change("web", Action.RECREATE, Cause.IMAGE_DIGEST)),
        [(*UP, "--", "web")],
    ),
    "a mounted file of the service itself": (
        (change("db", Action.KEEP), change("web", Action.RECREATE, Cause.FILE_CONTENT)),
        [(*UP, "--force-recreate", "--", "web")],
    ),
    "a mounted file of what it needs": (
        (change("db", Action.RECREATE, Cause.FILE_CONTENT), change("web", Action.KEEP)),
        [(*UP, "--force-recreate", "--", "db"), (*UP, "--", "web")],
    ),
    "a mounted file of both": (
        (change("db", Action.RECREATE, Cause.FILE_CONTENT), change("web", Action.RECREATE, Cause.FILE_CONTENT)),
        [(*UP, "--force-recreate", "--", "db"), (*UP, "--force-recreate", "--", "web")],
    ),
    "a file and a definition": (
        (change("db", Action.KEEP), change("web", Action.RECREATE, Cause.DEFINITION, Cause.FILE_CONTENT)),
        [(*UP, "--", "web")],
    ),
    "a file and another number of containers": (
        (change("db", Action.KEEP), change("web", Action.RECREATE, Cause.DEFINITION, Cause.FILE_CONTENT, after="one")),
        [(*UP, "--force-recreate", "--", "web")],
    ),
    "another number of containers": (
        (change("db", Action.KEEP), change("web", Action.RECREATE, Cause.DEFINITION, after="one")),
        [(*UP, "--", "web")],
    ),
    "a file alone, by the manifest's word": (
        (change("db", Action.KEEP), change("web", Action.UPDATE, Cause.FILE_CONTENT)),
        [],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_only_what_compose_does_not_see_is_forced(case: str) -> None:
    changes, ups = CHANGES[case]
    release = a_release(WITH_DB, files=FILES)
    (step,) = DRIVER.steps(release, changes, (), seen(release, COMPOSE_FILE, WEB_CONF), receipt(release))

    assert words(step.do) == ups


def test_environment_files_come_in_the_order_that_lets_the_manifest_win() -> None:
    release = a_release(WEB, files=FILES, environment=ENVIRONMENT)
    (up,) = DRIVER.bring_up(release)
    own = release.files[-1]

    assert [file for option, file in zip(up.argv, up.argv[1:], strict=False) if option == "--env-file"] == [
        "/opt/platform/secrets/shop.env",
        f"/opt/platform/{own.path}",
    ]


def test_the_tools_own_file_is_not_placed_by_a_step() -> None:
    release = a_release(WEB, files=FILES, environment=replace(ENVIRONMENT, file=None))
    changes = (change("web", Action.RECREATE, Cause.DEFINITION),)
    (step,) = DRIVER.steps(release, changes, (), seen(release), None)

    assert [said for said in words(step.do) if said[0] == "place"] == [("place", COMPOSE_FILE), ("place", WEB_CONF)]


def test_modules_that_share_a_compose_file_share_all_words_but_the_service() -> None:
    runtime = replace(MODULE.runtime, project=ProjectName("suite"), compose_service=ServiceName("db"))
    one = a_release(
        WITH_DB, files=FILES, module=replace(MODULE, runtime=replace(runtime, compose_service=ServiceName("web")))
    )
    other = a_release(WITH_DB, files=FILES, module=replace(MODULE, runtime=runtime))
    ups = [DRIVER.bring_up(release)[0].argv for release in (one, other)]

    assert ups[0][:-1] == ups[1][:-1]
    assert (ups[0][-1], ups[1][-1]) == ("web", "db")


def test_a_job_is_put_back_without_being_run_again() -> None:
    release = a_release(WEB, files=FILES, module=replace(MODULE, kind=ModuleKind.JOB))
    changes = (change("web", Action.RECREATE, Cause.DEFINITION),)
    (step,) = DRIVER.steps(release, changes, (), seen(release), receipt(release))

    assert words(step.do)[-1] == (*UP, "--", "web")
    ups = [said for said in words(step.undo) if "up" in said]
    assert ups
    assert all("--no-start" in said and "-d" not in said for said in ups)


def test_the_way_back_from_a_first_deploy_removes_what_was_created_and_no_volume() -> None:
    release = a_release(WEB, files=FILES)
    before = replace(
        seen(release), networks=(), files=(FileSeen(COMPOSE_FILE, None, None), FileSeen(WEB_CONF, None, None))
    )
    (step,) = DRIVER.steps(release, (change("web", Action.CREATE, Cause.MISSING),), (), before, None)
    undo = words(step.undo)

    assert undo[-2:] == [("remove", COMPOSE_FILE), ("remove", WEB_CONF)]
    assert undo[0][-1] == "web"
    assert undo[1][-1] == "shop_default"
    assert not [said for said in undo if "volume" in " ".join(said) or "-v" in said]


def test_a_network_that_was_there_before_stays() -> None:
    release = a_release(WEB, files=FILES)
    (step,) = DRIVER.steps(release, (change("web", Action.CREATE, Cause.MISSING),), (), seen(release), None)

    assert not [said for said in words(step.undo) if "shop_default" in said]


def test_on_the_way_back_files_and_tags_are_there_before_the_previous_release_comes_up() -> None:
    release = a_release(WEB, files=FILES)
    changes = (change("web", Action.RECREATE, Cause.IMAGE_DIGEST, Cause.FILE_CONTENT),)
    (step,) = DRIVER.steps(release, changes, (), seen(release), receipt(release))

    assert words(step.undo) == [
        ("place", COMPOSE_FILE),
        ("place", WEB_CONF),
        ("docker", "tag", "--", OTHER_IMAGE, "web:1"),
        (*UP, "--force-recreate", "--", "web"),
    ]


def test_on_the_way_back_only_a_file_of_the_previous_release_is_as_found_behind_its_up() -> None:
    """What that release did not bring is out of its way; what somebody made of its own file comes back at last."""
    release = a_release(WEB, files=FILES)
    changes = (change("web", Action.RECREATE, Cause.FILE_CONTENT),)
    before = receipt(release)
    own = replace(before, files=tuple(file for file in before.files if file.path != WEB_CONF))
    mended = FileSeen(COMPOSE_FILE, Digest.of(b"by hand"), 0o644)
    found = replace(seen(release), files=(mended, FileSeen(WEB_CONF, None, None)))
    (step,) = DRIVER.steps(release, changes, (), found, own)

    places = [said for said in words(step.undo) if said[0] in ("place", "remove") or "up" in said]
    assert places[-3] == ("remove", WEB_CONF)
    assert "up" in places[-2]
    assert places[-1] == ("place", COMPOSE_FILE)


def test_a_service_that_the_previous_release_did_not_have_goes_first() -> None:
    release = a_release(WITH_DB, files=FILES)
    changes = (change("db", Action.CREATE, Cause.MISSING), change("web", Action.RECREATE, Cause.DEPENDENCY))
    before = receipt(release, closure=(ServiceName("web"),))
    (step,) = DRIVER.steps(release, changes, (), seen(release), before)

    assert words(step.undo)[0][-1] == "db"
    assert words(step.undo)[-1] == (*UP, "--", "web")


@pytest.mark.parametrize("version", ["2.26.1", "2.26.1-4", "2.29.3", "2.9.0", "", "unheard-of"])
def test_who_needs_a_service_is_recreated_with_it(version: str) -> None:
    release = a_release(WITH_DB, files=FILES)

    assert DRIVER.dependents(release, ServiceName("db"), version) == {"web": Action.RECREATE}
    assert DRIVER.dependents(release, ServiceName("web"), version) == {}


@pytest.mark.parametrize("version", ["2.29.4", "2.30.0", "2.34.0"])
def test_who_needs_a_service_is_started_again_by_a_newer_compose(version: str) -> None:
    assert DRIVER.dependents(a_release(WITH_DB), ServiceName("db"), version) == {"web": Action.START}


@pytest.mark.parametrize("version", ["2.35.0", "2.40.3-desktop.1", "5.6.1"])
@pytest.mark.parametrize(
    ("how", "touched"),
    [
        ("depends_on: [db]", False),
        ("depends_on: {db: {condition: service_started, restart: false}}", False),
        ("depends_on: {db: {condition: service_healthy, restart: true}}", True),
        ("depends_on: {db: {condition: service_started, restart: yes}}", True),
        ("links: ['db:database']", True),
        ("network_mode: 'service:db'", True),
        ("volumes_from: [db]", False),
        ("depends_on: [db]\n    links: [db]\n    pid: 'service:db'", False),
    ],
)
def test_since_then_only_who_asks_for_it_is_started_again(how: str, version: str, *, touched: bool) -> None:
    release = a_release(f"services:\n  db: {{image: 'db:1'}}\n  web:\n    image: 'web:1'\n    {how}\n")

    found = DRIVER.dependents(release, ServiceName("db"), version)
    assert found == ({"web": Action.START} if touched else {})


def test_what_comes_with_a_release_is_what_its_file_has_of_its_own_for_services() -> None:
    compose = """
services:
  web: {image: a, depends_on: [db], networks: [front, theirs], volumes: ["data:/d", "./x:/x", "named:/n", "lent:/l"]}
  db: {image: b}
  other: {image: c, networks: [back], volumes: ["more:/m"]}
  rare: {image: d, profiles: [rare], networks: [rare], volumes: ["rare:/r"]}
networks: {front: , back: , rare: , unused: , theirs: {external: true}}
volumes: {data: , more: , rare: , unused: , named: {name: of-its-own}, lent: {external: true}}
"""
    networks, volumes = {"shop_front", "shop_back", "shop_default"}, {"shop_data", "shop_more", "of-its-own"}
    assert DRIVER.makes(a_release(compose)) == {f"network {n}" for n in networks} | {f"volume {v}" for v in volumes}


def test_one_shots_are_jobs_and_what_is_awaited_to_end() -> None:
    compose = (
        "services: {web: {image: a, depends_on: {init: {condition: service_completed_successfully}}}, init: {image: b}}"
    )

    assert DRIVER.one_shots(a_release(compose)) == {"init"}
    assert DRIVER.one_shots(a_release(compose, module=replace(MODULE, kind=ModuleKind.JOB))) == {"init", "web"}
    assert DRIVER.one_shots(a_release(WITH_DB, files=FILES)) == frozenset()
