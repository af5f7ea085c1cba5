"""What can be plugged in, and by whom."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from platformctl.errors import ToolError
from platformctl.sockets import DRIVERS, TRANSPORTS, Socket
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo, host_entry

FIND = "import sys; from platformctl.sockets import TRANSPORTS; print(TRANSPORTS.find(sys.argv[1]), TRANSPORTS.names)"

REMOTE: dict[str, object] = {
    "address": "192.0.2.1",
    "user": "agent",
    "root": "/opt/platform",
    "host_key": ["SHA256:" + "A" * 43],
    "machine_id": "a" * 32,
}
PIGEON = """from platformctl.drivers.docker_compose import DockerCompose
from platformctl.transports.ssh import SshTransport

class Pigeon(SshTransport):
    def fly(self): pass

class Loft(DockerCompose):
    name = "loft"
"""


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A folder with an installed package that brings transports."""
    made = tmp_path / "pigeon-1.dist-info"
    made.mkdir()
    (tmp_path / "pigeon.py").write_text(PIGEON)
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon\nVersion: 1\n")
    (made / "entry_points.txt").write_text(
        "[platformctl.transports]\npigeon = pigeon:Pigeon\nssh = pigeon:Pigeon\nwing = pigeon:Pigeon.fly\n"
        "a bird = pigeon:Pigeon\n[platformctl.drivers]\nloft = pigeon:Loft\n"
    )
    return tmp_path


