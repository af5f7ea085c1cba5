"""The rows of the requirements that one apply over real ssh can show; each test names its rows."""

import hashlib
import json
from pathlib import Path

import pytest

from platformctl.errors import ExitCode
from platformctl.workflows.pull_request import NOT_ASKED
from tests.e2e.refusals import refusal
from tests.e2e.witness import overheard, running, see, untouched
from tests.lab import Host
from tests.lab.images import ids
from tests.platform_repo import WEB, PlatformRepo, host_entry

COMPOSE = "modules/web/compose.yaml"
WEB_2, CRASH, UNHEALTHY = "platformctl-lab/web:2", "platformctl-lab/crash:1", "platformctl-lab/unhealthy:1"
SHORT = {"timeout": "8s", "stable_for": "1s"}


def web(image: str = "platformctl-lab/web:1", **more: object) -> str:
    return json.dumps({"services": {"web": {**WEB["services"]["web"], "image": image, **more}}})


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    """Host rs2000 with module web, nothing applied yet."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health=SHORT)
    return repo


def change(repo: PlatformRepo, text: str) -> str:
    repo.write(COMPOSE, text)
    return repo.commit()


def logins(host: Host) -> list[str]:
    """Who sshd let in or turned away."""
    lines = host.sh("cat /var/log/sshd.log").splitlines()
    return [line for line in lines if line.startswith(("Accepted", "Connection from", "Failed", "Invalid"))]


def test_apply_runs_compose_up_for_the_declared_service_and_nothing_else(repo: PlatformRepo, host: Host) -> None:
    """P1, P4, P6, P19, P51: exactly this argv, in the root, with the file as it was committed."""
    with overheard(host) as heard:
        repo.deploy("web")

    file = f"{host.root}/{COMPOSE}"
    prefix = ("compose", "-f", file, "-p", "web", "--project-directory", str(Path(file).parent))
    up = ("--env-file", "/dev/null", "up", "-d", "--no-build", "--pull", "never", "--", "web")
    assert [(told.folder, told.words) for told in heard.composed()] == [(host.root, (*prefix, *up))]
    assert see(host).files == {COMPOSE: hashlib.sha256((repo.root / COMPOSE).read_bytes()).hexdigest()}
    assert host.http(8080) == (200, "version 1\n")


def test_only_the_agent_ever_logs_in(repo: PlatformRepo, host: Host) -> None:
    """P2."""
    seen = len(logins(host))
    repo.deploy("web")
    new = logins(host)[seen:]
    assert len(new) >= 2
    assert all(line.startswith(f"Accepted publickey for {host.user} ") for line in new)


def test_apply_goes_nowhere_while_the_gate_is_closed(repo: PlatformRepo, host: Host) -> None:
    """P3: it says what it would run, and sshd hears nothing."""
    plan = repo.plan("web")
    repo.approve(plan)
    seen = len(logins(host))
    with untouched(host):
        closed = repo.run("apply", plan, "--approved-sha", repo.head, "--json", PLATFORMCTL_PHASE="04")
    assert "up -d" in refusal(closed, 4, "phase")["detail"]
    assert len(logins(host)) == seen
    repo.run("apply", plan, "--approved-sha", repo.head, expect=9, PLATFORMCTL_PHASE="05")


def test_words_with_shell_characters_stay_words(repo: PlatformRepo, host: Host) -> None:
    """P4: what a manifest says is an argument, never a piece of a command line."""
    hostile = "x'; touch /tmp/pwned; echo $(touch /tmp/pwned) `touch /tmp/pwned` \"& | >"
    repo.add_module("web", WEB, health=SHORT, env={"set": {"MOTTO": hostile.replace("$", "$$")}})
    with overheard(host) as heard:
        repo.deploy("web")
    assert "pwned" not in host.sh("ls /tmp")
    assert [told.words[-2:] for told in heard.composed()] == [("--", "web")]


@pytest.mark.parametrize(
    ("field", "value"), [("compose_service", "web; id"), ("compose_service", "$(id)"), ("compose_file", "a`id`.yaml")]
)
def test_a_manifest_with_shell_characters_in_a_name_is_refused(repo: PlatformRepo, field: str, value: str) -> None:
    """P4."""
    runtime = {"orchestrator": "docker-compose", "compose_file": COMPOSE, field: value}
    repo.add_module("web", WEB, runtime=runtime)
    assert repo.run("validate", "--json").code in (4, 65)
    assert repo.run("plan", "web").code in (4, 65)


def test_another_commit_than_the_approved_one_is_refused(repo: PlatformRepo, host: Host) -> None:
    """P8, P61."""
    plan = repo.plan("web")
    repo.approve(plan)
    planned = repo.head
    other = repo.commit("later")
    with untouched(host):
        for sha in (other, planned[:12], planned.upper(), "z" * 40, "abc", "HEAD", ""):
            refusal(repo.run("apply", plan, f"--approved-sha={sha}", "--json"), 5, "sha")
        repo.run("apply", plan, expect=2)
    repo.apply(plan, sha=planned)


def test_a_plan_of_uncommitted_files_can_not_be_applied(repo: PlatformRepo, host: Host) -> None:
    """P10."""
    repo.write(COMPOSE, web(WEB_2))
    plan = repo.plan("web")
    assert repo.run("show", plan, "--json").json["plan"]["source_dirty"] is True
    with untouched(host):
        assert refusal(repo.run("approve", plan, "--yes", "--json"), 5)["reason"] in ("dirty", "speculative")
        refused = repo.run("apply", plan, "--approved-sha", repo.head, "--json")
        assert refusal(refused, 5)["reason"] in ("dirty", "speculative")


def test_nothing_to_do_is_zero_and_runs_nothing(repo: PlatformRepo, host: Host) -> None:
    """P11, P14, P16: the first apply is 9, the second 0, and Compose is not told to do anything."""
    first = repo.deploy("web")
    assert (first.code, first.json["exit_code"], first.json["status"]) == (9, 9, "applied")
    with overheard(host) as heard, untouched(host):
        plan = repo.plan("web", expect=0)
        second = repo.apply(plan, expect=0)
    assert (second.json["exit_code"], second.json["status"], second.json["mutated"]) == (0, "no_changes", "no")
    assert second.json["applied"] == []
    assert heard.composed() == []


def test_the_plan_says_itself_whether_it_changes_something(repo: PlatformRepo) -> None:
    """P12."""
    report = repo.run("plan", "web", "--json", expect=1).json
    assert report["exit_code"] == report["plans"][0]["plan"]["exitCode"] == 1
    repo.deploy("web")
    assert repo.run("plan", "web", "--json", expect=0).json["plans"][0]["plan"]["exitCode"] == 0


def test_what_can_not_be_taken_back_needs_an_approval_that_says_so(repo: PlatformRepo, host: Host) -> None:
    """P13."""
    repo.add_module("web", WEB, health=SHORT, rollback={"strategy": "none"})
    plan = repo.plan("web")
    with untouched(host):
        refusal(repo.run("approve", plan, "--yes", "--json"), 6)
        refusal(repo.apply(plan, expect=5), 5, "approval_missing")
    repo.approve(plan, "--allow-destructive")
    repo.apply(plan)


def test_success_is_told_and_remembered_in_full(repo: PlatformRepo, host: Host) -> None:
    """P14, P15, P25, P29."""
    plan = repo.plan("web")
    repo.approve(plan)
    report = repo.apply(plan, "--approved-pr", "7").json
    assert report["applied"] == [{"module": "web", "host": "rs2000", "compose_service": "web"}]
    assert report["mutated"] == "yes"
    assert report["warnings"] == [NOT_ASKED]
    assert [c["image"] for c in report["containers"]] == [ids()["platformctl-lab/web:1"]]
    assert report["state_artifact"] == ".platform/state/modules/web.status.json"
    state = json.loads((repo.root / report["state_artifact"]).read_text())
    assert (state["last_apply_sha"], state["last_apply_pr"]) == (repo.head, 7)
    assert state["applied_at"].endswith("Z")
    assert state["plan_digest"] == report["plan_digest"]


def test_each_changed_module_gets_a_plan_of_its_own(repo: PlatformRepo, host: Host) -> None:
    """P18: two plans, and an index whose approval covers both."""
    repo.add_module("cache", {"services": {"cache": {"image": "platformctl-lab/sleeper:1"}}}, health=SHORT)
    report = repo.run("plan", "--all", "--json", expect=1).json
    plans = {planned["module"]: planned for planned in report["plans"]}
    assert {name: {c["target"] for c in p["plan"]["changes"]} for name, p in plans.items()} == {
        "cache": {"compose.service.cache"},
        "web": {"compose.service.web"},
    }
    repo.run("approve", report["index"], "--yes", expect=0)
    for planned in report["plans"]:
        repo.apply(repo.root / planned["path"])
    assert set(running(host)) == {"web", "cache"}


def test_a_link_on_the_host_leads_nowhere(repo: PlatformRepo, host: Host) -> None:
    """P22, P23: whoever may write below the root can not make the agent write elsewhere."""
    host.sh(f"mkdir /tmp/elsewhere; chown {host.user}: /tmp/elsewhere; ln -s /tmp/elsewhere {host.root}/modules")
    plan = repo.plan("web", expect=1)
    repo.approve(plan)
    with untouched(host):
        ended = repo.run("apply", plan, "--approved-sha", repo.head, "--json")
    refusal(ended, 14, "unsafe")
    assert host.sh("ls /tmp/elsewhere") == ""


def test_a_failing_service_is_never_success_and_the_last_good_one_is_known(repo: PlatformRepo, host: Host) -> None:
    """P30, P37, P58, D6: Compose itself ends with 0 here."""
    good = repo.deploy("web")
    container = see(host).containers["/web-web-1"]
    change(repo, web(UNHEALTHY))
    failed = repo.deploy("web", expect=11).json
    assert (failed["status"], failed["mutated"], failed["applied"]) == ("rolled_back", "yes", [])
    assert failed["rollback"] == "the previous release is back"
    assert any(not verdict["healthy"] for verdict in failed["health"])
    assert host.http(8080) == (200, "version 1\n")
    (row,) = repo.run("status", "web", "--json", expect=0).json["modules"]
    assert (row["source_sha"], row["outcome"]) == (good.json["source_sha"], "APPLIED")
    assert (row["attempt"]["source_sha"], row["attempt"]["outcome"]) == (repo.head, "ROLLED_BACK")
    assert f"last attempt {repo.head[:12]}" in row["note"]
    assert [c["id"] for c in row["containers"]] == [see(host).containers["/web-web-1"][0]]
    assert row["in_step"], "the release that status names is the one that runs"
    assert see(host).containers["/web-web-1"][1] == "running"
    assert see(host).containers["/web-web-1"] != container


def test_a_release_whose_answer_is_of_another_version_is_rolled_back(repo: PlatformRepo, host: Host) -> None:
    """P36: everything is healthy, and what answers is not what was released."""
    canary = {"url": f"http://{host.address}:8080/", "attempts": 1, "version": {"expect": "{tag}"}}
    repo.add_module("web", WEB, health=SHORT, canary=canary)
    assert repo.deploy("web").json["canary"]["body"] == "version 1\n"
    host.docker("tag", "platformctl-lab/web:1", "platformctl-lab/web:3")
    change(repo, web("platformctl-lab/web:3"))
    failed = repo.deploy("web", expect=11).json
    assert (failed["canary"]["ok"], failed["canary"]["reason"]) == (False, "the answer is not of version 3")
    assert failed["rollback"] == "the previous release is back"


def test_what_was_rolled_back_is_kept_from_trying_again(repo: PlatformRepo, host: Host) -> None:
    """P36: a crash loop is not success; and it is quarantined until somebody with an approver's key lifts that."""
    repo.deploy("web")
    change(repo, web(CRASH))
    assert repo.deploy("web", expect=11).json["quarantined"]
    with untouched(host):
        refusal(repo.run("plan", "web", "--json"), 4, "quarantined")
        host.sh(f"chmod 400 {host.root}/.platformctl/audit.jsonl")
        repo.run("unquarantine", "web", "--reason", "in no record", expect=3)
        refusal(repo.run("plan", "web", "--json"), 4, "quarantined")
        host.sh(f"chmod 600 {host.root}/.platformctl/audit.jsonl")
    repo.run("unquarantine", "web", "--reason", "another try", expect=0)
    repo.plan("web", expect=1)


