"""The lab keeps what it promises: real hosts, apart from each other, with images that run."""

import subprocess
from pathlib import Path

import pytest

from tests.lab import Host, Lab, images
from tests.lab.by_ssh import serve_web, ssh
from tests.lab.machine import wait_until

pytestmark = pytest.mark.lab
pytest_plugins = ("tests.lab.fixtures",)


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