def found(others: Path, name: str) -> subprocess.CompletedProcess[str]:
    """What a process finds that has the package."""
    environment = {**os.environ, "PYTHONPATH": str(others)}
    return subprocess.run((sys.executable, "-c", FIND, name), env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("socket", [DRIVERS, TRANSPORTS], ids=lambda socket: socket.group)
def test_our_own_can_all_be_loaded(socket: Socket) -> None:
    assert all(callable(socket.find(name)) for name in socket.own)
    assert set(socket.own) <= set(socket.names)


def test_another_package_brings_one_by_an_entry_point(others: Path) -> None:
    told = found(others, "pigeon").stdout

    assert told.startswith("<class 'pigeon.Pigeon'>")
    assert "'openssh', 'pigeon', 'ssh'" in told
    assert found(others, "wing").stdout.startswith("<function Pigeon.fly")


def test_a_package_can_not_put_itself_in_the_place_of_ours(others: Path) -> None:
    assert found(others, "ssh").stdout.startswith("<class 'platformctl.transports.ssh.")


def test_our_own_are_not_looked_for_among_the_installed_packages() -> None:
    words = "import sys; from platformctl.sockets import DRIVERS; DRIVERS.find('docker-compose'); print(*sys.modules)"
    done = subprocess.run((sys.executable, "-c", words), capture_output=True, text=True, check=True)

    assert "importlib.metadata" not in done.stdout.split()


def test_a_name_that_nobody_has_is_nothing(others: Path) -> None:
    assert found(others, "telepathy").stdout.startswith("None ")


@pytest.mark.parametrize("where", ["platformctl.sockets:Lame", "platformctl.dovecote:Dove"])
def test_what_can_not_be_loaded_is_named_with_where_it_was_to_be(where: str) -> None:
    with pytest.raises(ToolError) as refused:
        Socket("platformctl.transports", {"lame": where}).find("lame")

    assert refused.value.detail == f"platformctl.transports: lame = {where}"


# --- by what people write -------------------------------------------------------------------------


def written(repo: PlatformRepo, host: dict[str, object], orchestrator: str) -> None:
    """A module of that driver, on a host of that entry."""
    repo.hosts_file({"rs2000": host})
    runtime = {"orchestrator": orchestrator, "compose_file": "modules/web/compose.yaml"}
    repo.add_module("web", WEB, runtime=runtime)


@pytest.mark.lab
def test_a_module_and_a_host_may_name_what_another_package_brings(tmp_path: Path, others: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path / "platform", {"rs2000": host})
    written(repo, {**host_entry(host), "transport": "pigeon"}, "loft")

    repo.run("validate", expect=0, PYTHONPATH=str(others))
    (planned,) = repo.run("plan", "web", "--json", expect=1, PYTHONPATH=str(others)).json["plans"]
    assert planned["plan"]["drivers"] == {"loft": "1"}
    assert planned["plan"]["host"]["transport"] == "pigeon"
    schema = repo.run("schema", "hosts", expect=0, PYTHONPATH=str(others)).stdout
    assert '"pigeon"' in schema
    assert '"a bird"' not in schema


@pytest.mark.lab
def test_a_host_is_pinned_by_what_another_package_brings(tmp_path: Path, others: Path, host: Host) -> None:
    """What is printed for hosts.yaml names it, and so does the refusal of one that nobody brings."""
    repo = PlatformRepo.create(tmp_path / "platform", {"known": host})
    where = ("--address", host.address, "--port", str(host.port), "--user", host.user, "--transport")
    known = ("--fingerprint", host.host_key_fingerprints[0], "--root", host.root)

    pinned = repo.run("host", "trust", "new", *where, "pigeon", *known, expect=0, PYTHONPATH=str(others)).stdout
    assert "+   transport: pigeon" in pinned.splitlines()
    repo.run("host", "prepare", "new", *where, "pigeon", expect=0, PYTHONPATH=str(others))
    for name in ("pidgeon", "local", "a bird"):
        refused = repo.run("host", "trust", "new", *where, name, *known, expect=2, PYTHONPATH=str(others)).stderr
        assert f"{name!r} is not one of openssh, ssh, tailscale, pigeon, wing" in refused


NAMED = {
    "a transport that no package brings": (
        ("pigeon", "docker-compose"),
        (".platform/hosts.yaml", "expected one of local, ssh, openssh, tailscale", "write local"),
    ),
    "a driver that no package brings": (
        ("ssh", "loft"),
        ("modules/web/module.yaml", "expected docker-compose", "write docker-compose"),
    ),
    "a transport that is nearly one of a package": (
        ("pidgeon", "docker-compose"),
        (".platform/hosts.yaml", "expected one of local, ssh, openssh, tailscale, pigeon, wing", "write pigeon"),
    ),
    "a driver that is nearly one of a package": (
        ("ssh", "lofd"),
        ("modules/web/module.yaml", "expected one of docker-compose, loft", "write loft"),
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_is_not_there_is_refused_where_it_is_written(tmp_path: Path, others: Path, case: str) -> None:
    (transport, orchestrator), (file, message, hint) = NAMED[case]
    repo = PlatformRepo.create(tmp_path / "platform")
    written(repo, {**REMOTE, "transport": transport}, orchestrator)
    path = str(others) if "nearly" in case else ""

    told = repo.run("validate", "--json", expect=65, PYTHONPATH=path).json
    (finding,) = told["findings"] if "findings" in told else (told["error"],)
    line = (repo.root / file).read_text().splitlines()[finding["line"] - 1]
    assert (finding["file"], finding["hint"]) == (file, hint)
    assert line.split(": ")[1].strip('",') in (transport, orchestrator)
    assert finding.get("message", finding.get("detail")).endswith(message)


def test_who_writes_names_of_ours_has_no_packages_looked_through(tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path)
    written(repo, {**REMOTE, "transport": "ssh"}, "docker-compose")
    words = "import sys; from platformctl.__main__ import run; sys.argv[1:] = ['plan', 'web', '--offline']\n"
    words += "run(); print(*sys.modules)"
    done = subprocess.run(
        (sys.executable, "-c", words), cwd=repo.root, env=repo.environment, capture_output=True, text=True
    )

    assert "platformctl.planning.build" in done.stdout.split()
    assert "importlib.metadata" not in done.stdout.split()