def test_a_failed_first_deploy_leaves_nothing_behind(repo: PlatformRepo, host: Host) -> None:
    """P30: the way back of a first apply is nothing at all."""
    change(repo, web(CRASH))
    before = see(host)
    assert repo.deploy("web", expect=11).json["rollback"] == "what this apply created is gone"
    assert see(host) == before


def test_after_two_bad_releases_rollback_finds_the_good_one(repo: PlatformRepo, host: Host) -> None:
    """D7: the last release that was healthy, not the last that was there."""
    repo.add_module("web", WEB, health=SHORT, rollback={"strategy": "none"})
    good = repo.head
    for number, (image, code) in enumerate((("platformctl-lab/web:1", 9), (UNHEALTHY, 10), (UNHEALTHY, 10))):
        change(repo, web(image, environment={"GENERATION": str(number)}))
        plan = repo.plan("web", name=str(number))
        repo.approve(plan, "--allow-destructive")
        repo.apply(plan, expect=code)
        good = repo.head if code == 9 else good
    assert running(host) == {"web": UNHEALTHY}
    back = repo.run("rollback", "web", "--json", expect=9).json
    assert back["source_sha"] == good
    assert host.http(8080) == (200, "version 1\n")


def test_a_service_in_a_crash_loop_can_be_mended(repo: PlatformRepo, host: Host) -> None:
    """Whether Docker is just restarting it or not is no difference that makes a plan stale."""
    repo.add_module("web", None, health=SHORT, rollback={"strategy": "none"})
    for image, code in ((CRASH, 10), (WEB_2, 9)):
        change(repo, web(image))
        plan = repo.plan("web", name=str(code))
        repo.approve(plan, "--allow-destructive")
        repo.apply(plan, expect=code)
    assert host.http(8080) == (200, "version 2\n")


