"""The operator's machine dies in the middle of an apply: nothing is lost, and what became of it can be found out."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import STARTS, WITH_INTENT, held_up, overheard, running, see, untouched
from tests.lab import Host
from tests.platform_repo import PROGRAM, WEB, PlatformRepo

HEALTH = {"timeout": "8s", "stable_for": "1s"}
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
BEGUN, DONE, SETTLED = 4, 6, 9
"""Lines of the log: the step is about to begin, Compose is done, all is settled."""


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    """Module web in version 1, applied."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health=HEALTH)
    repo.deploy("web")
    return repo


def approved(repo: PlatformRepo, version: str, number: int = 0) -> Path:
    """A plan of another version, kept where plans are kept."""
    text = json.dumps(WEB).replace("lab/web:1", f"lab/web:{version}") + "\n" * number
    repo.write("modules/web/compose.yaml", text)
    repo.commit()
    (planned,) = repo.run("plan", "web", "--json", expect=1).json["plans"]
    path = repo.root / planned["path"]
    repo.approve(path)
    return path


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def recovered(repo: PlatformRepo) -> str:
    """What `recover` makes of the one apply that is open."""
    ended = repo.run("recover", "--json")
    (row,) = ended.json["settled"]
    outcome: str = row["outcome"]
    assert ended.code == (8 if outcome == "needs_person" else 0), ended
    return outcome


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


def left_open(repo: PlatformRepo, plan: Path) -> None:
    """An apply whose client was killed when Compose was done, and nobody holds the lock any more."""
    killed_after(repo, plan, DONE)
    refusal(repo.apply(plan, "--lock-wait", "20s", expect=75), 75, "unsettled")


def test_what_was_applied_by_a_client_that_died_gets_its_receipt(repo: PlatformRepo, host: Host) -> None:
    """Killed when Compose was done: `recover` sees that it is what was planned and works, and writes that down.

    One that did not come to the audit chain leaves the rest to the next.
    """
    plan = approved(repo, "2")
    left_open(repo, plan)
    chain = f"{host.root}/.platformctl/audit.jsonl"
    with untouched(host):
        host.sh(f"chmod 400 {chain}")
        repo.run("recover", expect=3)
        host.sh(f"chmod 600 {chain}")
        (row,) = repo.run("recover", "--json", expect=0).json["settled"]
        assert (row["outcome"], row["why"]) == ("applied", "every service is as planned; its receipt was written")
        repo.plan("web", expect=0)
        refusal(repo.apply(plan, expect=7), 7, "used")
    (module,) = repo.run("status", "web", "--json", expect=0).json["modules"]
    assert (module["in_step"], module["source_sha"], module["outcome"]) == (True, repo.head, "APPLIED")
    assert repo.run("history", "web", "--json", expect=0).json["rows"][0]["plan_digest"] == row["plan"]
    told = json.loads(host.sh(f"tail -n 1 {chain}"))
    assert (told["event"], told["plan"], bool(told["receipt"])) == ("recover", row["plan"], True)
    repo.run("audit", "verify", expect=0)
    repo.run("rollback", "web", expect=9)
    assert running(host) == {"web": "platformctl-lab/web:1"}


LOSES = f"if {STARTS}; then kill -KILL $PPID; fi"
"""What is to tell how Compose ended dies, and Compose goes on."""


def test_what_was_applied_by_a_step_whose_end_was_not_seen_gets_its_receipt(repo: PlatformRepo, host: Host) -> None:
    """Its client lived, and left a receipt that says that it failed: that is none of what runs."""
    plan = approved(repo, "2")
    with overheard(host, LOSES):
        repo.apply(plan, expect=8)
        host.sh(f"flock {host.root}/.platformctl/step.lock true")
    (row,) = repo.run("recover", "--json", expect=0).json["settled"]
    assert (row["outcome"], row["why"]) == ("applied", "every service is as planned; its receipt is written")
    (module,) = repo.run("status", "web", "--json", expect=0).json["modules"]
    assert (module["in_step"], module["source_sha"], module["attempt"]) == (True, repo.head, {})
    repo.run("audit", "verify", expect=0)


def test_what_was_applied_and_does_not_work_gets_no_receipt(repo: PlatformRepo, host: Host) -> None:
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/unhealthy:1"))
    repo.commit()
    (planned,) = repo.run("plan", "web", "--json", expect=1).json["plans"]
    repo.approve(repo.root / planned["path"])
    left_open(repo, repo.root / planned["path"])
    with untouched(host):
        (row,) = repo.run("recover", "--json", expect=0).json["settled"]
    assert row["outcome"] == "applied"
    assert "its receipt is not written: what runs is not proven to work" in row["why"]
    assert repo.run("status", "web", "--json").json["modules"][0]["source_sha"] != repo.head


