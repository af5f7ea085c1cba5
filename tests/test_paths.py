"""A path of the repository opens the regular file below the root, or nothing."""

import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from platformctl.errors import InvalidInput, PolicyViolation
from platformctl.model.names import RepoPath
from platformctl.paths import read_beneath

PATH = RepoPath.parse("compose/core/compose.yaml")
LIMIT = 100


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with one file, and a secret outside of it."""
    folder = tmp_path / "root"
    (folder / "compose/core").mkdir(parents=True)
    (folder / PATH).write_bytes(b"services: {}\n")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/compose.yaml").write_bytes(b"secret")
    return folder


def refused(root: Path, path: str = PATH) -> str:
    with pytest.raises(PolicyViolation) as caught:
        read_beneath(root, RepoPath.parse(path), limit=LIMIT)
    assert caught.value.file == path
    assert path in caught.value.detail
    return caught.value.reason


def test_a_regular_file_is_read_with_its_mode(root: Path) -> None:
    assert read_beneath(root, PATH, limit=LIMIT) == (b"services: {}\n", 0o644)
    (root / PATH).chmod(0o700)
    assert read_beneath(root, PATH, limit=LIMIT) == (b"services: {}\n", 0o755)


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert read_beneath(tmp_path / "link", PATH, limit=LIMIT)[0] == b"services: {}\n"


@pytest.mark.parametrize("path", ["compose/core/gone.yaml", "gone/compose.yaml"])
def test_p22_a_file_that_is_not_there_is_invalid_input(root: Path, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_beneath(root, RepoPath.parse(path), limit=LIMIT)
    assert (caught.value.summary, caught.value.file) == ("a file is not there", path)


def test_a_file_in_place_of_a_folder_is_invalid_input(root: Path) -> None:
    with pytest.raises(InvalidInput):
        read_beneath(root, RepoPath.parse(f"{PATH}/x"), limit=LIMIT)


def test_p22_a_link_is_refused_wherever_it_leads(root: Path) -> None:
    for target in ("../../../outside/compose.yaml", "other.yaml", "gone"):
        (root / "compose/core/other.yaml").write_bytes(b"inside")
        (root / PATH).unlink()
        (root / PATH).symlink_to(target)
        assert refused(root) == "symlink"


def test_p22_a_link_in_the_middle_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "compose/core").rename(root / "elsewhere")
    for target in (tmp_path / "outside", root / "elsewhere"):
        (root / "compose/core").symlink_to(target)
        assert refused(root) == "symlink"
        (root / "compose/core").unlink()


def test_a_folder_is_refused(root: Path) -> None:
    assert refused(root, "compose/core") == "not-regular"


def test_a_pipe_is_refused_without_waiting_for_its_writer(root: Path) -> None:
    (root / PATH).unlink()
    os.mkfifo(root / PATH)
    assert refused(root) == "not-regular"


def test_a_socket_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / PATH).unlink()
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(PATH)
        assert refused(root) == "not-regular"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may make a device")
def test_a_device_is_refused(root: Path) -> None:
    (root / PATH).unlink()
    os.mknod(root / PATH, 0o600 | 0o020000, os.makedev(1, 5))
    assert refused(root) == "not-regular"


def test_a_file_is_read_up_to_the_limit_and_not_beyond(root: Path) -> None:
    (root / PATH).write_bytes(b"x" * LIMIT)
    assert len(read_beneath(root, PATH, limit=LIMIT)[0]) == LIMIT
    (root / PATH).write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(InvalidInput, match="too large"):
        read_beneath(root, PATH, limit=LIMIT)


def test_no_descriptor_is_left_open(root: Path) -> None:
    # given
    (root / "compose/link").symlink_to("core")
    attempts = [PATH, "compose/core", "compose/link/compose.yaml", "gone/x", "compose/gone/x"]
    # when
    for path in attempts:
        try:
            read_beneath(root, RepoPath.parse(path), limit=LIMIT)
        except (InvalidInput, PolicyViolation):
            continue
    # then none leads below the root
    opened = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            opened.append(each.readlink())
    assert opened
    assert [path for path in opened if path.is_relative_to(root)] == []
