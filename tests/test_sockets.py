"""What can be plugged in, and by whom."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from platformctl.errors import ToolError
from platformctl.sockets import DRIVERS, TRANSPORTS, Socket

FIND = "import sys; from platformctl.sockets import TRANSPORTS; print(TRANSPORTS.find(sys.argv[1]), TRANSPORTS.names)"


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A folder with an installed package that brings transports."""
    made = tmp_path / "pigeon-1.dist-info"
    made.mkdir()
    (tmp_path / "pigeon.py").write_text("class Pigeon:\n    def fly(self): pass\n")
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon\nVersion: 1\n")
    (made / "entry_points.txt").write_text(
        "[platformctl.transports]\npigeon = pigeon:Pigeon\nssh = pigeon:Pigeon\nwing = pigeon:Pigeon.fly\n"
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