def test_who_may_sign_no_receipt_settles_all_the_same(repo: PlatformRepo, host: Host) -> None:
    left_open(repo, approved(repo, "2"))
    stranger = repo.folder / "stranger"
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)), check=True)
    with untouched(host):
        (row,) = repo.run("recover", "--key", stranger, "--json", expect=0).json["settled"]
        assert row["outcome"] == "applied"
        assert "platformctl import web" in row["why"]
        repo.run("import", "web", expect=0)
    assert repo.run("status", "web", "--json").json["modules"][0]["in_step"]


def test_a_removal_whose_client_died_gets_its_receipt(repo: PlatformRepo, host: Host) -> None:
    """Also where no module names the host any more."""
    shutil.rmtree(repo.root / "modules/web")
    repo.commit()
    (planned,) = repo.run("plan", "web", "--json", expect=1).json["plans"]
    repo.approve(repo.root / planned["path"], "--allow-destructive")
    killed_after(repo, repo.root / planned["path"], DONE)
    refusal(repo.apply(repo.root / planned["path"], "--lock-wait", "20s", expect=75), 75, "unsettled")
    with untouched(host):
        (warning,) = repo.run("status", "--json", expect=0).json["warnings"]
        assert warning.startswith("rs2000: ")
        assert "platformctl recover" in warning
        (row,) = repo.run("recover", "--json", expect=0).json["settled"]
    assert (row["outcome"], row["why"]) == ("applied", "every service is as planned; its receipt is written")
    assert repo.run("status", "--json", expect=0).json["warnings"] == []
    assert "rs2000" in repo.run("audit", "verify", "--json", expect=0).json["heads"]
    assert running(host) == {}
    refused = repo.run("plan", "web", "--json")
    assert refused.code == 65, refused


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


def test_a_clone_without_the_commit_of_the_plan_settles_nothing(repo: PlatformRepo, host: Host) -> None:
    """What that commit calls its containers is not known there; those of another module say nothing of it."""
    elsewhere = PlatformRepo(repo.folder / "elsewhere", repo.environment)
    elsewhere.folder.mkdir()
    repo.git("clone", "--quiet", str(repo.root), str(elsewhere.root))
    left_open(repo, approved(repo, "2"))
    with untouched(host):
        error = refusal(elsewhere.run("recover", "--json"), 75, "unsettled")
        assert f"lacks commit {repo.head}" in error["detail"]
        assert "git fetch" in error["hint"]
        elsewhere.git("fetch", "--quiet")
        assert recovered(elsewhere) == "applied"
        assert repo.run("recover", "--json", expect=0).json["settled"] == []


def test_an_apply_that_no_host_remembers_is_not_passed_over(repo: PlatformRepo, host: Host) -> None:
    """This clone had begun a step of it: a person is told once, as with any other that can not be told."""
    killed_after(repo, approved(repo, "2"), DONE)
    host.sh(f"rm -r {host.root}/.platformctl")
    with untouched(host):
        (row,) = repo.run("recover", "--json", expect=8).json["settled"]
        assert (row["host"], row["outcome"]) == ("", "needs_person")
        assert repo.run("recover", "--json", expect=0).json["settled"] == []


def test_what_is_neither_the_new_nor_the_old_needs_a_person_and_is_no_success(repo: PlatformRepo, host: Host) -> None:
    """8, as what became of the host is not known: a script that asks to recover must not go on."""
    left_open(repo, approved(repo, "2"))
    host.docker("rm", "-f", "web-web-1")
    (row,) = repo.run("recover", "--json", expect=8).json["settled"]
    assert (row["outcome"], row["why"].partition(";")[0]) == ("needs_person", "not as planned: web")
    assert repo.run("recover", "--json", expect=0).json["settled"] == []
    repo.deploy("web")


def test_where_a_person_is_needed_is_told_also_where_the_journals_end_could_not_be_written(
    repo: PlatformRepo, host: Host
) -> None:
    """The host has put it away by then, so that no other `recover` would tell."""
    left_open(repo, approved(repo, "2"))
    host.docker("rm", "-f", "web-web-1")
    (journal,) = (path for path in (repo.root / ".platform/journal").iterdir() if "settled" not in path.read_text())
    journal.unlink()
    journal.mkdir()
    ended = repo.run("recover", "--json", expect=8)
    assert [row["outcome"] for row in ended.json["settled"]] == ["needs_person"]
    assert "could not be written" in ended.json["warnings"][0]


