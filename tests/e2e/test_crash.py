"""The operator's machine dies in the middle of an apply: nothing is lost, and what became of it can be found out."""

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.dead_client import (
    BEGUN,
    DONE,
    HEALTH,
    SETTLED,
    approved,
    dies_at,
    first_version,
    kill,
    killed_after,
    recovered,
)
from tests.e2e.refusals import refusal
from tests.e2e.witness import STARTS, WITH_INTENT, held_up, running, see, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

STATE = ".platform/state/modules/web.status.json"
TRUTH = {"applied": "2", "not_applied": "1"}
"""Which version runs when `recover` says so, after version 2 was applied over version 1."""
DAEMON = {
    "image": "platformctl-lab/sleeper:1",
    "stop_signal": "SIGTERM",
    "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 9999 & wait"],
}
"""It ends well when it is told to."""
REMOVES = 'case " $* " in *" rm "*) ;; *) false ;; esac'
"""Compose is told to take a service away."""
FOLDER = {"volumes": ["./www:/www:ro"]}
"""What the service shows is a mounted file, which no hash of Compose covers."""


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    return first_version(tmp_path, host)


def test_killed_while_compose_is_at_work(repo: PlatformRepo, host: Host) -> None:
    """Until the step ended nobody else begins, and until it is settled neither; `recover` tells what became of it.

    Compose comes to its end although nobody reads what it says, and who comes next waits for that.
    """
    good = repo.head
    plan = approved(repo, "2")
    with held_up(host, STARTS) as compose:
        process = repo.start("apply", plan, "--approved-sha", repo.head)
        compose.arrived()
        kill(process)
        assert json.loads((repo.root / STATE).read_text())["last_apply_sha"] == good
        refusal(repo.apply(plan, expect=75), 75, "held")
        compose.let_go()
        refusal(repo.apply(plan, "--lock-wait", "30s", expect=75), 75, "unsettled")
    with untouched(host):
        (row,) = repo.run("status", "web", "--json", expect=0).json["modules"]
        assert "recover" in row["note"]
        assert recovered(repo) == "applied"
        assert running(host) == {"web": "platformctl-lab/web:2"}
        assert refusal(repo.apply(plan, expect=7), 7, "used")["host"] == "rs2000"
    repo.apply(approved(repo, "1", 1))
    repo.run("audit", "verify", expect=0)


@pytest.mark.parametrize(("meanwhile", "outcome"), [("inspect", "not_applied"), ("stop", "needs_person")])
def test_a_removal_that_was_cut_short_was_not_applied(
    repo: PlatformRepo, host: Host, meanwhile: str, outcome: str
) -> None:
    """Its client dies, and Compose with it before it took anything away, or when it had stopped the service."""
    repo.add_module("daemon", {"services": {"daemon": DAEMON}})
    repo.deploy("daemon")
    shutil.rmtree(repo.root / "modules/daemon")
    repo.commit()
    plan = repo.plan("daemon", name="removal")
    repo.approve(plan, "--allow-destructive")
    with held_up(host, REMOVES) as compose:
        process = repo.start("apply", plan, "--approved-sha", repo.head)
        compose.arrived()
        kill(process)
        host.sh(f"pkill -KILL -u {host.user} || :")
    host.docker(meanwhile, "daemon-daemon-1")
    with untouched(host):
        assert recovered(repo) == outcome
    assert "/daemon-daemon-1" in see(host).containers


def test_killed_with_the_intent_written_and_nothing_done(repo: PlatformRepo, host: Host) -> None:
    """The plan is used up, the host is as it was, and a new plan goes through."""
    plan = approved(repo, "2")
    with held_up(host, WITH_INTENT) as question, untouched(host):
        process = repo.start("apply", plan, "--approved-sha", repo.head)
        question.arrived()
        kill(process)
        refusal(repo.apply(plan, "--lock-wait", "20s", expect=75), 75, "unsettled")
        assert recovered(repo) == "not_applied"
        refusal(repo.apply(plan, expect=7), 7, "used")
    repo.deploy("web")
    assert running(host) == {"web": "platformctl-lab/web:2"}
    repo.run("audit", "verify", expect=0)


