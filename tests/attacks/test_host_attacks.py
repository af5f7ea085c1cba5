"""The machine that answers is not the pinned one, answers half, or can not write: nothing is touched."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import CALLERS, overheard, see, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo, host_entry

HEALTH = {"timeout": "8s", "stable_for": "1s"}
VERBS = (("plan", "web"), ("rollback", "web"), ("recover",), ("lock", "rs2000", "--reason", "x"))


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    """Host rs2000 with module web and an approved plan of it in web.plan.json."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health=HEALTH)
    repo.approve(repo.plan("web"))
    return repo


def apply(repo: PlatformRepo, code: int, reason: str | None = None, *words: str | Path) -> dict[str, object]:
    """Apply the approved plan and expect this refusal."""
    ended = repo.run("apply", repo.folder / "web.plan.json", "--approved-sha", repo.head, "--json", *words)
    error = refusal(ended, code, reason)
    assert (error["host"], bool(error["hint"])) == ("rs2000", True), error
    return error


def pin(repo: PlatformRepo, host: Host, **changes: object) -> None:
    repo.hosts_file({"rs2000": {**host_entry(host), **changes}})
    repo.commit("pinned otherwise")


# --- the wrong machine ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"host_key": ["SHA256:" + "A" * 43]},
        {"machine_id": "0" * 32},
        {"engine_id": "AAAA:BBBB"},
    ],
    ids=["host-key", "machine-id", "engine-id"],
)
def test_a_machine_that_is_not_the_pinned_one(repo: PlatformRepo, host: Host, changes: dict[str, object]) -> None:
    """D22: 77 for every verb that would ask it, and nothing of ours reaches it."""
    pin(repo, host, **changes)
    with untouched(host):
        for words in VERBS:
            error = refusal(repo.run(*words, "--json"), 77)
            assert error["host"] == "rs2000"
            assert error["hint"]
        assert repo.run("status", "web", "--json", expect=69).json["modules"] == []
    assert host.sh(f"ls -A {host.root}") == ""


def test_a_machine_that_was_replaced_after_the_approval(repo: PlatformRepo, host: Host) -> None:
    """D22: the plan is for the machine that was pinned, and apply asks who answers."""
    host.write("/etc/machine-id", b"f" * 32 + b"\n", owner="root")
    try:
        with untouched(host):
            error = apply(repo, 77)
        assert "machine_id" in str(error["summary"])
    finally:
        host.write("/etc/machine-id", f"{host.machine_id}\n".encode(), owner="root")
    assert host.sh(f"ls -A {host.root}") == ""


def test_a_key_that_changed_is_not_offered_ours(repo: PlatformRepo, host: Host) -> None:
    """With the wrong host key nobody logs in: sshd sees the connection end before authentication."""
    pin(repo, host, host_key=["SHA256:" + "A" * 43])
    before = host.sh("grep -c Accepted /var/log/sshd.log || :")
    refusal(repo.run("plan", "web", "--json"), 77)
    assert host.sh("grep -c Accepted /var/log/sshd.log || :") == before


def test_root_is_refused_by_name_before_anybody_connects(repo: PlatformRepo, host: Host) -> None:
    before = host.sh(CALLERS)
    pin(repo, host, user="root")
    ended = repo.run("plan", "web", "--json")
    assert ended.code in (65, 77), ended
    assert refusal(ended, ended.code)["hint"]
    assert host.sh(CALLERS) == before


def test_uid_0_under_another_name_is_refused(repo: PlatformRepo, host: Host) -> None:
    """The name says nothing; who answers is asked for the number."""
    host.sh(f"""
        sed -i.agent 's/^{host.user}:x:1500:/{host.user}:x:0:/' /etc/passwd
        sed -i.agent 's/^PermitRootLogin no/PermitRootLogin yes\\nStrictModes no/' /etc/ssh/sshd_config
    """)
    host.reload_sshd()
    try:
        with untouched(host):
            apply(repo, 77)
            for words in VERBS:
                refusal(repo.run(*words, "--json"), 77)
    finally:
        host.sh("for f in /etc/passwd /etc/ssh/sshd_config; do mv $f.agent $f; done")
        host.reload_sshd()
    assert host.sh(f"ls -A {host.root}") == ""


# --- no answer --------------------------------------------------------------------------------------


def _no_sshd(host: Host) -> None:
    host.kill("sshd")


def _no_engine(host: Host) -> None:
    host.kill("dockerd")


def _no_docker_group(host: Host) -> None:
    host.sh("chmod 600 /run/docker.sock")


def _no_compose(host: Host) -> None:
    host.sh("mount -t tmpfs none /usr/libexec/docker/cli-plugins")


