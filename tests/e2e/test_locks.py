"""One apply at a time on a host: the second one is told who, since when and why, and finds the host as it was."""

import json
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import STARTS, UNDER_LOCK, WITH_INTENT, held_up, running, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo, host_entry

HEALTH = {"timeout": "8s", "stable_for": "1s"}


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    """Module web with an approved plan in web.plan.json."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health=HEALTH)
    repo.approve(repo.plan("web"))
    return repo


@pytest.fixture
def clone(repo: PlatformRepo) -> Path:
    """Another clone of it, of another operator, with the approval at hand."""
    folder = repo.folder / "clone"
    subprocess.run(("git", "clone", "--quiet", str(repo.root), str(folder)), check=True, env=repo.environment)
    return folder


def words(repo: PlatformRepo) -> tuple[str | Path, ...]:
    (approval,) = (repo.root / ".platform/approvals").glob("*/*.json")
    return ("apply", repo.folder / "web.plan.json", "--approved-sha", repo.head, "--approval", approval, "--json")


def test_of_two_applies_at_once_one_applies_and_one_is_told_to_wait(
    repo: PlatformRepo, clone: Path, host: Host
) -> None:
    """From the same clone and from another one; both are told who is at work."""
    with held_up(host, STARTS) as compose:
        first = repo.start(*words(repo))
        compose.arrived()
        for second in (repo.run(*words(repo)), repo.run("-C", clone, *words(repo))):
            error = refusal(second, 75, "held")
            assert error["host"] == "rs2000"
            assert "ann@example.org" in error["detail"] or "Ann Operator" in error["detail"]
            assert "apply web" in error["detail"]
            assert "--lock-wait" in error["hint"]
            assert "unlock" not in error["hint"], "that takes back what was locked by hand alone"
        (row,) = repo.run("-C", clone, "status", "web", "--json", expect=0).json["modules"]
        assert "apply web" in row["note"], row
        assert "recover" not in row["note"], "there is nothing to settle while it is at work"
        checks = {each["name"]: each for each in repo.run("doctor", "--json", expect=0).json["checks"]}
        assert checks["journal"]["level"] == "ok"
        assert "apply web" in checks["journal"]["found"]
        assert "unlock" not in checks["lock"]["hint"], "that takes back what was locked by hand alone"
        compose.let_go()
        stdout, stderr = first.communicate(timeout=60)
    assert first.returncode == 9, stdout + stderr
    assert len(compose.heard.composed()) == 1
    assert running(host) == {"web": "platformctl-lab/web:1"}


def test_who_waits_for_the_lock_gets_it(repo: PlatformRepo, clone: Path, host: Host) -> None:
    """And then finds that its plan was used meanwhile."""
    with held_up(host, STARTS) as compose:
        first = repo.start(*words(repo))
        compose.arrived()
        second = repo.start("-C", clone, *words(repo), "--lock-wait", "60s")
        compose.let_go()
        first.communicate(timeout=60)
        stdout, stderr = second.communicate(timeout=90)
    assert (first.returncode, second.returncode) == (9, 7), stdout + stderr
    assert '"reason": "used"' in stdout


def test_a_lock_by_hand_holds_until_it_is_taken_back(repo: PlatformRepo, clone: Path, host: Host) -> None:
    repo.run("lock", "rs2000", "--reason", "moving the disks", expect=0)
    with untouched(host):
        for place in ((), ("-C", clone)):
            error = refusal(repo.run(*place, *words(repo)), 75, "held")
            assert "moving the disks" in error["detail"]
            assert "unlock" in error["hint"]
            assert "wait" not in error["hint"], "it would be for ever"
        refusal(repo.run("lock", "rs2000", "--reason", "me too", "--json"), 75, "held")
        repo.plan("web", name="reading-is-free", expect=1)
    repo.run("unlock", "rs2000", expect=0)
    repo.apply(repo.folder / "web.plan.json")


def test_the_lock_of_a_client_that_died_is_free(repo: PlatformRepo, host: Host) -> None:
    """Killed with the lock and before the intent: the very plan is good for the next one."""
    with held_up(host, UNDER_LOCK) as question:
        first = repo.start(*words(repo))
        question.arrived()
        first.kill()
        first.communicate()
        assert repo.apply(repo.folder / "web.plan.json", "--lock-wait", "30s").json["status"] == "applied"


COMPUTES = 'case "$*" in *--hash*) ;; *) false ;; esac'
"""Compose is asked what it would make of a release, which takes as long as all other questions beside it."""
THOROUGH = [pytest.mark.thorough, pytest.mark.timeout(3600)]


@pytest.mark.parametrize(("many", "rounds"), [(8, 1), *(pytest.param(many, 20, marks=THOROUGH) for many in (2, 8, 32))])
def test_of_many_at_once_in_a_clone_one_reaches_the_host(
    repo: PlatformRepo, host: Host, many: int, rounds: int
) -> None:
    """This clone's own lock is asked before the network, so that nobody waits for a login only to be told to wait."""
    one_of_many(repo, host, many)
    for number in range(1, rounds):
        host.sh("rm -rf /tmp/arrived /tmp/gate /tmp/passed")
        another_release(repo, number)
        one_of_many(repo, host, many)


