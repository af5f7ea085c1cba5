"""`plan --all` and `apply` of its index: one approval for several plans, and a verdict for each."""

import base64
import json
import os
import pty
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.fleet import add, index_of
from tests.e2e.refusals import refusal
from tests.e2e.witness import STARTS, held_up, untouched
from tests.lab import Host
from tests.platform_repo import PROGRAM, Ended, PlatformRepo

pytestmark = pytest.mark.lab


def is_plan_of(module: str, path: Path) -> bool:
    """Whether that is what is signed in a file."""
    return bool(json.loads(base64.b64decode(json.loads(path.read_text())["payload"])).get("module") == module)


def host_was_left_alone(host: Host) -> bool:
    """Nobody logged in since the lab was started or the log was emptied."""
    return "Accepted publickey" not in host.sh("cat /var/log/sshd.log")


def told(ended: Ended) -> list[tuple[str, str, str]]:
    """Module, status and reason of each plan of an index that was applied."""
    return [(each["module"], each["status"], each["reason"]) for each in ended.json["outcomes"]]


def test_one_approval_of_an_index_applies_all_its_plans(tmp_path: Path, hosts: tuple[Host, ...]) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": hosts[0], "rs3000": hosts[1]})
    add(repo, "first", "platformctl-lab/web:1")
    add(repo, "second", "platformctl-lab/sleeper:1", host="rs3000")

    index = index_of(repo)
    ended = repo.apply(index)

    assert [(each["module"], each["status"]) for each in ended.json["results"]] == [
        ("first", "applied"),
        ("second", "applied"),
    ]
    assert repo.run("plan", "--all", "--json", expect=0).json["index"] is None
    with untouched(hosts[0]), untouched(hosts[1]):
        again = repo.apply(index, expect=0)
    assert told(again) == [(name, "no_changes", "it was applied before") for name in ("first", "second")]

    hosts[1].docker("rm", "--force", "second-main-1")
    with untouched(hosts[0]), untouched(hosts[1]):
        later = repo.apply(index, expect=7)
    assert told(later)[1] == ("second", "blocked", "used")


def test_a_removal_of_an_index_that_is_applied_again_is_passed_over_too(tmp_path: Path, host: Host) -> None:
    """Unless what was removed is there again."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "first", "platformctl-lab/sleeper:1")
    repo.deploy("first")
    shutil.rmtree(repo.root / "modules/first")
    repo.commit()
    index = repo.root / repo.run("plan", "--all", "--json", expect=1).json["index"]
    repo.approve(index, "--allow-destructive")
    repo.apply(index)
    with untouched(host):
        assert told(repo.apply(index, expect=0)) == [("first", "no_changes", "it was applied before")]

    labels = [f"--label=com.docker.compose.{each}" for each in ("project=first", "service=main", "oneoff=False")]
    host.docker("run", "--detach", *labels, "platformctl-lab/sleeper:1")
    with untouched(host):
        assert told(repo.apply(index, expect=7)) == [("first", "blocked", "used")]


def test_the_first_failure_stops_the_train_and_ends_partial(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "a-good", "platformctl-lab/web:1")
    add(repo, "b-bad", "platformctl-lab/crash:1")
    add(repo, "c-never", "platformctl-lab/sleeper:1", needs=["a-good"])

    index = index_of(repo)
    ended = repo.apply(index, expect=13)

    assert [each["status"] for each in ended.json["results"]] == ["applied", "rolled_back"]
    assert ended.json["skipped"] == ["c-never"]

    with untouched(host):
        again = repo.apply(index, expect=7)
    assert [status for _, status, _ in told(again)] == ["no_changes", "blocked", "skipped"]
    gone_on = repo.apply(index, "--keep-going", expect=13)
    assert told(gone_on)[1:] == [("b-bad", "blocked", "used"), ("c-never", "applied", "")]


def test_with_keep_going_the_rest_is_applied_all_the_same(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "a-bad", "platformctl-lab/crash:1")
    add(repo, "b-good", "platformctl-lab/sleeper:1")

    ended = repo.apply(index_of(repo), "--keep-going", expect=13)

    assert [each["status"] for each in ended.json["results"]] == ["rolled_back", "applied"]


def test_an_index_nobody_approved_runs_nothing(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "first", "platformctl-lab/web:1")
    index = repo.root / repo.run("plan", "--all", "--json", expect=1).json["index"]

    ended = repo.apply(index, expect=5)

    assert ended.json["results"][0]["error"]["reason"] == "approval_missing"
    assert host.docker("ps", "-aq") == ""


def test_every_plan_of_an_index_is_shown_before_it_is_approved_and_none_is_approved_unseen(
    tmp_path: Path, host: Host
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "first", "platformctl-lab/web:1")
    add(repo, "second", "platformctl-lab/sleeper:1")
    index = repo.root / repo.run("plan", "--all", "--json", expect=1).json["index"]

    shown = at_a_terminal(repo, "approve", str(index), until="approve first, second on rs2000?")
    assert "first on rs2000 at" in shown
    assert "second on rs2000 at" in shown

    (plan,) = (path for path in index.parent.glob("*.json") if is_plan_of("second", path))
    plan.rename(tmp_path / "elsewhere.json")
    repo.approve(index, expect=2)
    plan.write_bytes(next(path for path in index.parent.glob("*.json") if is_plan_of("first", path)).read_bytes())
    refusal(repo.run("approve", index, "--yes", "--json"), 5, "digest")
    assert not (repo.root / ".platform/approvals").exists()


def at_a_terminal(repo: PlatformRepo, *words: str, until: str) -> str:
    """What is shown up to a question, which is left unanswered."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        (str(PROGRAM), *words), cwd=repo.root, env=dict(repo.environment), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while until.encode() not in shown:
        shown += os.read(ours, 4096)
    process.kill()
    process.wait()
    os.close(ours)
    return shown.decode()