def test_with_strategy_none_a_person_is_called(repo: PlatformRepo, host: Host) -> None:
    """P57: left in place, and the log says where, why and that nobody else will mend it."""
    text = web(UNHEALTHY)
    repo.write(COMPOSE, text)
    repo.add_module("web", None, health=SHORT, rollback={"strategy": "none"})
    plan = repo.plan("web")
    repo.approve(plan, "--allow-destructive")
    ended = repo.run("apply", plan, "--approved-sha", repo.head, "--json", "--log-format", "json", expect=10)
    assert ended.json["status"] == "unhealthy"
    stub = next(json.loads(line) for line in ended.stderr.splitlines() if "ROLLBACK_STUB" in line)
    assert (stub["module"], stub["host"], stub["todo"]) == ("web", "rs2000", "manual recovery required")
    assert "unhealthy" in stub["reason"]
    assert running(host) == {"web": UNHEALTHY}


def test_a_host_that_nobody_allowed_is_not_connected_to(repo: PlatformRepo, host: Host) -> None:
    """P32, P60: the list is the committed one."""
    repo.add_module("web", None, host="evil", health=SHORT)
    seen = len(logins(host))
    repo.hosts_file({"rs2000": host_entry(host), "evil": host_entry(host)})
    assert refusal(repo.run("plan", "web", "--json"), 4, "host-allow-list")["host"] == "evil"
    assert len(logins(host)) == seen
    repo.commit("allow it")
    repo.plan("web", expect=1)


