"""The scripts are sound POSIX sh."""

import subprocess
import sys
from pathlib import Path

import pytest

from platformctl.model.command import Command
from platformctl.model.names import ModuleId, RepoPath
from platformctl.store import batch, host_files, host_lock, host_records
from platformctl.store.host import HostLayout, prepare_base, probe
from platformctl.store.placed import placed
from tests.store.hosts import OWNER
from tests.store.samples import PLAN

LAYOUT = HostLayout("/opt/platform")
WEB = ModuleId.parse("web")
PATH = RepoPath.parse("compose.yaml")
COMMANDS = {
    "prepare": prepare_base(LAYOUT),
    "probe": probe(LAYOUT),
    "write record": host_records.write_record(LAYOUT, WEB, b"", replacing=None),
    "append to audit": host_records.append_audit(LAYOUT, b"", after=None),
    "append to journal": host_records.append_journal(LAYOUT, PLAN, b"", after=None),
    "settle": host_records.settle_journal(LAYOUT, PLAN),
    "recall": host_records.recall(LAYOUT, WEB),
    "find journals": host_records.find_journals(LAYOUT, [PLAN]),
    "stage": host_files.stage(LAYOUT, [b""]),
    "keep": host_files.keep(LAYOUT, [PATH], 0),
    "place": Command(host_files.place(LAYOUT, PATH, PLAN, 0o644)),
    "remove": Command(host_files.remove(LAYOUT, PATH)),
    "placed": next(placed(LAYOUT, [PATH])),
    "hold": host_lock.hold_lock(LAYOUT, OWNER),
    "still held": host_lock.still_held(LAYOUT, 1),
    "guard": host_lock.guarded(LAYOUT, 1, ("true",), nonce="n", limit=1),
    "batch": batch.Batch((Command(("true",)),)).command,
    "lock": host_lock.lock_by_hand(LAYOUT, OWNER),
    "look at lock": host_lock.look_at_lock(LAYOUT),
    "unlock": host_lock.unlock(LAYOUT),
}
EXPECTED = "SC2329,SC2016,SC3067"
"""Not every script calls every shared function; the guard's inner script is meant not to expand in the outer one; a
shell that does not know `-O` refuses.
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_shellcheck_finds_nothing(name: str) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    words = (str(shellcheck), "--shell=sh", f"--exclude={EXPECTED}", "-")
    ended = subprocess.run(words, input=COMMANDS[name].argv[2], capture_output=True, text=True, check=False)
    assert ended.stdout == ""
    assert ended.returncode == 0