def test_a_plan_swapped_beside_the_index_is_refused(tmp_path: Path, host: Host) -> None:
    """The index lists digests: another signed plan under the listed name has no approval."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "first", "platformctl-lab/web:1")
    index = index_of(repo)
    listed = next(path for path in (repo.root / ".platform/plans").glob("*.json") if path != index)
    add(repo, "other", "platformctl-lab/web:1")

    listed.write_bytes(repo.plan("other").read_bytes())

    assert repo.apply(index, expect=5).json["results"][0]["error"]["name"] == "APPROVAL_MISMATCH"
    assert host.docker("ps", "-aq") == ""


def test_what_a_module_needs_comes_first_over_one_connection_for_each_host(
    tmp_path: Path, hosts: tuple[Host, ...]
) -> None:
    """By depends_on and not by name; a host that failed keeps back only what needs it, and the next apply goes on."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": hosts[0], "rs3000": hosts[1]})
    add(repo, "a-api", "platformctl-lab/web:1", needs=["z-db"])
    add(repo, "b-log", "platformctl-lab/sleeper:1")
    add(repo, "z-db", "platformctl-lab/crash:1", host="rs3000")
    index = index_of(repo)
    before = [host.sh("grep -c 'Accepted publickey' /var/log/sshd.log || :") for host in hosts[:2]]

    ended = repo.apply(index, "--keep-going", "--result-file", tmp_path / "result.json", expect=13)

    assert [(each["module"], each["status"]) for each in ended.json["outcomes"]] == [
        ("b-log", "applied"),
        ("z-db", "rolled_back"),
        ("a-api", "skipped"),
    ]
    assert ended.json["outcomes"][2]["reason"] == "needs z-db"
    written = json.loads((tmp_path / "result.json").read_text())
    assert (written["outcome"], written["hosts"]) == ("partial", ["rs2000", "rs3000"])
    assert [each["exit_code"] for each in written["modules"]] == [9, 11, None]
    after = [host.sh("grep -c 'Accepted publickey' /var/log/sshd.log || :") for host in hosts[:2]]
    assert [int(b) - int(a) for a, b in zip(before, after, strict=True)] == [1, 1]

    add(repo, "z-db", "platformctl-lab/sleeper:1", host="rs3000")
    again = repo.apply(index_of(repo))

    assert {each["module"]: each["status"] for each in again.json["outcomes"]} == {
        "a-api": "applied",
        "z-db": "applied",
    }
    assert again.stderr.index("z-db: settled") < again.stderr.index("a-api: locked")


def test_a_plan_that_may_not_run_keeps_all_hosts_from_being_reached(tmp_path: Path, hosts: tuple[Host, ...]) -> None:
    """All that this machine can tell is told before anything is touched: P59 for an index."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": hosts[0], "rs3000": hosts[1]})
    add(repo, "a-good", "platformctl-lab/web:1")
    add(repo, "b-bad", "platformctl-lab/web:1", host="rs3000")
    index = index_of(repo)
    (listed,) = (path for path in (repo.root / ".platform/plans").glob("*.json") if is_plan_of("b-bad", path))
    listed.write_text(listed.read_text().replace('"payload":"', '"payload":"A', 1))
    hosts[0].sh(": >/var/log/sshd.log")
    with untouched(hosts[0]), untouched(hosts[1]):
        ended = repo.apply(index, expect=65)
    assert ended.json["skipped"] == ["a-good"]
    assert host_was_left_alone(hosts[0])


def test_asked_to_stop_ends_what_is_under_way_and_begins_nothing(tmp_path: Path, hosts: tuple[Host, ...]) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": hosts[0], "rs3000": hosts[1]})
    add(repo, "a-first", "platformctl-lab/web:1")
    add(repo, "b-second", "platformctl-lab/web:1", host="rs3000")
    index = index_of(repo)
    with held_up(hosts[0], STARTS) as compose, untouched(hosts[1]):
        process = repo.start("apply", index, "--approved-sha", repo.head, "--json")
        compose.arrived()
        process.send_signal(signal.SIGTERM)
        compose.let_go()
        stdout, stderr = process.communicate(timeout=90)
    assert process.returncode == 11, stdout + stderr
    report = json.loads(stdout)
    assert [(each["module"], each["status"]) for each in report["outcomes"]] == [
        ("a-first", "rolled_back"),
        ("b-second", "skipped"),
    ]
    assert hosts[0].docker("ps", "-aq") == ""


def test_a_key_that_may_not_sign_receipts_keeps_all_hosts_from_being_reached(
    tmp_path: Path, hosts: tuple[Host, ...]
) -> None:
    """It is tried once for all plans, as a security key is touched for each signature."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": hosts[0], "rs3000": hosts[1]})
    add(repo, "first", "platformctl-lab/web:1")
    add(repo, "second", "platformctl-lab/sleeper:1", host="rs3000")
    index = index_of(repo)
    hosts[0].sh(": >/var/log/sshd.log")

    ended = repo.apply(index, "--key", repo.keys / "planner_ed25519", expect=5)

    refusal(ended, 5, "signer")
    assert host_was_left_alone(hosts[0])
