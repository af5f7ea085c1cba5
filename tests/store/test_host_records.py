"""What a host remembers, written by the real scripts in a real shell."""

import gzip
import os
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.errors import StalePlan, ToolError, Unreachable
from platformctl.model.command import Command, Completed
from platformctl.model.names import ModuleId
from platformctl.store import chain, host_records
from platformctl.store.host import HostLayout, prepare_base, read_answer
from platformctl.store.journal import Kind, Record, line_after, parse
from tests.store.hosts import ask, contents, prepared, run
from tests.store.samples import AT, HOST, PLAN

WEB, API = ModuleId.parse("web"), ModuleId.parse("api")
INTENT = line_after(b"", Record(Kind.INTENT, "", AT, {}), "the journal")
SETTLED = line_after(INTENT, Record(Kind.SETTLED, "", AT, {"outcome": "APPLIED"}), "the journal")


def test_the_own_folder_is_private_and_its_key_is_made_once(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    key = Path(layout.key).read_bytes()
    assert len(key) == 32
    assert Path(layout.key).stat().st_mode & 0o777 == 0o600
    assert Path(layout.base).stat().st_mode & 0o777 == 0o700
    prepared(tmp_path)
    assert Path(layout.key).read_bytes() == key
    assert contents(Path(layout.base) / "tmp") == {}


def test_an_own_folder_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / ".platformctl").mkdir(mode=0o777)
    assert Path(prepared(tmp_path).base).stat().st_mode & 0o777 == 0o700


def test_a_host_without_its_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        ask(prepare_base(HostLayout(str(tmp_path / "none"))))
    assert caught.value.reason == "root_readonly"


def test_nothing_is_written_before_the_folder_is_prepared(tmp_path: Path) -> None:
    with pytest.raises(ToolError):
        ask(host_records.write_record(HostLayout(str(tmp_path)), WEB, b"{}", replacing=None))
    assert contents(tmp_path) == {}


def test_a_record_is_written_and_replaced_and_recalled(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_records.write_record(layout, WEB, b"one", replacing=None))
    ask(host_records.write_record(layout, WEB, b"two", replacing=b"one"))
    recalled = host_records.read_recall(run(host_records.recall(layout, WEB)), HOST)
    assert recalled == host_records.Recalled({WEB: b"two"}, modules=(WEB,), ends=b"two")