def test_without_a_readable_list_of_hosts_nothing_is_allowed(repo: PlatformRepo, host: Host) -> None:
    """P33."""
    seen = len(logins(host))
    repo.write(".platform/hosts.yaml", "hosts: [not, a, mapping]\n")
    repo.commit()
    assert refusal(repo.run("plan", "web", "--json"), 65)["file"] == ".platform/hosts.yaml"
    (repo.root / ".platform/hosts.yaml").unlink()
    repo.commit()
    assert refusal(repo.run("plan", "web", "--json"), 3)["file"] == ".platform/hosts.yaml"
    assert len(logins(host)) == seen


def test_unapproved_plans_do_not_run(repo: PlatformRepo, host: Host) -> None:
    """P8, P47."""
    plan = repo.plan("web")
    with untouched(host):
        repo.run("apply", plan, expect=2)
        refusal(repo.apply(plan, expect=5), 5, "approval_missing")


def test_the_codes_are_the_same_everywhere(repo: PlatformRepo) -> None:
    """P56."""
    table = repo.run("exit-codes", "--json", expect=0).json
    told = {row["code"]: row["name"] for row in table["codes"]}
    assert told == {int(code): code.name for code in ExitCode}


def test_a_release_is_applied_whole_or_not_at_all(repo: PlatformRepo, host: Host) -> None:
    """P59: a good change of db does not stay when api, of the same plan, fails."""
    db, api = "platformctl-lab/sleeper:1", {"image": "platformctl-lab/web:1", "depends_on": ["db"]}
    pair = {"services": {"db": {"image": db, "environment": {"GENERATION": "one"}}, "api": api}}
    runtime = {"orchestrator": "docker-compose", "compose_file": "modules/api/compose.yaml", "compose_service": "api"}
    repo.add_module("api", pair, runtime=runtime, health=SHORT)
    repo.deploy("api")
    second = {"services": {"db": {"image": db, "environment": {"GENERATION": "two"}}, "api": {**api, "image": CRASH}}}
    repo.write("modules/api/compose.yaml", json.dumps(second))
    repo.commit()
    failed = repo.deploy("api", expect=11).json
    assert failed["applied"] == []
    assert running(host) == {"db": "platformctl-lab/sleeper:1", "api": "platformctl-lab/web:1"}
    assert "GENERATION=one" in host.docker("inspect", "--format", "{{.Config.Env}}", "api-db-1")