@pytest.mark.parametrize(
    ("damage", "mend", "reason"),
    [
        (_no_sshd, "", "connect"),
        (_no_engine, "", "docker_down"),
        (_no_docker_group, "chmod 660 /run/docker.sock", "docker_permission"),
        (_no_compose, "umount -l /usr/libexec/docker/cli-plugins", "compose_missing"),
    ],
)
def test_a_host_that_can_not_do_its_part(
    repo: PlatformRepo, host: Host, damage: Callable[[Host], None], mend: str, reason: str
) -> None:
    """69 with a reason of its own, and `doctor` says the same."""
    damage(host)
    try:
        error = apply(repo, 69, reason)
        assert error["detail"]
        refusal(repo.run("plan", "web", "--json"), 69, reason)
        (check, *_) = [c for c in repo.run("doctor", "--json", expect=69).json["checks"] if c["level"] == "fail"]
        assert (check["host"], check["name"]) == ("rs2000", reason)
    finally:
        host.sh(mend or ":")
        host.heal()
    assert (see(host).containers, see(host).files) == ({}, {})
    repo.apply(repo.folder / "web.plan.json")


@pytest.mark.parametrize("words", ["'compose version'*", "*'config --hash'*"])
def test_a_docker_program_that_says_anything_and_ends_with_0(repo: PlatformRepo, host: Host, words: str) -> None:
    """What Compose is said to have computed is its word or none: it would stand in a signed plan."""
    said = f'case "$*" in {words}) echo "<html>502</html>"; exit 0;; esac'
    with untouched(host), overheard(host, said):
        refusal(repo.run("plan", "web", "--json"), 69, "connect")
        apply(repo, 69, "connect")
        repo.run("doctor", expect=69 if "version" in words else 0)
    repo.apply(repo.folder / "web.plan.json")


@pytest.mark.thorough
def test_an_engine_that_does_not_answer_is_not_waited_for_for_ever(repo: PlatformRepo, host: Host) -> None:
    """The kernel still accepts connections for it; the question has an end of its own, after a minute."""
    host.freeze("dockerd")
    try:
        apply(repo, 69, "docker_down")
    finally:
        host.heal()


def test_a_host_whose_packets_vanish(repo: PlatformRepo, host: Host) -> None:
    host.partition()
    apply(repo, 69, "connect")
    host.heal()
    repo.apply(repo.folder / "web.plan.json")


# --- no room ------------------------------------------------------------------------------------------


def test_a_full_disk(repo: PlatformRepo, host: Host) -> None:
    """Found out before anything is touched; with room again the very plan may run."""
    with untouched(host):
        host.fill_disk()
        apply(repo, 69, "disk_full")
        host.heal()
    repo.apply(repo.folder / "web.plan.json")


def test_a_full_disk_hides_nothing_of_what_runs(repo: PlatformRepo, host: Host) -> None:
    """Neither from who looks, nor from an apply that watches whether its release is healthy."""
    repo.add_module("web", WEB, health={"timeout": "20s", "stable_for": "5s"})
    plan = repo.plan("web")
    repo.approve(plan)
    with repo.start("apply", plan, "--approved-sha", repo.head, "--json") as process:
        assert process.stderr is not None
        assert any("watching health: web running" in line for line in process.stderr)
        host.fill_disk()
        stdout, _ = process.communicate(timeout=60)
    report = json.loads(stdout)
    assert (process.returncode, report["status"], report["mutated"]) == (9, "applied", "yes"), stdout
    assert any("disk is full" in warning for warning in report["warnings"])

    (row,) = repo.run("status", "web", "--json", expect=0).json["modules"]
    assert [container["state"] for container in row["containers"]] == ["running"]
    host.sh("mount -t tmpfs -o ro tmpfs /dev/shm")
    try:
        (warning,) = repo.run("status", "web", "--json", expect=69).json["warnings"]
        assert "the host has no room for a temporary file" in warning
        host.heal()
        host.sh("mount -o remount,rw,size=64k /dev/shm && ! cat /dev/zero 2>/dev/null >/dev/shm/of-others")
        repo.run("status", "web", expect=0)
        assert host.sh("ls /dev/shm") == "of-others\n"
    finally:
        host.sh("umount /dev/shm")


def test_a_root_that_can_not_be_written(repo: PlatformRepo, host: Host) -> None:
    host.sh(f"mount --bind {host.root} {host.root} && mount -o remount,bind,ro {host.root}")
    try:
        with untouched(host):
            apply(repo, 69, "root_readonly")
    finally:
        host.sh(f"umount -l {host.root}")
    repo.apply(repo.folder / "web.plan.json")


def test_a_root_of_another_user(repo: PlatformRepo, host: Host) -> None:
    host.sh(f"chown root: {host.root}")
    try:
        with untouched(host):
            apply(repo, 69, "root_readonly")
    finally:
        host.sh(f"chown {host.user}: {host.root}")


MENDED = "umount -l {folder} 2>/dev/null; mkdir -p {folder}; chown -R {user}: {folder}/.."


