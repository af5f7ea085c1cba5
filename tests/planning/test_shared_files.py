"""A file that several modules mount: each makes its own containers anew for it, whoever brings it to the host first."""

from pathlib import Path

import pytest

from platformctl.model.names import ServiceName
from platformctl.model.plan import Action, Cause
from platformctl.model.state import HostRecord, RunningContainer
from tests.contracts.releases import a_release
from tests.lab import Host
from tests.planning.running_host import IGNORING, IMAGE, hash_of, running
from tests.planning.test_closure_on_engine import AT_ONCE, containers
from tests.planning.test_edits_on_engine import touched
from tests.planning.test_removal import record_of
from tests.platform_repo import PlatformRepo

WEB = "services: {web: {image: 'web:1', volumes: ['./conf:/etc/conf']}}"
OLD, NEW = {"conf/a": b"old\n"}, {"conf/a": b"new\n"}
MADE = (RunningContainer("web", hash_of("id of web"), IMAGE),)


def brought(**about: object) -> HostRecord:
    """What a host remembers whose container was made with the old file."""
    return record_of(running(WEB, OLD), **{"containers": MADE, **about})


@pytest.mark.parametrize(
    ("record", "causes"),
    [
        (brought(), (Cause.FILE_CONTENT,)),
        (brought(containers=(RunningContainer("web", "another", IMAGE),)), ()),
        (brought(outcome="UNHEALTHY"), ()),
        (record_of(running(WEB, NEW), containers=MADE), ()),
    ],
    ids=["made with the old one", "made since", "nobody knows with which", "made with the new one"],
)
def test_a_file_that_is_there_already_is_another_one_for_a_container_made_before(
    record: HostRecord, causes: tuple[Cause, ...]
) -> None:
    assert running(WEB, NEW).changes(record=record)["web"].causes == causes


def test_what_is_there_already_is_told_field_by_field_and_only_of_the_modules_own() -> None:
    host, other = running(WEB, NEW), a_release(WEB, files=NEW, module=IGNORING)

    assert host.changes(other, brought())["web"].action is Action.UPDATE
    assert host.changes(record=brought(), foreign=frozenset({ServiceName("web")}))["web"].causes == ()


@pytest.mark.parametrize(("mount", "causes"), [("./conf", (Cause.FILE_CONTENT,)), ("./conf/a", ())])
def test_a_file_that_the_release_before_did_not_have_is_new_where_all_of_a_folder_is_mounted(
    mount: str, causes: tuple[Cause, ...]
) -> None:
    """One that is mounted by itself was there before, brought by nobody: the container could not have been made."""
    compose = WEB.replace("./conf", mount)

    assert running(compose, NEW).changes(record=brought(files=()))["web"].causes == causes


@pytest.mark.lab
def test_a_file_of_two_projects_reaches_both(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    names = ("one", "two", "lax")
    mounts = {"image": "platformctl-lab/sleeper:1", "volumes": ["../shared/a:/etc/a:ro"]}

    def commit(text: str) -> None:
        repo.write("modules/shared/a", text)
        for name in names:
            lax = {"on_file_change": "ignore"} if name == "lax" else {}
            repo.add_module(name, {"services": {name: mounts}}, health=AT_ONCE, **lax)

    commit("1\n")
    for name in names:
        repo.deploy(name)
    commit("2\n")
    before = containers(host)
    for name in names:
        repo.deploy(name)

    assert touched(before, containers(host)) == {"one", "two"}
    assert host.docker("exec", "two-two-1", "cat", "/etc/a") == "2\n"
    repo.run("plan", "--all", expect=0)


@pytest.mark.lab
@pytest.mark.parametrize(
    ("mount", "then"),
    [("./conf/a:/etc/a:ro", {"a": "2\n"}), ("./conf:/etc/conf:ro", {"b": "1\n"}), ("./conf:/etc/conf:ro", {"a": None})],
    ids=["another content", "a new file", "a file less"],
)
def test_the_plans_of_an_index_each_tell_of_what_the_first_one_brings_or_takes_away(
    mount: str, then: dict[str, str | None], tmp_path: Path, host: Host
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    mounts = {"image": "platformctl-lab/sleeper:1", "volumes": [mount]}
    runtime = {"orchestrator": "docker-compose", "compose_file": "modules/db/compose.yaml", "project": "shop"}
    compose = {"services": {"web": {**mounts, "depends_on": ["db"]}, "db": mounts}}
    repo.write("modules/db/conf/a", "1\n")
    repo.write("modules/db/conf/stays", "1\n")
    for name in ("db", "web"):
        repo.add_module(name, compose if name == "db" else None, health=AT_ONCE, runtime=runtime)
        repo.deploy(name)
    for path, text in then.items():
        repo.write(f"modules/db/conf/{path}", text or "")
        if text is None:
            (repo.root / f"modules/db/conf/{path}").unlink()
    repo.commit()

    planned = repo.run("plan", "--all", "--json", expect=1).json
    changes = (change for each in planned["plans"] for change in each["plan"]["changes"])
    named = {change["target"].rpartition(".")[2] for change in changes if change["action"] == "recreate"}
    before = containers(host)
    repo.run("approve", planned["index"], "--yes", expect=0)
    repo.run("apply", planned["index"], "--approved-sha", repo.head, expect=9)

    assert named == touched(before, containers(host)) == {"db", "web"}
    repo.run("plan", "--all", expect=0)
