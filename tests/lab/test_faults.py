"""Hosts of the lab are broken on request, each alone, and mended and emptied as if nothing had been."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab import Host, Lab, images
from tests.lab.by_ssh import serve_web, ssh, ssh_to
from tests.lab.delay import far_away
from tests.lab.engine import Engine
from tests.lab.machine import wait_until

pytestmark = pytest.mark.lab


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