def test_a_tag_that_moved_since_the_plan_makes_it_stale(repo: PlatformRepo, host: Host) -> None:
    """Step 7 of docs/architecture.md: planning again gives another answer, and it says which."""
    plan = repo.plan("web")
    repo.approve(plan)
    host.docker("tag", WEB_2, "platformctl-lab/web:1")
    with untouched(host):
        stale = refusal(repo.apply(plan, expect=7), 7, "changed")
    assert "images" in stale["detail"]


def test_a_container_changed_by_hand_since_the_plan_makes_it_stale(repo: PlatformRepo, host: Host) -> None:
    """Step 7."""
    repo.deploy("web")
    change(repo, web(WEB_2))
    plan = repo.plan("web")
    repo.approve(plan)
    host.docker("rm", "-f", "web-web-1")
    with untouched(host):
        stale = refusal(repo.apply(plan, expect=7), 7, "changed")
    assert "changes.web.action: recreate, now create" in stale["detail"]


def test_a_merged_change_of_the_module_supersedes_the_plan(repo: PlatformRepo, host: Host) -> None:
    """Step 4 of docs/architecture.md; commits that leave the module alone void nothing."""
    plan = repo.plan("web")
    repo.approve(plan)
    planned = repo.head
    change(repo, web(WEB_2))
    with untouched(host):
        refusal(repo.apply(plan, sha=planned, expect=7), 7, "superseded")
    change(repo, json.dumps(WEB, indent=2) + "\n")
    repo.write("README", "something else")
    repo.commit()
    repo.apply(plan, sha=planned)