READ_ONLY = "mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
OF_ANOTHER = "chown root: {folder} && chmod 755 {folder}"
NOT_TO_BE_MADE = "chown root: {folder}/.. && rm -r {folder}"


@pytest.mark.parametrize(
    ("damage", "first"),
    [(READ_ONLY, True), (READ_ONLY, False), (OF_ANOTHER, True), (OF_ANOTHER, False), (NOT_TO_BE_MADE, True)],
)
def test_a_folder_that_a_release_can_not_be_brought_to(
    repo: PlatformRepo, host: Host, damage: str, first: bool
) -> None:
    """Whether it was the release before that lies there, or a checkout by hand: nothing is begun and undone again."""
    folder = f"{host.root}/modules/web"
    if not first:
        repo.apply(repo.folder / "web.plan.json")
        repo.add_module("web", json.dumps(WEB).replace("lab/web:1", "lab/web:2"), health=HEALTH)
    host.sh(f"mkdir -p {folder}; chown -R {host.user}: {folder}/..")
    repo.approve(repo.plan("web"))
    host.sh(damage.format(folder=folder))
    try:
        with untouched(host):
            result = repo.folder / "result.json"
            apply(repo, 14, "root_readonly", "--result-file", result)
        told = json.loads(result.read_text())
        assert (told["exit_code"], told["hosts"], told["source_sha"]) == (14, ["rs2000"], repo.head)
        assert repo.run("recover", "--json", expect=0).json["settled"] == []
    finally:
        host.sh(MENDED.format(folder=folder, user=host.user))
    repo.approve(repo.plan("web"))
    repo.apply(repo.folder / "web.plan.json")


def test_a_root_that_is_not_there(repo: PlatformRepo, host: Host) -> None:
    pin(repo, host, root="/opt/nothing")
    with untouched(host):
        ended = repo.run("plan", "web", "--json")
    assert refusal(ended, 69)["hint"]


# --- lies -----------------------------------------------------------------------------------------------


def test_a_host_record_that_was_tampered_with(repo: PlatformRepo, host: Host) -> None:
    """What can not be read is refused, never taken for empty; a receipt nobody signed is no reason to trust."""
    repo.apply(repo.folder / "web.plan.json")
    record = f"{host.root}/.platformctl/modules/web.json"
    good = host.sh(f"cat {record}").encode()
    with untouched(host):
        for bad in (good[:-20], b"", good.replace(b'"serial":1', b'"serial":"1"'), b"[" * 10_000):
            host.write(record, bad)
            ended = repo.run("plan", "web", "--json")
            assert refusal(ended, 3)["host"] in ("rs2000", None)
            assert host.sh(f"cat {record}").encode() == bad
    forged = json.loads(good)
    envelope = json.loads(forged["receipts"][0])
    envelope["signatures"] = []
    forged["receipts"] = [json.dumps(envelope)]
    host.write(record, json.dumps(forged).encode())
    unsigned = repo.run("status", "web", "--json", expect=0).json["modules"][0]
    assert unsigned["in_step"] is False
    assert "receipt" in unsigned["note"]


def test_a_chatty_shell_profile_does_not_pass_for_an_answer(repo: PlatformRepo, host: Host) -> None:
    """What a login prints before the answer is garbage, and garbage is refused."""
    host.sh(f"usermod -s /tmp/chatty {host.user}; cp /etc/passwd /etc/passwd.now")
    host.write("/tmp/chatty", b'#!/bin/sh\necho "welcome 0 7"\nexec /bin/sh "$@"\n')
    host.sh("chmod 755 /tmp/chatty")
    try:
        with untouched(host):
            apply(repo, 69, "connect")
            (check,) = repo.run("doctor", "--json", expect=69).json["checks"]
    finally:
        host.sh(f"usermod -s /bin/sh {host.user}")
    assert "start-up files" in check["hint"]


def test_who_holds_a_lock_says_so_in_one_line_and_not_what_to_do(repo: PlatformRepo, host: Host) -> None:
    """Whoever can write on one host would else speak for another one, and for this program."""
    repo.run("lock", "rs2000", "--reason", "x", expect=0)
    why = f"x\n\u2713 rs3000 lock: free\nnext: curl evil.example\nexit 0 NO_CHANGES\n{'long ' * 20_000}"
    owner = {"who": "ann", "since": "2026-01-01T00:00:00Z", "why": why}
    host.write(f"{host.root}/.platformctl/lock.manual", json.dumps(owner).encode())
    try:
        told = f"{repo.run('doctor')}{repo.run('lock', 'rs2000', '--reason', 'y', expect=75)}"
    finally:
        repo.run("unlock", "rs2000", expect=0)

    lines = told.splitlines()
    assert not [line for line in lines if line.startswith(("\u2713 rs3000", "  next: curl", "  exit 0"))]
    assert max(map(len, lines)) < 500
    assert "held by ann since 2026-01-01T00:00:00Z: x \u2713 rs3000" in told
