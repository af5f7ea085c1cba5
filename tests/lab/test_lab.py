"""The lab keeps what it promises: real hosts, apart from each other, broken on request, gone without a trace."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.lab import Host, Lab, LabError, images
from tests.lab.delay import far_away
from tests.lab.engine import Engine
from tests.lab.lab import down, hosts_of
from tests.lab.machine import CGROUPS, HOME, MOUNTS, wait_until
from tests.lab.network import NAMESPACES
from tests.lab.registry import number_of

pytestmark = pytest.mark.lab
pytest_plugins = ("tests.lab.fixtures",)

COMPOSE = b"""\
services:
  web:
    image: platformctl-lab/web:1
    ports: ["8080:8080"]
    restart: unless-stopped
"""
UP = "docker compose -f /opt/platform/web/compose.yaml -p web up -d --pull never"


def ssh(host: Host, *command: str, patience: int = 20) -> subprocess.CompletedProcess[str]:
    words = (*ssh_to(host, patience), *command)
    return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def ssh_to(host: Host, patience: int = 20) -> tuple[str, ...]:
    settings = str(host.key_path.with_name("lab_ssh_config"))
    return ("ssh", "-F", settings, "-o", f"ConnectTimeout={patience}", host.name)


def serve_web(host: Host) -> None:
    host.write("web/compose.yaml", COMPOSE)
    started = ssh(host, UP)
    assert started.returncode == 0, started.stderr


# --- hosts -----------------------------------------------------------------------------------------


def test_the_agent_reaches_a_host_with_the_real_ssh_client(host: Host) -> None:
    answer = ssh(host, "id -un; id -Gn; cat /etc/machine-id; docker info --format '{{.ID}}'; stat -c %U /opt/platform")

    assert answer.stdout.splitlines() == [
        "platform-host-agent",
        "platform-host-agent docker",
        host.machine_id,
        host.engine_id,
        "platform-host-agent",
    ]


def test_root_is_refused_with_the_agents_key(host: Host) -> None:
    refused = ssh(host, "-l", "root", "true")

    assert refused.returncode == 255
    assert "Permission denied" in refused.stderr


def test_fingerprints_are_those_that_ssh_keygen_prints(host: Host) -> None:
    known_hosts = host.key_path.with_name("lab_known_hosts")

    printed = subprocess.run(
        ("ssh-keygen", "-l", "-F", host.address, "-f", known_hosts), capture_output=True, text=True, check=True
    )

    assert [line.split()[2] for line in printed.stdout.splitlines() if "SHA256" in line] == list(
        host.host_key_fingerprints
    )


def test_hosts_are_different_machines(lab: Lab) -> None:
    for what in ("machine_id", "engine_id", "host_keys", "address"):
        assert len({getattr(host, what) for host in lab.hosts}) == len(lab.hosts), what


def test_a_host_does_not_see_the_project_or_the_operators_home(host: Host) -> None:
    project = Path(__file__).parents[2]

    assert host.sh(f"ls -A {project} /root /mnt /tmp | grep -v : || :").split() == []


def test_images_have_the_same_ids_on_every_host(lab: Lab) -> None:
    for host in lab.hosts:
        found = {image["RepoTags"][0]: image["Id"] for image in host.engine.get("/images/json")}
        assert found == images.ids()


# --- services --------------------------------------------------------------------------------------


def test_a_composed_service_answers_over_http(host: Host) -> None:
    serve_web(host)

    assert host.http(8080) == (200, "version 1\n")
    assert host.http(8080, "/health") == (200, "ok\n")


@pytest.mark.parametrize(("image", "code"), [("crash", 3), ("job", 0), ("job-fails", 1)])
def test_an_image_that_ends_ends_with_its_code(host: Host, image: str, code: int) -> None:
    container = host.docker("create", f"platformctl-lab/{image}:1").strip()

    host.docker("start", container)

    assert host.docker("wait", container).strip() == str(code)


@pytest.mark.parametrize("health", ["healthy", "unhealthy"])
def test_an_image_with_a_check_becomes_what_it_is_called(host: Host, health: str) -> None:
    container = host.docker("run", "-d", f"platformctl-lab/{health}:1").strip()

    def status() -> str:
        return str(host.engine.get(f"/containers/{container}/json")["State"]["Health"]["Status"])

    wait_until(lambda: status() != "starting", "the first check is done")
    assert status() == health


# --- faults ----------------------------------------------------------------------------------------


def test_a_cut_host_times_out_while_it_runs_on(host: Host) -> None:
    serve_web(host)

    host.partition("both")

    assert "timed out" in ssh(host, "true", patience=1).stderr
    with pytest.raises(TimeoutError):
        host.http(8080, patience=1)
    assert host.docker("ps", "--format", "{{.Names}}") == "web-web-1\n"


def test_hosts_that_are_far_away_answer_late_and_lose_nothing(lab: Lab, host: Host) -> None:
    with far_away(lab.network, 0.1):
        began = time.monotonic()
        with socket.create_connection((host.address, host.port), timeout=10) as connection:
            assert time.monotonic() - began >= 0.1
            assert connection.recv(64).startswith(b"SSH-2.0")
        assert len(ssh(host, "head -c 3000000 /dev/zero").stdout) == 3_000_000

    assert ssh(host, "echo here").stdout == "here\n"


def test_when_answers_are_lost_a_command_still_runs_to_its_end(host: Host) -> None:
    with open_session(host, "echo ready; read -r line; touch /opt/platform/ran; echo ran") as session:
        host.partition("out")
        say(session, "go")

        wait_until(lambda: host.sh("ls /opt/platform") == "ran\n", "the command has run")
        assert session.poll() is None
        session.kill()


def test_when_requests_are_lost_a_host_is_still_heard(host: Host) -> None:
    with open_session(host, "echo ready; until [ -e /opt/platform/go ]; do sleep 0.01; done; echo heard") as session:
        host.partition("in")
        host.write("go", b"")

        assert hear(session) == "heard"
        assert "timed out" in ssh(host, "true", patience=1).stderr
        session.kill()


@contextmanager
def open_session(host: Host, command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that has said `ready`."""
    with subprocess.Popen((*ssh_to(host), command), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as session:
        assert hear(session) == "ready"
        yield session


def say(session: subprocess.Popen[bytes], line: str) -> None:
    assert session.stdin is not None
    session.stdin.write(f"{line}\n".encode())
    session.stdin.flush()


def hear(session: subprocess.Popen[bytes]) -> str:
    assert session.stdout is not None
    return session.stdout.readline().decode().strip()


def test_a_frozen_dockerd_lets_ssh_in_and_answers_nothing(host: Host) -> None:
    host.freeze("dockerd")

    assert ssh(host, "echo in").stdout == "in\n"
    with pytest.raises(TimeoutError):
        Engine(host.engine.socket_path, timeout=0.2).get("/info")


def test_a_frozen_sshd_is_connected_to_and_shows_no_banner(host: Host) -> None:
    host.freeze("sshd")

    with socket.create_connection((host.address, host.port), timeout=20) as connection:
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_a_dead_sshd_refuses_connections_until_it_is_started(host: Host) -> None:
    host.kill("sshd")
    assert "Connection refused" in ssh(host, "true").stderr

    host.start("sshd")
    assert ssh(host, "true").returncode == 0


def test_a_dead_dockerd_leaves_its_containers_running(host: Host) -> None:
    serve_web(host)

    host.kill("dockerd")

    assert "Cannot connect to the Docker daemon" in ssh(host, "docker ps").stderr
    assert host.http(8080) == (200, "version 1\n")
    host.start("dockerd")
    assert ssh(host, "docker ps").returncode == 0


def test_a_full_disk_takes_no_file(host: Host) -> None:
    host.fill_disk()

    assert "No space left on device" in ssh(host, "cp /etc/machine-id /opt/platform/file").stderr


def test_a_rebooted_host_is_the_same_host_with_its_disk_and_services(host: Host) -> None:
    serve_web(host)
    before = host.pid

    host.reboot()

    assert host.pid != before
    assert ssh(host, "cat /etc/machine-id; docker info --format '{{.ID}}'; ls /opt/platform").stdout.split() == [
        host.machine_id,
        host.engine_id,
        "web",
    ]
    assert host.http(8080, patience=10) == (200, "version 1\n")


def test_healing_mends_every_fault_at_once(host: Host) -> None:
    host.fill_disk()
    host.freeze("sshd")
    host.kill("dockerd")
    host.partition("both")

    host.heal()

    assert ssh(host, "echo x >/opt/platform/file && docker ps").returncode == 0


def test_a_fault_of_one_host_is_not_another_ones(hosts: tuple[Host, ...]) -> None:
    hosts[0].partition("both")

    assert ssh(hosts[1], "true").returncode == 0
    hosts[1].heal()
    assert "timed out" in ssh(hosts[0], "true", patience=1).stderr


def test_a_reset_host_is_as_new(host: Host) -> None:
    serve_web(host)
    host.docker("volume", "create", "data")
    host.docker("network", "create", "wire")
    host.docker("tag", "platformctl-lab/web:2", "platformctl-lab/web:1")
    host.docker("tag", "platformctl-lab/web:2", "mine:1")
    host.sh("su platform-host-agent -c 'touch ~/left; sleep 1000 </dev/null >/dev/null 2>&1 &'")

    host.reset()

    assert host.docker("ps", "-aq") + host.docker("volume", "ls", "-q") == ""
    assert host.docker("network", "ls", "--filter", "type=custom", "-q") == ""
    assert host.sh("ls /opt/platform /home/platform-host-agent | grep -v : || :").split() == []
    assert host.sh("pgrep -u platform-host-agent || :") == ""
    assert {image["RepoTags"][0]: image["Id"] for image in host.engine.get("/images/json")} == images.ids()


# --- up and down -----------------------------------------------------------------------------------


def test_a_second_lab_is_apart_from_the_first_and_leaves_no_trace(lab: Lab, tmp_path: Path) -> None:
    with Lab.up(1, tmp_path) as second:
        serve_web(second.hosts[0])
        number = second.claim.number
        processes = descendants(second.hosts[0].pid)
        assert second.hosts[0].address not in {host.address for host in lab.hosts}
        assert {"namespace", "interface", "mount", "cgroup", "folder"} == set(traces(number))

    assert traces(number) == {}
    assert list(tmp_path.iterdir()) == []
    assert [pid for pid, start in processes.items() if start and process_start(pid) == start] == []
    assert ssh(lab.hosts[0], "true").returncode == 0


def test_a_directory_has_one_lab(lab: Lab) -> None:
    with pytest.raises(LabError, match="has a lab already"):
        Lab.up(1, lab.directory)


def test_a_lab_in_use_is_not_taken_down_by_another(lab: Lab) -> None:
    with pytest.raises(LabError, match="in use by a running process"):
        down(lab.directory)


def test_a_kept_lab_is_found_by_its_directory_and_goes_once(tmp_path: Path) -> None:
    command_line("up", "1", "--dir", str(tmp_path))
    (kept,) = hosts_of(tmp_path)
    assert ssh(kept, "true").returncode == 0

    assert command_line("down", "--dir", str(tmp_path)) == ""
    assert command_line("down", "--dir", str(tmp_path)) == f"there is no lab of {tmp_path}\n"
    with pytest.raises(LabError, match="no lab"):
        hosts_of(tmp_path)


@pytest.mark.parametrize("seconds", [0.05, 0.15, 0.25, 0.35])
def test_down_removes_what_a_killed_up_left(tmp_path: Path, seconds: float) -> None:
    assert ended_by_its_alarm(tmp_path, seconds)
    number = number_of(tmp_path)

    down(tmp_path)

    assert number is None or traces(number) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_directory_keeps_the_files_that_are_not_the_labs(tmp_path: Path) -> None:
    (tmp_path / "id_ed25519").write_text("a person's")

    with Lab.up(1, tmp_path):
        pass

    assert [path.name for path in tmp_path.iterdir()] == ["id_ed25519"]


def test_the_next_lab_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    assert ended_by_its_alarm(tmp_path, 0.3)

    with Lab.up(1, tmp_path / "next"):
        assert number_of(tmp_path) is None


UP_UNTIL_KILLED = """
import pathlib, signal, sys
from tests.lab import Lab
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))   # its signal kills, as nothing handles it
Lab.up(2, pathlib.Path(sys.argv[1]))
signal.pause()
"""


def ended_by_its_alarm(directory: Path, seconds: float) -> bool:
    """Whether an `up` was killed after so long. A program it had just started, as mount, ends later than it."""
    words = (sys.executable, "-c", UP_UNTIL_KILLED, str(directory), str(seconds))
    with subprocess.Popen(words, start_new_session=True) as killed:
        killed.wait()
    wait_until(lambda: not any(session == str(killed.pid) for session in sessions()), "its programs have ended")
    return killed.returncode == -signal.SIGALRM


def sessions() -> Iterator[str]:
    """The session of each process there is."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield stat.read_text().rpartition(")")[2].split()[3]


def command_line(*arguments: str) -> str:
    done = subprocess.run((sys.executable, "-m", "tests.lab", *arguments), capture_output=True, text=True, check=True)
    return done.stdout


def traces(number: int) -> dict[str, list[str]]:
    """What this machine still has of a lab, by kind."""
    name, folder = f"pctl{number}", HOME / str(number)
    found: dict[str, list[object]] = {
        "namespace": list(NAMESPACES.glob(f"{name}-*")),
        "interface": list(Path("/sys/class/net").glob(name)),
        "mount": [line for line in MOUNTS.read_text().splitlines() if f" {folder}/" in line],
        "cgroup": [*CGROUPS.glob(f"{name}-*"), *CGROUPS.glob(f"*/{name}-*")],
        "folder": [folder] if folder.exists() else [],
    }
    return {kind: [str(one) for one in those] for kind, those in found.items() if those}


def descendants(pid: int) -> dict[int, str | None]:
    """A process and all below it, containers too, each with its start time: a pid may be used again."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):  # it ended in this moment, as the end of a session does
        return {}
    below = [descendants(int(child)) for child in children]
    return {pid: process_start(pid)} | {key: value for found in below for key, value in found.items()}


def process_start(pid: int) -> str | None:
    """None when it has ended, even if nobody has asked for its exit status yet."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else fields[18]
