"""Exit code 1 says that a plan has changes, and nothing else may ever say it by accident."""

import json
import os
import pty
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import STARTS, UNDER_LOCK, held_up, running, see, untouched
from tests.lab import Host
from tests.platform_repo import PROGRAM, WEB, PlatformRepo

HEALTH = {"timeout": "8s", "stable_for": "1s"}


@pytest.fixture
def bare(tmp_path: Path) -> PlatformRepo:
    """Module web for a host that nobody will reach."""
    repo = PlatformRepo.create(tmp_path)
    repo.add_module("web", WEB, host="local", health=HEALTH)
    return repo


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    """Module web on a lab host, nothing applied yet."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health=HEALTH)
    return repo


@pytest.fixture
def listener(bare: PlatformRepo) -> Iterator[socket.socket]:
    """Something that takes connections as the module's host and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        entry = {"transport": "ssh", "address": "127.0.0.1", "port": server.getsockname()[1], "user": "agent"}
        pins = {"root": "/opt/platform", "host_key": ["SHA256:" + "A" * 43], "machine_id": "0" * 32}
        bare.hosts_file({"local": {**entry, **pins}})
        bare.commit()
        yield server


# --- mistakes of ours and of the installation -----------------------------------------------------


@pytest.mark.parametrize("module", ["click", "yaml", "platformdirs"])
@pytest.mark.parametrize("failure", ["raise ImportError('torn')", "raise SystemExit(1)", "raise KeyboardInterrupt"])
def test_a_module_that_can_not_be_imported_is_three(bare: PlatformRepo, module: str, failure: str) -> None:
    """A torn installation: what is imported first comes from a folder that is put before it."""
    folder = bare.folder / "torn"
    folder.mkdir()
    (folder / f"{module}.py").write_text(failure + "\n")
    ended = bare.run("plan", "web", PYTHONPATH=str(folder))
    assert ended.code == (130 if "Keyboard" in failure else 3), ended
    assert "Traceback" not in ended.stderr
    assert ended.stderr or ended.code == 130


def test_no_home_no_path_no_terminal_is_never_one(bare: PlatformRepo) -> None:
    for environment in (
        {"PATH": "/nonexistent"},
        {"HOME": "/nonexistent"},
        {"HOME": ""},
        {"LANG": "C", "LC_ALL": "POSIX"},
    ):
        for words in (("validate",), ("plan", "web"), ("status",), ("exit-codes",)):
            ended = bare.run(*words, expect=None, stdin="", **environment)
            assert ended.code != 1, ended
            assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "words",
    [("nonsense",), ("plan", "--nonsense"), ("apply",), ("-C",), ("-o", "xml", "plan"), ("plan", "--expires-in", "x")],
)
def test_usage_errors_are_two_in_both_forms(bare: PlatformRepo, words: tuple[str, ...]) -> None:
    assert "exit 2 USAGE" in bare.run(*words, expect=2).stderr
    refusal(bare.run("--json", *words), 2)


# --- whoever reads goes away ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("exit-codes",), ("validate",), ("validate", "--json"), ("--help",), ("schema", "module")]
)
def test_a_reader_who_went_away_changes_no_exit_code(bare: PlatformRepo, words: tuple[str, ...]) -> None:
    """`platformctl … | head -c0`."""
    expected = bare.run(*words).code
    reading, writing = os.pipe()
    os.close(reading)
    for complaints in (writing, subprocess.PIPE):
        ended = subprocess.run(
            (str(PROGRAM), *words),
            cwd=bare.root,
            env=dict(bare.environment),
            check=False,
            timeout=60,
            stdout=writing,
            stderr=complaints,
        )
        assert ended.returncode == expected
        assert b"Traceback" not in (ended.stderr or b"")
    os.close(writing)


@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", "<&-", ">/dev/full", ">/dev/full 2>/dev/full"])
def test_streams_that_are_closed_or_full_are_never_one(bare: PlatformRepo, redirection: str) -> None:
    for words in ("exit-codes", "validate --json", "--version", "plan nothing", "--help"):
        command = f'"{PROGRAM}" {words} {redirection}'
        ended = subprocess.run(
            ("sh", "-c", command),
            cwd=bare.root,
            env=dict(bare.environment),
            check=False,
            capture_output=True,
            timeout=60,
        )
        assert ended.returncode in (0, 3, 65, 69), f"{command}: {ended}"
        assert b"Traceback" not in ended.stderr


# --- people who change their mind ---------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, {130}), (signal.SIGTERM, {143, -signal.SIGTERM})])
def test_a_plan_that_is_interrupted(
    bare: PlatformRepo, listener: socket.socket, number: signal.Signals, code: set[int]
) -> None:
    process = bare.start("plan", "web", "--json")
    listener.settimeout(60)
    connection, _ = listener.accept()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    connection.close()
    assert process.returncode in code, stdout + stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"\x04", b"\x03"], ids=["no", "enter", "end-of-file", "ctrl-c"])
