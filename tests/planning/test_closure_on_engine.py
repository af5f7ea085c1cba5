"""Containers that an apply touches are exactly those its plan named, on a real engine with a real Compose (P1).

Each scenario deploys a module, changes one thing in the repository or on the host, plans, applies, and compares ids and
start times of the project's containers with the plan's touched services.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Host
from tests.lab.disk import AGENT_HOME
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

SLEEPER = "platformctl-lab/sleeper:1"
Services = dict[str, dict[str, Any]]
OnHost = Callable[[Host], object]


@dataclass(frozen=True)
class Scenario:
    """`first` and `then` are compose services; `files` and `then_files` lie beside the compose file, None: deleted.

    `newer` are touched by Compose 5, where that is not as with 2.26.
    """

    name: str
    touched: set[str]
    first: Services
    then: Services | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    then_files: Mapping[str, str | None] = field(default_factory=dict)
    executable: tuple[str, ...] = ()
    on_host: OnHost | None = None
    newer: set[str] | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)


def pair(main: dict[str, Any] | None = None, needed: dict[str, Any] | None = None, **others: Any) -> Services:
    """`main`, which depends on `needed`."""
    return {
        "main": {"image": SLEEPER, "depends_on": ["needed"], **(main or {})},
        "needed": {"image": SLEEPER, **(needed or {})},
        **others,
    }


def chain(last: dict[str, Any] | None = None) -> Services:
    """`main` needs `middle`, which needs `last`."""
    return {
        "main": {"image": SLEEPER, "depends_on": ["middle"]},
        "middle": {"image": SLEEPER, "depends_on": ["last"]},
        "last": {"image": SLEEPER, **(last or {})},
    }


def waiting(condition: str, needed: dict[str, Any], main: dict[str, Any] | None = None) -> Services:
    """`main` waits for a condition of `needed`."""
    return pair({"depends_on": {"needed": {"condition": condition}}, **(main or {})}, needed)


def docker(*words: str) -> OnHost:
    return lambda host: host.docker(*words)


NET = "main_default"
LABELS = {"project": "main", "service": "needed", "oneoff": "False"}


def without_network(host: Host) -> None:
    host.docker("stop", "main-main-1", "main-needed-1")
    host.docker("network", "rm", NET)


def stranger(host: Host) -> None:
    labels = [word for name, value in LABELS.items() for word in ("--label", f"com.docker.compose.{name}={value}")]
    host.docker("run", "-d", *labels, SLEEPER)


GONE, STOPPED = docker("rm", "-f", "main-needed-1"), docker("stop", "main-needed-1")
NEW = {"environment": {"A": "2"}}
MOUNT = {"volumes": ["./conf/a:/etc/a:ro"]}
FOLDER = {"volumes": ["./conf:/etc/conf:ro"]}
ENV_FILE = {"env_file": ["./a.env"]}
RESTARTS = {"depends_on": {"needed": {"condition": "service_started", "restart": True}}}
NETWORK, PROCESSES, IPC = ({key: "service:needed"} for key in ("network_mode", "pid", "ipc"))
LINKED = {"depends_on": [], "links": ["needed"]}
LINKS = {"links": ["needed:other"]}
LENT, VOLUMES, DATA = {"ipc": "shareable"}, {"volumes_from": ["needed:ro"]}, {"volumes": ["/data"]}
ALL = {**NETWORK, **PROCESSES, **VOLUMES}
PLAIN = {"image": SLEEPER}
JOB = {"image": "platformctl-lab/job:1"}
CHECK = {"healthcheck": {"test": ["CMD", "true"], "interval": "1s"}}
OTHER_CHECK = {"healthcheck": {"test": ["CMD", "true"], "interval": "2s"}}
NONE, NO_REPLICAS = {"scale": 0}, {"deploy": {"replicas": 0}}
DEBUG = {"profiles": ["debug"]}
OPTIONAL = {"depends_on": {"needed": {"condition": "service_started", "required": False}}}
HEALTHY, DONE = "service_healthy", "service_completed_successfully"
WAITS = {**PLAIN, "depends_on": {"needed": {"condition": DONE}}}
AT_ONCE = {"timeout": "20s", "stable_for": "0s"}
CONF = {"conf/a": "1"}
ENV, ENV_2 = {"a.env": "A=1\n"}, {"a.env": "A=2\n"}
BOTH = {"conf/a": "1", "conf/b": "1"}
CONF_2 = {"conf/a": "2"}

SCENARIOS = (
    Scenario("nothing", set(), pair()),
    Scenario("environment of main", {"main"}, pair(), pair(NEW)),
    Scenario("environment of needed", {"main", "needed"}, pair(), pair(needed=NEW), newer={"needed"}),
    Scenario("environment of both", {"main", "needed"}, pair(), pair(NEW, NEW)),
    Scenario("image of main", {"main"}, pair(), pair({"image": "platformctl-lab/healthy:1"})),
    Scenario(
        "image of needed",
        {"main", "needed"},
        pair(),
        pair(needed={"image": "platformctl-lab/healthy:1"}),
        newer={"needed"},
    ),
    Scenario("label of main", {"main"}, pair(), pair({"labels": {"a": "1"}})),
    Scenario("restart policy of main", {"main"}, pair(), pair({"restart": "always"})),
    Scenario("port of main", {"main"}, pair({"ports": ["18081:80"]}), pair({"ports": ["18082:80"]})),
    Scenario(
        "health check of needed", {"main", "needed"}, pair(needed=CHECK), pair(needed=OTHER_CHECK), newer={"needed"}
    ),
    Scenario(
        "needed is waited for",
        {"main", "needed"},
        waiting(HEALTHY, CHECK),
        waiting(HEALTHY, OTHER_CHECK),
        newer={"needed"},
    ),
    Scenario("a mounted file of main", {"main"}, pair(MOUNT), None, CONF, CONF_2),
    Scenario("a mounted file of needed", {"needed"}, pair(needed=MOUNT), None, CONF, CONF_2),
    Scenario("a mounted file of both", {"main", "needed"}, pair(MOUNT, MOUNT), None, CONF, CONF_2),
    Scenario("a file in a mounted folder", {"main"}, pair(FOLDER), None, CONF, CONF_2),
    Scenario("a new file in a mounted folder", {"main"}, pair(FOLDER), None, CONF, {"conf/b": "1"}),
    Scenario("a file gone from a mounted folder", {"main"}, pair(FOLDER), None, BOTH, {"conf/b": None}),
    Scenario(
        "a mounted file, by the manifest's word alone",
        set(),
        pair(MOUNT),
        None,
        CONF,
        CONF_2,
        spec={"on_file_change": "ignore"},
    ),
    Scenario("mode of a mounted file", {"main"}, pair(MOUNT), None, CONF, executable=("conf/a",)),
    Scenario("env file of main", {"main"}, pair(ENV_FILE), None, ENV, ENV_2),
    Scenario("env file of needed", {"needed"}, pair(needed=ENV_FILE), None, ENV, ENV_2),
    Scenario("file of needed, main changed", {"main", "needed"}, pair(needed=MOUNT), pair(NEW, MOUNT), CONF, CONF_2),
    Scenario("file of main, needed changed", {"main", "needed"}, pair(MOUNT), pair(MOUNT, NEW), CONF, CONF_2),
    Scenario(
        "main was given another limit",
        {"main"},
        pair(),
        on_host=docker("update", "--memory=64m", "--memory-swap=128m", "main-main-1"),
    ),
    Scenario(
        "needed restarts by hand", {"needed"}, pair(), on_host=docker("update", "--restart=always", "main-needed-1")
    ),
    Scenario(
        "main was taken from its network", {"main"}, pair(), on_host=docker("network", "disconnect", NET, "main-main-1")
    ),
    Scenario(
        "main was put into another network",
        {"main"},
        pair(),
        on_host=docker("network", "connect", "bridge", "main-main-1"),
    ),
    Scenario("the network is gone", {"main", "needed"}, pair(), on_host=without_network),
    Scenario("a stranger of the name of needed", set(), pair(), on_host=stranger),
    Scenario("main was stopped", {"main"}, pair(), on_host=docker("stop", "main-main-1")),
    Scenario("needed was stopped", {"needed"}, pair(), on_host=STOPPED),
    Scenario("main was killed", {"main"}, pair(), on_host=docker("kill", "main-main-1")),
    Scenario("main was removed", {"main"}, pair(), on_host=docker("rm", "-f", "main-main-1")),
    Scenario("needed was removed", {"needed"}, pair(), on_host=GONE),
    Scenario(
        "needed was removed, main changed",
        {"main", "needed"},
        pair(),
        pair(NEW),
        on_host=GONE,
    ),
    Scenario(
        "needed was stopped, main changed",
        {"main", "needed"},
        pair(),
        pair(NEW),
        on_host=STOPPED,
    ),
    Scenario("more of main", {"main"}, pair(), pair({"scale": 2})),
    Scenario("fewer of main", {"main"}, pair({"scale": 2}), pair()),
    Scenario("none of needed, nothing", set(), pair(needed=NONE)),
    Scenario("none of needed, main changed", {"main"}, pair(needed=NO_REPLICAS), pair(NEW, NO_REPLICAS)),
    Scenario("none of needed any more", {"needed"}, pair(), pair(needed=NONE)),
    Scenario("none of main any more, needed changed", {"main", "needed"}, pair(), pair(NO_REPLICAS, NEW)),
    Scenario("one of needed again", {"needed"}, pair(needed=NONE), pair()),
    Scenario(
        "a new needed service",
        {"main", "new"},
        pair(),
        pair({"depends_on": ["needed", "new"]}, new=PLAIN),
        newer={"new"},
    ),
    Scenario("needed no longer", {"main"}, pair(), pair({"depends_on": []}), newer=set()),
    Scenario("main of a profile, nothing", set(), pair(DEBUG)),
    Scenario("needed of a profile, if it is there", {"main"}, pair(OPTIONAL, DEBUG), pair({**OPTIONAL, **NEW}, DEBUG)),
    Scenario(
        "linked to one of a profile",
        {"main"},
        pair({**OPTIONAL, **LINKS}, DEBUG),
        pair({**OPTIONAL, **LINKS, **NEW}, DEBUG),
    ),
    Scenario(
        "needed of a profile that main has",
        {"main", "needed"},
        pair({**OPTIONAL, **DEBUG}, DEBUG),
        pair({**OPTIONAL, **DEBUG}, {**DEBUG, **NEW}),
        newer={"needed"},
    ),
    Scenario(
        "needed of a profile, env file of main", {"main"}, pair({**OPTIONAL, **ENV_FILE}, DEBUG), None, ENV, ENV_2
    ),
    Scenario("a service outside of the closure", set(), pair(other=PLAIN), pair(other={**PLAIN, **NEW})),
    Scenario("restarts with needed, needed changed", {"main", "needed"}, pair(RESTARTS), pair(RESTARTS, NEW)),
    Scenario("linked to needed, needed changed", {"main", "needed"}, pair(LINKED), pair(LINKED, NEW)),
    Scenario("restarts with needed, file of needed", {"needed"}, pair(RESTARTS, MOUNT), None, CONF, CONF_2),
    Scenario("network of needed, nothing", set(), pair(NETWORK)),
    Scenario("network of needed, needed changed", {"main", "needed"}, pair(NETWORK), pair(NETWORK, NEW)),
    Scenario("network of needed, file of needed", {"main", "needed"}, pair(NETWORK, MOUNT), None, CONF, CONF_2),
    Scenario("network of needed, needed was removed", {"main", "needed"}, pair(NETWORK), on_host=GONE),
    Scenario("network of needed, main changed", {"main"}, pair(NETWORK), pair({**NETWORK, **NEW})),
    Scenario("processes of needed, needed changed", {"main", "needed"}, pair(PROCESSES), pair(PROCESSES, NEW)),
    Scenario("IPC of needed, needed changed", {"main", "needed"}, pair(IPC, LENT), pair(IPC, {**LENT, **NEW})),
    Scenario("volumes of needed, main changed", {"main"}, pair(VOLUMES, DATA), pair({**VOLUMES, **NEW}, DATA)),
    Scenario(
        "volumes of needed, needed changed", {"main", "needed"}, pair(VOLUMES, DATA), pair(VOLUMES, {**DATA, **NEW})
    ),
    Scenario("volumes of needed, needed was removed", {"main", "needed"}, pair(VOLUMES, DATA), on_host=GONE),
    Scenario("all of needed, env file of main", {"main"}, pair({**ALL, **ENV_FILE}, DATA), None, ENV, ENV_2),
    Scenario("end of a chain changed", {"main", "middle", "last"}, chain(), chain(NEW), newer={"last"}),
    Scenario("file at the end of a chain", {"last"}, chain(MOUNT), None, CONF, CONF_2),
    Scenario("end of a chain was removed", {"last"}, chain(), on_host=docker("rm", "-f", "main-last-1")),
    Scenario("one-shot and a changed main", {"main", "needed"}, waiting(DONE, JOB), waiting(DONE, JOB, NEW)),
    Scenario(
        "one-shot changed", {"main", "needed"}, waiting(DONE, JOB), waiting(DONE, {**JOB, **NEW}), newer={"needed"}
    ),
    Scenario("one-shot, nothing", set(), waiting(DONE, JOB)),
    Scenario("one-shot, file of main", {"main", "needed"}, waiting(DONE, JOB, MOUNT), None, CONF, CONF_2),
    Scenario("one-shot that others wait for, nothing", set(), pair(needed=JOB, other=WAITS)),
    Scenario(
        "one-shot that others wait for", {"main", "needed"}, pair(needed=JOB, other=WAITS), pair(NEW, JOB, other=WAITS)
    ),
    Scenario("file of a one-shot", {"needed"}, waiting(DONE, {**JOB, **MOUNT}), None, CONF, CONF_2),
    Scenario("a job that is changed", {"main"}, pair(JOB), pair({**JOB, **NEW}), spec={"kind": "job"}),
    Scenario("a job whose needed changed", {"main", "needed"}, pair(JOB), pair(JOB, NEW), spec={"kind": "job"}),
)


IN_EACH_RUN = {
    "environment of needed",
    "a mounted file of both",
    "env file of needed",
    "main was taken from its network",
    "needed was removed, main changed",
    "fewer of main",
    "none of main any more, needed changed",
    "needed of a profile that main has",
    "restarts with needed, file of needed",
    "all of needed, env file of main",
    "volumes of needed, needed was removed",
    "end of a chain changed",
    "one-shot and a changed main",
    "a job whose needed changed",
}
"""One of each kind is tried each time; all of them with `-m "thorough or not thorough"`."""

NEWER_IN_EACH_RUN = {"environment of needed", "linked to needed, needed changed"}


def scenarios(in_each_run: set[str]) -> Iterator[object]:
    """All of the table, most of it marked: a scenario costs two deploys on a real engine."""
    assert in_each_run <= {scenario.name for scenario in SCENARIOS}
    for scenario in SCENARIOS:
        marks = () if scenario.name in in_each_run else (pytest.mark.thorough,)
        yield pytest.param(scenario, id=scenario.name, marks=marks)


@pytest.mark.parametrize("scenario", tuple(scenarios(IN_EACH_RUN)))
def test_touched_is_what_was_planned(scenario: Scenario, host: Host, tmp_path: Path) -> None:
    check(scenario, scenario.touched, host, tmp_path)


@pytest.mark.parametrize("scenario", tuple(scenarios(NEWER_IN_EACH_RUN)))
def test_touched_is_what_was_planned_by_a_newer_compose_too(scenario: Scenario, host: Host, tmp_path: Path) -> None:
    with_newer_compose(host)
    check(scenario, scenario.touched if scenario.newer is None else scenario.newer, host, tmp_path)


def check(scenario: Scenario, expected: set[str], host: Host, tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    write(repo, scenario.files)
    repo.add_module("main", {"services": scenario.first}, health=AT_ONCE, **scenario.spec)
    repo.deploy("main")
    write(repo, scenario.then_files)
    for path in scenario.executable:
        (repo.root / "modules/main" / path).chmod(0o755)
    repo.add_module("main", {"services": scenario.then or scenario.first}, health=AT_ONCE, **scenario.spec)
    if scenario.on_host:
        scenario.on_host(host)

    plan = tmp_path / "plan.json"
    planned = repo.run("plan", "main", "--out", plan, "--json").json
    changes = planned["plans"][0]["plan"]["changes"]
    named = {c["target"].removeprefix("compose.service.") for c in changes if c["action"] not in ("keep", "update")}
    before = containers(host)
    if planned["exit_code"]:
        repo.approve(plan)
    repo.apply(plan, expect=9 if planned["exit_code"] else 0)
    after = containers(host)
    touched = {(before | after)[key] for key in before.keys() ^ after.keys()}
    still_there = {name for name in touched if ids(before, name) == ids(after, name)}
    started = {c["target"].removeprefix("compose.service.") for c in changes if c["action"] == "start"}

    assert named == touched
    assert named == expected
    assert started == still_there
    repo.plan("main", expect=0, name="again")


def with_newer_compose(host: Host) -> None:
    """The one from PyPI for the agent, where the machine has an older one."""
    plugin = f"{AGENT_HOME}/.docker/cli-plugins/docker-compose"
    host.write(plugin, (Path(sys.executable).parent / "docker-compose").read_bytes())
    host.sh(f"chmod 755 {plugin} && chown -R {host.user}: {AGENT_HOME}/.docker")


def ids(found: Mapping[tuple[str, str], str], service: str) -> set[str]:
    return {container for (container, _), name in found.items() if name == service}


def write(repo: PlatformRepo, files: Mapping[str, str | None]) -> None:
    for path, text in files.items():
        if text is None:
            (repo.root / "modules/main" / path).unlink()
        else:
            repo.write(f"modules/main/{path}", text)


def containers(host: Host) -> dict[tuple[str, str], str]:
    """Service by id and start time."""
    ids = host.docker("ps", "-aq", "--no-trunc").split()
    found = json.loads(host.docker("inspect", *ids)) if ids else []
    return {
        (each["Id"], each["State"]["StartedAt"]): each["Config"]["Labels"]["com.docker.compose.service"]
        for each in found
    }