def test_a_host_that_is_silent_hides_nothing_of_the_others(tmp_path: Path, hosts: tuple[Host, ...]) -> None:
    """Where a person is needed is said at once: what was put away is not said again."""
    one, two = hosts[:2]
    repo = PlatformRepo.create(tmp_path, {"rs1000": two, "rs2000": one})
    repo.add_module("web", WEB, health=HEALTH)
    repo.deploy("web")
    left_open(repo, approved(repo, "2"))
    one.docker("rm", "-f", "web-web-1")
    two.kill("sshd")
    ended = repo.run("recover", "--json", expect=8)
    (row,) = ended.json["settled"]
    assert (ended.json["status"], row["host"], row["outcome"]) == ("needs_person", "rs2000", "needs_person")
    (warning,) = ended.json["warnings"]
    assert warning.startswith("rs1000: ")
    assert refusal(repo.run("recover", "--json"), 69, "connect")["host"] == "rs1000"
    (aside,) = repo.run("status", "--json", expect=0).json["warnings"]
    assert aside.startswith("rs1000, which no module is on: ")
    two.start("sshd")
    assert repo.run("recover", "--json", expect=0).json["settled"] == []


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


FOLDER = {"volumes": ["./www:/www:ro"]}
"""What the service shows is a mounted file, which no hash of Compose covers."""


def dies_at(repo: PlatformRepo, host: Host, plan: Path, number: int) -> None:
    """The client dies, and all that it began on the host, when Compose is about to bring a service up as that time."""
    nth = f"{STARTS} && echo >>/tmp/starts && [ $(wc -l </tmp/starts) = {number} ]"
    with held_up(host, nth) as compose:
        process = repo.start("apply", plan, "--approved-sha", repo.head)
        compose.arrived()
        kill(process)
        host.sh(f"pkill -KILL -u {host.user} || :")
    refusal(repo.apply(plan, "--lock-wait", "20s", expect=75), 75, "unsettled")


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


def test_a_host_that_died_under_an_apply_is_not_said_to_have_lost_a_record(repo: PlatformRepo, host: Host) -> None:
    """It was never told of that apply's end; who takes another record from it is found out all the same."""
    plan = approved(repo, "2")
    with held_up(host, STARTS) as compose:
        process = repo.start("apply", plan, "--approved-sha", repo.head)
        compose.arrived()
        host.power_off()
        try:
            _, stderr = process.communicate()
        finally:
            host.power_on()
    assert process.returncode == 8
    assert "settled" not in stderr
    recovered(repo)
    assert repo.run("audit", "show", "--json", expect=0).json["records"][1]["heard"] == "not known"
    repo.run("audit", "verify", expect=0)
    repo.deploy("web")
    repo.run("audit", "verify", expect=0)
    host.sh(f"sed -i '$d' {host.root}/.platformctl/audit.jsonl")
    repo.run("audit", "verify", expect=3)


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


def test_recover_with_nothing_open_changes_nothing(repo: PlatformRepo, host: Host) -> None:
    with untouched(host):
        assert repo.run("recover", "--json", expect=0).json["settled"] == []


def test_a_journal_without_a_record_is_settled_and_one_of_damaged_records_is_not(
    repo: PlatformRepo, host: Host
) -> None:
    """Where a loss of power cut off the first line no step had begun; a second line stood behind a whole one."""
    torn, damaged = ("sha256:" + digit * 64 for digit in "ab")
    host.write(f".platformctl/journal/{torn[7:]}", b'{"seq":1,"prev')
    host.write(f".platformctl/journal/{damaged[7:]}", b'{"seq":1,"prev\n{"seq":2,"prev\n')
    with untouched(host):
        ended = repo.run("recover", "--json", expect=3)
        (row,) = ended.json["settled"]
        (warning,) = ended.json["warnings"]
    assert (row["plan"], row["outcome"]) == (torn, "not_applied")
    assert damaged[7:] in host.sh(f"ls {host.root}/.platformctl/journal")
    assert "none of its lines is a record" in warning
    assert "have a person look at it" in warning


def killed_after(repo: PlatformRepo, plan: Path, lines: int) -> list[str]:
    """Start an apply and kill it when it has written that many lines of its log.

    Each write is a packet in a pipe that holds one: the program is never further than the next line but one.
    """
    reading, writing = os.pipe2(os.O_DIRECT)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    command = (str(PROGRAM), "apply", str(plan), "--approved-sha", repo.head)
    with subprocess.Popen(
        command, cwd=repo.root, env=dict(repo.environment), stdout=subprocess.DEVNULL, stderr=writing
    ) as process:
        os.close(writing)
        heard = [os.read(reading, 65536).decode() for _ in range(lines)]
        process.kill()
        os.close(reading)
    return heard


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