def test_the_ends_of_all_records_are_known_whichever_are_asked_about(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    for module, content in ((WEB, b"w" * 2000 + b"eb"), (API, b"api")):
        ask(host_records.write_record(layout, module, content, replacing=None))

    for asked in ((WEB, API), (API, WEB), (WEB,), ()):
        recalled = host_records.read_recall(run(host_records.recall(layout, *asked)), HOST)
        assert recalled.modules == (API, WEB)
        assert recalled.ends == b"api" + b"w" * 1022 + b"eb"


def test_an_answer_that_leaves_out_the_ends_of_records_it_has_not_is_refused(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_records.write_record(layout, WEB, b"web", replacing=None))
    told = run(host_records.recall(layout, WEB))
    less = replace(
        told, stdout=told.stdout.replace(b"modules modules/web.json", b"modules modules/api.json modules/web.json")
    )

    assert less != told
    with pytest.raises(ToolError):
        host_records.read_recall(less, HOST)


def test_a_record_that_somebody_else_changed_is_not_overwritten(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_records.write_record(layout, WEB, b"theirs", replacing=None))
    for replacing in (None, b"mine"):
        with pytest.raises(ToolError) as caught:
            ask(host_records.write_record(layout, WEB, b"new", replacing=replacing))
        assert caught.value.reason == "conflict"
    assert Path(layout.base, "modules/web.json").read_bytes() == b"theirs"


def test_a_write_whose_answer_was_lost_can_be_said_again(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    for command in (
        host_records.write_record(layout, WEB, b"new", replacing=None),
        host_records.append_journal(layout, PLAN, INTENT, after=None),
        host_records.append_audit(layout, INTENT, after=None),
        host_records.settle_journal(layout, PLAN),
    ):
        first = ask(command)
        before = contents(tmp_path)
        assert ask(command).word == first.word
        assert contents(tmp_path) == before


def test_of_many_writers_one_replaces_the_record(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_records.write_record(layout, WEB, b"old", replacing=None))
    commands = [host_records.write_record(layout, WEB, b"%d" % n, replacing=b"old") for n in range(20)]
    with ThreadPoolExecutor(20) as pool:
        ended = list(pool.map(run, commands))
    assert sorted(completed.status for completed in ended) == [0] + [71] * 19
    winner = next(n for n, completed in enumerate(ended) if completed.status == 0)
    assert Path(layout.base, "modules/web.json").read_bytes() == b"%d" % winner


@pytest.mark.parametrize("cut", [0, 1, 5])
def test_a_record_that_does_not_arrive_whole_is_refused(tmp_path: Path, cut: int) -> None:
    layout = prepared(tmp_path)
    ask(host_records.write_record(layout, WEB, b"old", replacing=None))
    command = host_records.write_record(layout, WEB, b"a new one", replacing=b"old")
    with pytest.raises(Unreachable):
        ask(Command(command.argv, command.stdin[:cut]))
    assert Path(layout.base, "modules/web.json").read_bytes() == b"old"


def test_a_journal_consumes_its_plan_until_it_is_settled_and_ever_after(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_records.append_journal(layout, PLAN, INTENT, after=None))
    assert list(host_records.read_recall(run(host_records.recall(layout, WEB)), HOST).journals) == [PLAN]
    ask(host_records.append_journal(layout, PLAN, SETTLED, after=INTENT))
    recalled = host_records.read_recall(run(host_records.recall(layout, WEB)), HOST)
    assert parse(PLAN, recalled.journals[PLAN], "the journal").settled
    ask(host_records.settle_journal(layout, PLAN))
    assert host_records.read_recall(run(host_records.recall(layout, WEB)), HOST).journals == {}
    with pytest.raises(StalePlan) as caught:
        ask(host_records.append_journal(layout, PLAN, INTENT, after=None))
    assert caught.value.reason == "used"


def test_a_journal_that_another_clone_wrote_is_not_continued(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    theirs = line_after(b"", Record(Kind.INTENT, "", "2024-01-01T00:00:00Z", {}), "the journal")
    ask(host_records.append_journal(layout, PLAN, theirs, after=None))
    for line, after in ((INTENT, None), (SETTLED, INTENT)):
        with pytest.raises(ToolError) as caught:
            ask(host_records.append_journal(layout, PLAN, line, after=after))
        assert caught.value.reason == "conflict"


def test_a_torn_line_of_a_journal_stays_visible_and_the_chain_goes_on(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_records.append_journal(layout, PLAN, INTENT, after=None))
    path, torn = Path(layout.base, "journal", PLAN.hexadecimal), b'{"by":"J\xc3\0'
    with path.open("ab") as file:
        file.write(torn)
    with pytest.raises(ToolError):
        ask(host_records.append_journal(layout, PLAN, SETTLED, after=INTENT))
    assert path.read_bytes() == INTENT + b"\n" + torn

    line = line_after(path.read_bytes(), Record(Kind.SETTLED, "", AT, {}), "the journal")
    for _ in range(2):
        ask(host_records.append_journal(layout, PLAN, line, after=torn))

    assert path.read_bytes() == b"\n".join((INTENT, torn, line, b""))


def test_a_line_of_a_journal_is_never_words_for_the_shell(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    line = line_after(b"", Record(Kind.INTENT, "", AT, {"by": "%s $(touch x) ' \\ \"`id`é"}), "the journal")
    ask(host_records.append_journal(layout, PLAN, line, after=None))
    assert Path(layout.base, "journal", PLAN.hexadecimal).read_bytes() == line + b"\n"


def test_settling_a_journal_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError):
        ask(host_records.settle_journal(prepared(tmp_path), PLAN))


def test_fifty_writers_leave_one_sound_audit_chain(tmp_path: Path) -> None:
    """Each reads the end of the chain and tries to add to it, until it wins."""
    layout = prepared(tmp_path)

    def add(number: int) -> None:
        while True:
            tail = host_records.read_recall(run(host_records.recall(layout, WEB)), HOST).audit_tail
            line = chain.next_line(tail, AT, "applied", {"number": number}, what="the audit log")
            after = tail.removesuffix(b"\n").split(b"\n")[-1] if tail else None
            if run(host_records.append_audit(layout, line, after=after)).status == 0:
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(50)))
    lines = host_records.read_audit(layout, run, HOST).splitlines()
    assert chain.verify(lines) == ()
    assert {chain.parse(line, "x").fields["number"] for line in lines} == set(range(50))


def test_a_torn_line_of_the_audit_stays_visible_and_the_chain_goes_on(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    ask(host_records.append_audit(layout, INTENT, after=None))
    with Path(layout.audit).open("ab") as file:
        file.write(b'{"to')
    tail = host_records.read_recall(run(host_records.recall(layout, WEB)), HOST).audit_tail
    line = chain.next_line(tail, AT, "applied", {}, what="the audit log")
    ask(host_records.append_audit(layout, line, after=b'{"to'))
    lines = host_records.read_audit(layout, run, HOST).splitlines()
    assert [problem.damage for problem in chain.verify(lines)] == [chain.Damage.TORN]
    assert chain.parse(lines[-1], "x").seq == 2


@pytest.mark.parametrize("size", [0, 1, host_records.PAGE, host_records.PAGE + 7])
def test_an_audit_chain_is_read_whole_however_long_it_is(tmp_path: Path, size: int) -> None:
    layout = prepared(tmp_path)
    content = os.urandom(size)
    Path(layout.audit).write_bytes(content)
    assert host_records.read_audit(layout, run, HOST) == content


def test_an_audit_chain_whose_pages_do_not_come_whole_is_not_taken_for_all_of_it(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    Path(layout.audit).write_bytes(os.urandom(2 * host_records.PAGE))
    for answer in (Completed(0, b"page \nmore\n", b""), Completed(0, b"page !\nwhole\n", b""), Completed(1, b"", b"")):
        with pytest.raises((ToolError, Unreachable)):
            host_records.read_audit(layout, lambda command, told=answer: told, HOST)  # type: ignore[misc]
    Path(layout.audit).unlink()
    Path(layout.audit).symlink_to("/etc/hostname")
    with pytest.raises(ToolError):
        host_records.read_audit(layout, run, HOST)


def test_a_file_of_somebody_else_among_the_journals_is_named_with_its_host(tmp_path: Path) -> None:
    layout = prepared(tmp_path)
    (Path(layout.base) / "journal" / "notes.txt").write_text("mine")
    with pytest.raises(ToolError) as caught:
        host_records.read_recall(run(host_records.recall(layout, WEB)), HOST)
    assert str(HOST) in (caught.value.detail or "")
    assert "move it out" in (caught.value.hint or "")


def test_a_host_that_was_never_prepared_remembers_nothing(tmp_path: Path) -> None:
    layout = HostLayout(str(tmp_path))
    assert host_records.read_audit(layout, run, HOST) == b""
    assert host_records.read_recall(run(host_records.recall(layout, WEB)), HOST) == host_records.Recalled()
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("answer", [b"", b"modules/web.json e30=\n", b"modules/web.json !\nrecalled\n", b"hello\n"])
def test_an_answer_that_is_cut_short_or_foreign_is_no_memory(answer: bytes) -> None:
    with pytest.raises((ToolError, Unreachable)):
        host_records.read_recall(Completed(0, answer, b""), HOST)
    with pytest.raises(Unreachable):
        read_answer(Completed(1, answer, b""), HOST)
    with pytest.raises(Unreachable):
        read_answer(Completed(0, answer, b"", truncated=True), HOST)


@pytest.mark.parametrize(
    "packed",
    [b"", b"not packed", gzip.compress(b"not a tar"), gzip.compress(b"")[:-4]],
    ids=["nothing", "unpacked", "no tar", "cut short"],
)
def test_what_is_not_packed_as_records_are_is_no_memory(packed: bytes) -> None:
    refuses_records(packed)


def test_records_that_unpack_without_an_end_are_no_memory() -> None:
    refuses_records(gzip.compress(bytes(65 << 20), compresslevel=1))


def refuses_records(packed: bytes) -> None:
    answer = b"names modules/web.json\ntar %b\nmodules modules/web.json\nrecalled\n" % b64encode(packed)
    with pytest.raises(ToolError):
        host_records.read_recall(Completed(0, answer, b""), HOST)


SHIM = """#!/bin/sh
printf x >>"$SHIM_CALLS"; read -r calls <"$SHIM_CALLS"
[ "${{#calls}}" -lt "$SHIM_LIMIT" ] || kill -9 0
PATH=$SHIM_PATH exec {tool} "$@"
"""
TOOLS = ("cat", "mv", "sync", "mktemp", "sha256sum", "wc", "tail", "cut", "flock", "tr", "rm")


def killed_at(call: int, command: Command, shims: Path) -> bool:
    """Run a command and kill its whole process group when it starts its `call`-th program; False when it ended."""
    (shims / "calls").unlink(missing_ok=True)
    environment = {
        "PATH": f"{shims}:{os.environ['PATH']}",
        "SHIM_PATH": os.environ["PATH"],
        "SHIM_CALLS": str(shims / "calls"),
        "SHIM_LIMIT": str(call),
    }
    ended = run(Command(("setsid", "-w", *command.argv), command.stdin), **environment)
    assert ended.status in (0, -9)
    return ended.status == -9


@pytest.fixture
def shims(tmp_path: Path) -> Path:
    """Stand-ins for the programs a script calls, which count and kill."""
    folder = tmp_path / "shims"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).write_text(SHIM.format(tool=tool))
        (folder / tool).chmod(0o755)
    return folder


def test_a_script_killed_at_any_program_leaves_the_old_record_or_the_new(tmp_path: Path, shims: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    layout = prepared(root)
    path = Path(layout.base, "modules/web.json")
    seen = set()
    call = 1
    path.write_bytes(b"old")
    while killed_at(call, host_records.write_record(layout, WEB, b"new", replacing=b"old"), shims):
        seen.add(path.read_bytes())
        path.write_bytes(b"old")
        call += 1
    assert call > 6
    assert seen == {b"old", b"new"}
    ask(host_records.write_record(layout, WEB, b"newer", replacing=b"new"))


def test_a_script_killed_at_any_program_leaves_the_plan_unused_or_its_intent_whole(tmp_path: Path, shims: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    layout = prepared(root)
    path = Path(layout.base, "journal", PLAN.hexadecimal)
    seen = set()
    call = 1
    while killed_at(call, host_records.append_journal(layout, PLAN, INTENT, after=None), shims):
        seen.add(path.read_bytes() if path.exists() else None)
        path.unlink(missing_ok=True)
        call += 1
    assert call > 2
    assert seen == {None, INTENT + b"\n"}
