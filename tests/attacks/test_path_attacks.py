"""Somebody who may write below the root wants the reader to open a file outside of it, quicker than a check."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from platformctl.errors import InvalidInput, PolicyViolation
from platformctl.model.names import RepoPath
from platformctl.paths import read_beneath

OPENS = 20_000
SAMPLED = [pytest.param(OPENS, id="sampled"), pytest.param(100_000, id="all", marks=pytest.mark.thorough)]
PATIENCE = 50 * OPENS
SWAPS = """
import os, sys
good, link, target = sys.argv[1:]
print("swapping", flush=True)
while True:
    for source in (good, link):
        os.link(source, target + ".next", follow_symlinks=False)
        os.rename(target + ".next", target)
"""
SWAPS_FOLDERS = """
import os, sys
good, link, target = sys.argv[1:]
print("swapping", flush=True)
while True:
    for source in (good, link):
        os.rename(source, target)
        os.rename(target, source)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a file and a link of the same kind to swap, and a secret outside."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_bytes(b"secret")
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "folder/file").write_bytes(b"fine")
    return root


@pytest.fixture
def swap(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The attacker's processes; they end with the test."""
    running: list[subprocess.Popen[bytes]] = []
    yield running
    for process in running:
        process.kill()
        process.communicate()


def start(running: list[subprocess.Popen[bytes]], program: str, *words: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", program, *map(str, words)], stdout=subprocess.PIPE)
    running.append(process)
    assert process.stdout
    assert process.stdout.readline() == b"swapping\n"


def outcomes(root: Path, path: str, opens: int) -> dict[str, int]:
    """How often each thing happened in so many attempts, or more until file and link were both met."""
    counted: dict[str, int] = {}
    for attempt in range(max(PATIENCE, opens)):
        if attempt >= opens and {"fine", "refused"} <= set(counted):
            break
        try:
            content, _mode = read_beneath(root, RepoPath.parse(path), limit=100)
            seen = content.decode()
        except PolicyViolation:
            seen = "refused"
        except InvalidInput:
            seen = "missing"
        counted[seen] = counted.get(seen, 0) + 1
    return counted


@pytest.mark.parametrize("opens", SAMPLED)
def test_p22_swapping_a_file_for_a_link(
    root: Path, tmp_path: Path, swap: list[subprocess.Popen[bytes]], opens: int
) -> None:
    # given a path that is a file and a link out, in turn, without a gap
    (tmp_path / "good").write_bytes(b"fine")
    (tmp_path / "link").symlink_to(tmp_path / "outside/file")
    start(swap, SWAPS, tmp_path / "good", tmp_path / "link", root / "folder/file")
    # when
    counted = outcomes(root, "folder/file", opens)
    # then both were met, and what lies outside was never read
    assert set(counted) - {"missing"} == {"fine", "refused"}


@pytest.mark.parametrize("opens", SAMPLED)
def test_p22_swapping_a_folder_for_a_link(
    root: Path, tmp_path: Path, swap: list[subprocess.Popen[bytes]], opens: int
) -> None:
    # given a folder that is there, or a link out, or neither
    (root / "folder").rename(root / "good")
    (root / "link").symlink_to(tmp_path / "outside")
    start(swap, SWAPS_FOLDERS, root / "good", root / "link", root / "folder")
    # when
    counted = outcomes(root, "folder/file", opens)
    # then
    assert "secret" not in counted
    assert {"fine", "refused"} <= set(counted)


def test_the_attack_works_on_who_checks_before_opening(
    root: Path, tmp_path: Path, swap: list[subprocess.Popen[bytes]]
) -> None:
    # given the same attack, so that the tests above are known to attack
    (tmp_path / "good").write_bytes(b"fine")
    (tmp_path / "link").symlink_to(tmp_path / "outside/file")
    target = root / "folder/file"
    start(swap, SWAPS, tmp_path / "good", tmp_path / "link", target)
    # when a reader checks first
    escaped = 0
    for _ in range(PATIENCE):
        with suppress(OSError):  # a swap amid `resolve` makes it fail, which is no escape
            escaped += target.resolve().is_relative_to(root) and target.read_bytes() == b"secret"
        if escaped:
            break
    # then it is fooled sooner or later
    assert escaped == 1


@pytest.mark.parametrize(
    "path", ["../outside/file", "/etc/passwd", "a/../../x", "~/x", "~root/x", "~", "a\0b", "a\\b", "", ".", "a//b"]
)
def test_p20_p21_p22_leaving_by_the_name(path: str) -> None:
    with pytest.raises(InvalidInput):
        RepoPath.parse(path)


def test_a_hard_link_is_a_file_of_the_root(root: Path, tmp_path: Path) -> None:
    """Not refused: whoever can make a hard link to a file could read it and write its bytes as well."""
    os.link(tmp_path / "outside/file", root / "hard")
    assert read_beneath(root, RepoPath.parse("hard"), limit=100)[0] == b"secret"