def test_a_question_that_is_not_answered_with_yes(repo: PlatformRepo, host: Host, answer: bytes) -> None:
    plan = repo.plan("web")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        (str(PROGRAM), "approve", str(plan)),
        cwd=repo.root,
        env=dict(repo.environment),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: os.login_tty(theirs) if hasattr(os, "login_tty") else None,
    )
    os.close(theirs)
    shown = b""
    while b"approve web on rs2000?" not in shown:
        shown += os.read(ours, 4096)
    assert _answered(process, ours, answer) == 130, shown
    os.close(ours)
    assert not (repo.root / ".platform/approvals").exists()


def _answered(process: subprocess.Popen[bytes], terminal: int, answer: bytes) -> int:
    """Type until it is heard: a signal that comes as Python is about to read is noticed with the next key alone."""
    for _ in range(12):
        os.write(terminal, answer)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(5)
    raise AssertionError("nobody reads what is typed")


def test_nobody_to_ask_is_a_usage_error(repo: PlatformRepo) -> None:
    refusal(repo.run("approve", repo.plan("web"), "--json"), 2)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_apply_that_is_interrupted_before_the_first_mutation(
    repo: PlatformRepo, host: Host, number: signal.Signals, code: int
) -> None:
    plan = repo.plan("web")
    repo.approve(plan)
    with held_up(host, UNDER_LOCK) as question, untouched(host):
        process = repo.start("apply", plan, "--approved-sha", repo.head, "--json")
        question.arrived()
        process.send_signal(number)
        question.let_go()
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stdout + stderr
    assert json.loads(stdout)["exit_code"] == code
    repo.apply(plan)


def test_an_apply_that_is_interrupted_after_it(repo: PlatformRepo, host: Host) -> None:
    """The step in flight ends, then everything goes back, and the code says so."""
    repo.deploy("web")
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/web:2"))
    repo.commit()
    plan = repo.plan("web")
    repo.approve(plan)
    with held_up(host, STARTS) as compose:
        process = repo.start("apply", plan, "--approved-sha", repo.head, "--json")
        compose.arrived()
        process.send_signal(signal.SIGINT)
        compose.let_go()
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 11, stdout + stderr
    report = json.loads(stdout)
    assert (report["reason"], report["quarantined"]) == ("interrupted", False)
    assert running(host) == {"web": "platformctl-lab/web:1"}
    repo.plan("web", expect=1)


# --- after the deed -----------------------------------------------------------------------------------


def test_state_that_can_not_be_written_does_not_undo_a_success(repo: PlatformRepo, host: Host) -> None:
    """P28: 9, and a warning; the host knows what was applied."""
    repo.write(".platform/state/modules", "not a folder")
    report = repo.deploy("web").json
    assert (report["exit_code"], report["state_artifact"]) == (9, None)
    assert any("state" in warning for warning in report["warnings"])
    assert repo.run("status", "web", "--json", expect=0).json["modules"][0]["in_step"]


def test_journal_that_can_not_be_written_stops_it_before(repo: PlatformRepo, host: Host) -> None:
    """Step 9 of docs/architecture.md: no intent, no deed; and the plan stays good."""
    plan = repo.plan("web")
    repo.approve(plan)
    in_the_way = repo.write(".platform/journal", "not a folder")
    with untouched(host):
        refusal(repo.apply(plan, expect=3), 3)
    in_the_way.unlink()
    repo.apply(plan)


def test_success_may_be_asked_to_be_zero(repo: PlatformRepo, host: Host) -> None:
    plan = repo.plan("web")
    repo.approve(plan)
    file = repo.folder / "result.json"
    ended = repo.apply(plan, "--exit-zero-on-success", "--result-file", file, expect=0)
    assert ended.json["exit_code"] == json.loads(file.read_text())["exit_code"] == 9
    assert json.loads(file.read_text())["mutated"] == "yes"


def test_detailed_exit_codes_are_terraforms(repo: PlatformRepo, host: Host) -> None:
    repo.run("plan", "web", "--detailed-exitcode", expect=2)
    repo.deploy("web")
    repo.run("plan", "web", "--detailed-exitcode", expect=0)
    for words in (("nothing",), ("web", "--nonsense"), ("web", "--key", "/nonexistent"), ()):
        repo.run("plan", *words, "--detailed-exitcode", expect=1)
    host.kill("sshd")
    repo.run("plan", "web", "--detailed-exitcode", expect=1)
    repo.run("plan", "web", "--", "--detailed-exitcode", expect=65)
    assert see(host).containers