def test_new_files_below_what_runs_as_before_are_not_passed_over(repo: PlatformRepo, host: Host) -> None:
    """Files come first: where the client dies behind them, the host was touched, and 0 would say that it was not."""
    plan = approved(repo, "2")
    dies_at(repo, host, plan, 1)
    with untouched(host):
        (row,) = repo.run("recover", "--json", expect=8).json["settled"]
    assert row["outcome"] == "needs_person"
    assert "every service runs as before, but not every file is: modules/web/compose.yaml" in row["why"]
    repo.deploy("web")
    assert running(host) == {"web": "platformctl-lab/web:2"}


def test_what_was_on_the_way_back_is_not_taken_for_applied(repo: PlatformRepo, host: Host) -> None:
    """Its container looks as planned and as before, and the step was done; but its undo had begun."""
    shown = {"services": {"web": {**WEB["services"]["web"], **FOLDER}}}
    canary = {"url": f"http://{host.address}:8080/", "expect_body": "good", "attempts": 1}
    repo.write("modules/web/www/1/index.html", "good")
    repo.add_module("web", shown, health=HEALTH, canary=canary)
    repo.deploy("web")
    repo.write("modules/web/www/1/index.html", "bad")
    repo.commit()
    plan = repo.plan("web", name="bad")
    repo.approve(plan)
    dies_at(repo, host, plan, 2)
    with untouched(host):
        assert recovered(repo) == "needs_person"


def test_files_alone_tell_of_themselves(repo: PlatformRepo, host: Host) -> None:
    """A plan that no container is touched by is applied when its last file is in place, whoever saw that."""
    host.write("modules/web/compose.yaml", b"services: {}\n")
    plan = repo.plan("web", name="again")
    (change,) = repo.run("show", plan, "--json").json["plan"]["changes"]
    assert change["action"] == "update"
    repo.approve(plan)
    killed_after(repo, plan, DONE)
    refusal(repo.apply(plan, "--lock-wait", "20s", expect=75), 75, "unsettled")
    with untouched(host):
        assert recovered(repo) == "applied"
    repo.plan("web", expect=0, name="nothing")


def test_recover_finds_the_plan_wherever_it_was_kept(repo: PlatformRepo, host: Host) -> None:
    """`plan --out` puts it elsewhere; who applied it must be able to settle it all the same."""
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/web:2"))
    repo.commit()
    plan = repo.plan("web")
    repo.approve(plan)
    with held_up(host, STARTS) as compose:
        process = repo.start("apply", plan, "--approved-sha", repo.head)
        compose.arrived()
        kill(process)
        compose.let_go()
    refusal(repo.apply(plan, "--lock-wait", "30s", expect=75), 75, "unsettled")
    outcome = recovered(repo)
    assert outcome in TRUTH
    assert running(host) == {"web": f"platformctl-lab/web:{TRUTH[outcome]}"}


def test_killed_between_steps(repo: PlatformRepo, host: Host) -> None:
    """Wherever that is: state and journal can be read, the next apply is refused or goes through, recover settles."""
    last = ""
    for lines, version in ((BEGUN, "2"), (SETTLED, "1")):
        before = json.loads((repo.root / STATE).read_text())
        plan = approved(repo, version, lines)

        last = killed_after(repo, plan, lines)[-1]

        after = json.loads((repo.root / STATE).read_text())
        assert after in (before, {**after, "last_apply_sha": repo.head}), last
        again = repo.run("apply", plan, "--approved-sha", repo.head, "--lock-wait", "20s", "--json")
        assert again.code in (9, 75, 7), f"killed after {last!r}\n{again}"
        if again.code == 75:
            assert again.json["error"]["reason"] == "unsettled", last
            assert recovered(repo) in ("applied", "not_applied", "needs_person"), last
        (planned,) = repo.run("plan", "web", "--json").json["plans"]
        if planned["path"]:
            repo.approve(repo.root / planned["path"])
            repo.apply(repo.root / planned["path"])
        assert running(host) == {"web": f"platformctl-lab/web:{version}"}, last
        assert list(see(host).containers) == ["/web-web-1"], last
        repo.run("plan", "web", expect=0)
    assert "settled" in last
    repo.run("audit", "verify", expect=0)