def another_release(repo: PlatformRepo, number: int) -> None:
    service = {**WEB["services"]["web"], "environment": {"ROUND": number}}
    repo.write("modules/web/compose.yaml", json.dumps({"services": {"web": service}}))
    repo.commit()
    shutil.rmtree(repo.root / ".platform/approvals")
    repo.approve(repo.plan("web"))


def one_of_many(repo: PlatformRepo, host: Host, many: int) -> None:
    logins = host.sh("grep -c 'Accepted publickey' /var/log/sshd.log || :")
    with held_up(host, STARTS) as compose, ThreadPoolExecutor(many) as pool:
        processes = [repo.start(*words(repo)) for _ in range(many)]
        endings = as_completed(pool.submit(lambda each: (each.communicate(), each.returncode), p) for p in processes)
        compose.arrived()
        refused = [next(endings).result() for _ in range(many - 1)]
        compose.let_go()
        (told, code) = next(endings).result()
    assert code == 9, told
    assert {code for _, code in refused} == {75}
    assert all('"reason": "held"' in stdout for (stdout, _), _ in refused)
    assert len(compose.heard.composed()) == 1
    assert int(host.sh("grep -c 'Accepted publickey' /var/log/sshd.log")) == int(logins) + 1


def test_who_waits_gets_the_lock_of_this_clone_too(repo: PlatformRepo, host: Host) -> None:
    with held_up(host, STARTS) as compose:
        first = repo.start(*words(repo))
        compose.arrived()
        second = repo.start(*words(repo), "--lock-wait", "60s")
        compose.let_go()
        first.communicate(timeout=60)
        stdout, stderr = second.communicate(timeout=90)
    assert (first.returncode, second.returncode) == (9, 7), stdout + stderr
    assert '"reason": "used"' in stdout


def test_a_client_that_lost_the_lock_before_its_first_step_has_touched_nothing(repo: PlatformRepo, host: Host) -> None:
    """Its intent is written; then somebody else gets the lock. 75, and what it began is settled by itself."""
    base = f"{host.root}/.platformctl"
    with held_up(host, WITH_INTENT) as question, untouched(host):
        first = repo.start(*words(repo))
        question.arrived()
        host.sh(f"printf 99 >{base}/lock.token")
        question.let_go()
        stdout, stderr = first.communicate(timeout=60)
        assert first.returncode == 75, stdout + stderr
        assert '"reason": "held"' in stdout
        assert repo.run("recover", "--json", expect=0).json["settled"] == []
        refusal(repo.apply(repo.folder / "web.plan.json", expect=7), 7, "used")
    repo.deploy("web")


@pytest.mark.thorough
def test_a_client_that_slept_longer_than_its_lease_executes_nothing(
    repo: PlatformRepo, clone: Path, host: Host
) -> None:
    """Stopped under the lock; somebody else gets it when the lease is over, and applies; then the first goes on.

    It had seen the containers already, so that nothing but the lock tells it.
    """
    with held_up(host, f"{UNDER_LOCK} && {COMPUTES}") as question:
        first = repo.start(*words(repo))
        question.arrived()
        first.send_signal(signal.SIGSTOP)
        applied = repo.run("-C", clone, *words(repo), "--lock-wait", "60s")
        assert applied.code == 9, applied
        with untouched(host):
            question.let_go()
            first.send_signal(signal.SIGCONT)
            stdout, stderr = first.communicate(timeout=60)
    assert first.returncode == 75, stdout + stderr
    assert "the lock is no longer ours" in stdout
    assert len(question.heard.composed()) == 1


def in_time(repo: PlatformRepo, host: Host, run: str, **about: object) -> tuple[str | Path, ...]:
    """The words that apply version 2 where a run has so much time."""
    repo.hosts_file({"rs2000": {**host_entry(host), "timeouts": {"run": run}}})
    repo.add_module("web", json.dumps(WEB).replace("lab/web:1", "lab/web:2"), **about)
    plan = repo.plan("web", name="later")
    repo.approve(plan)
    return ("apply", plan, "--approved-sha", repo.head, "--json")


def test_a_run_whose_time_is_over_is_undone_and_not_held_against_the_release(repo: PlatformRepo, host: Host) -> None:
    repo.apply(repo.folder / "web.plan.json")
    ended = repo.run(*in_time(repo, host, "15s", health={"timeout": "100s", "stable_for": "90s"}), expect=11)

    assert ended.json["reason"] == "interrupted"
    assert running(host) == {"web": "platformctl-lab/web:1"}
    repo.plan("web", name="again")


def test_a_run_whose_time_is_over_before_anything_was_begun_touches_nothing(repo: PlatformRepo, host: Host) -> None:
    words = in_time(repo, host, "3s")
    repo.run("lock", "rs2000", "--reason", "moving", expect=0)
    with untouched(host):
        refusal(repo.run(*words, "--lock-wait", "90s"), 143)
