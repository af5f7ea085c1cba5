"""What a host renamed and its disk would not confirm is not said to be done."""

import os
from pathlib import Path

import pytest

from platformctl.errors import ToolError
from platformctl.model.command import Command
from platformctl.model.names import Digest, ModuleId, RepoPath
from platformctl.store import host_files, host_lock, host_records
from platformctl.store.host import HostLayout, prepare_base
from tests.store.hosts import OWNER, ask, contents, first_line, prepared, started
from tests.store.samples import PLAN

SYNC = """#!/bin/sh
for each; do [ ! -d "$each" ] || exit 1; done
"""
"""Stands in for `sync` on a disk that confirms files and no folder."""
CONTENT = b"services: {}\n"
COMPOSE = RepoPath.parse("compose.yaml")
WORDS = {
    "a record": lambda at: host_records.write_record(at, ModuleId.parse("web"), b"{}", replacing=None),
    "the end of a journal": lambda at: host_records.settle_journal(at, PLAN),
    "what is staged": lambda at: host_files.stage(at, [CONTENT, b"other"]),
    "a file that is placed": lambda at: Command(host_files.place(at, COMPOSE, Digest.of(CONTENT), 0o644)),
    "a file that is removed": lambda at: Command(host_files.remove(at, RepoPath.parse("old.yaml"))),
    "a lock by hand": lambda at: host_lock.lock_by_hand(at, OWNER),
}


@pytest.fixture
def faulty(tmp_path: Path) -> str:
    """The PATH of a host whose disk confirms no folder."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sync").write_text(SYNC)
    (tmp_path / "bin/sync").chmod(0o755)
    return f"{tmp_path / 'bin'}:{os.environ['PATH']}"


@pytest.fixture
def layout(tmp_path: Path) -> HostLayout:
    """A host that has something of everything."""
    (tmp_path / "root").mkdir()
    layout = prepared(tmp_path / "root")
    ask(host_files.stage(layout, [CONTENT]))
    Path(layout.root, "old.yaml").write_bytes(CONTENT)
    Path(layout.base, "journal", PLAN.hexadecimal).write_bytes(b"{}\n")
    return layout


@pytest.mark.parametrize("what", WORDS)
def test_it_is_refused(layout: HostLayout, faulty: str, what: str) -> None:
    with pytest.raises(ToolError) as caught:
        ask(WORDS[what](layout), PATH=faulty)
    assert caught.value.summary == "the host could not write"
    assert contents(Path(layout.base, "tmp")) == {}
    assert not Path(layout.base, "lock.manual").exists()


def test_the_own_folder_is_not_ready(tmp_path: Path, faulty: str) -> None:
    (tmp_path / "root").mkdir()
    with pytest.raises(ToolError):
        ask(prepare_base(HostLayout(str(tmp_path / "root"))), PATH=faulty)


def test_a_lock_is_not_held_as_its_token_could_be_given_twice(
    layout: HostLayout, faulty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", faulty)
    with started(host_lock.hold_lock(layout, OWNER)) as holder:
        assert first_line(holder).startswith("failed")


def test_a_lock_by_hand_is_not_said_to_be_taken_back(layout: HostLayout, faulty: str) -> None:
    ask(host_lock.lock_by_hand(layout, OWNER))
    with pytest.raises(ToolError):
        ask(host_lock.unlock(layout), PATH=faulty)
