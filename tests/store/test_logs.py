"""The journal tells what was under way; the audit chain names what was done to it since."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platformctl.errors import Locked, ToolError
from platformctl.store import chain
from platformctl.store.audit import AuditLog, missing_from
from platformctl.store.chain import Damage, verify
from platformctl.store.journal import Journals, Kind, Record
from platformctl.store.lock import hold_locally
from platformctl.store.owner import Owner
from platformctl.store.patience import Patience
from tests.store.samples import AT, HOST, OTHER_PLAN, PLAN


def lines_of(count: int, event: str = "applied") -> list[bytes]:
    lines: list[bytes] = []
    for number in range(1, count + 1):
        lines.append(chain.next_line(b"\n".join(lines), AT, event, {"number": number}, what="the log"))
    return lines


def test_a_journal_comes_back_in_order(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    records = (
        Record(Kind.INTENT, "", AT, {}),
        Record(Kind.INTENT, "1", AT, {"words": "up"}),
        Record(Kind.OUTCOME, "1", AT, {"status": "0"}),
        Record(Kind.INTENT, "2", AT, {}),
    )
    assert journals.read(PLAN) is None
    for record in records:
        journals.append(PLAN, record)
    journal = journals.read(PLAN)
    assert journal is not None
    assert (journal.records, journal.settled) == (records, False)
    assert journals.unsettled() == (journal,)


def test_a_settled_journal_is_no_longer_unsettled(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    for plan in (PLAN, OTHER_PLAN):
        journals.append(plan, Record(Kind.INTENT, "", AT, {}))
    journals.append(PLAN, Record(Kind.SETTLED, "", AT, {"outcome": "APPLIED"}))
    assert [journal.plan for journal in journals.unsettled()] == [OTHER_PLAN]


def test_a_torn_record_does_not_count_and_the_journal_goes_on(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    journals.append(PLAN, Record(Kind.INTENT, "1", AT, {}))
    with journals.path(PLAN).open("ab") as file:
        file.write(b'{"seq":2,"event":"outc')
    journal = journals.read(PLAN)
    assert journal is not None
    assert journal.torn
    journals.append(PLAN, Record(Kind.OUTCOME, "1", AT, {}))
    journal = journals.read(PLAN)
    assert journal is not None
    assert (journal.torn, len(journal.records)) == (False, 2)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace(b'"status":"0"', b'"status":"1"'),
        lambda text: text.split(b"\n", 1)[1],
        lambda text: text.replace(b'"event":"settled"', b'"event":"else"'),
        lambda text: text.replace(b'"step":"1"', b'"step":1'),
        lambda text: text.replace(b"{", b""),
    ],
)
def test_a_journal_that_was_tampered_with_is_refused(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    journals = Journals(tmp_path)
    journals.append(PLAN, Record(Kind.INTENT, "1", AT, {}))
    journals.append(PLAN, Record(Kind.OUTCOME, "1", AT, {"status": "0"}))
    journals.append(PLAN, Record(Kind.SETTLED, "1", AT, {}))
    path = journals.path(PLAN)
    path.write_bytes(spoil(path.read_bytes()))
    for refused in (lambda: journals.read(PLAN), journals.unsettled):
        with pytest.raises(ToolError) as caught:
            refused()
        assert caught.value.summary == "a journal can not be read"
        assert caught.value.hint


def test_a_file_among_the_journals_that_is_named_for_no_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal/x.jsonl").touch()
    with pytest.raises(ToolError):
        Journals(tmp_path).unsettled()


def test_an_audit_log_is_a_sound_chain_and_carries_envelopes(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    for number in range(5):
        assert log.append(AT, "applied", {"envelope": '{"payload":"…"}'}).seq == number + 1
    lines, torn = log.read()
    assert (verify(lines, torn), torn) == ((), b"")
    assert chain.head(lines) == chain.digest_of(lines[-1])
    assert chain.parse(lines[0], "x").fields == {"envelope": '{"payload":"…"}'}


def test_an_audit_log_goes_on_after_a_torn_end_which_stays_visible(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.append(AT, "applied", {})
    with log.path.open("ab") as file:
        file.write(b'{"torn')
    lines, torn = log.read()
    assert [str(problem) for problem in verify(lines, torn)] == ["line 2: record of unknown number was torn"]
    assert log.append(AT, "applied", {}).seq == 2
    assert [problem.damage for problem in verify(*log.read())] == [Damage.TORN]


def test_an_audit_log_without_a_readable_end_is_not_continued(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.append(AT, "applied", {})
    log.path.write_bytes(b"junk\n")
    with pytest.raises(ToolError):
        log.append(AT, "applied", {})
    assert log.path.read_bytes() == b"junk\n"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda x: [*x[:2], x[2].replace(b"applied", b"refused"), *x[3:]], "line 3: record 3 was changed"),
        (lambda x: [*x[:2], b"junk", *x[3:]], "line 3: record 3 was changed"),
        (lambda x: [*x[:2], *x[3:]], "line 3: record 3 was removed"),
        (lambda x: x[1:], "line 1: record 1 was removed"),
        (lambda x: [*x[:2], x[1].replace(b"applied", b"refused"), *x[2:]], "line 3: record 2 was added"),
        (lambda x: [*x[:2], b"junk", *x[2:]], "line 3: record of unknown number was added"),
        (lambda x: [*x[:3], x[0], *x[3:]], "line 4: record 1 was added"),
        (lambda x: [*x[:1], x[3], *x[1:]], "line 2: record 4 was added"),
        (lambda x: [*x, x[0]], "line 6: record 1 was added"),
        (lambda x: [*x, x[2]], "line 6: record 3 was added"),
        (lambda x: [*x, lines_of(1, "of another log")[0]], "line 6: record 1 was added"),
        (lambda x: [*x, lines_of(2, "of another log")[1]], "line 6: record 2 was added"),
    ],
)
def test_what_was_done_to_a_record_is_named(spoil: Callable[[list[bytes]], list[bytes]], said: str) -> None:
    assert [str(problem) for problem in verify(spoil(lines_of(5)))] == [said]


def test_a_log_that_was_cut_off_has_another_head_and_is_sound_in_itself() -> None:
    lines = lines_of(5)
    assert verify(lines[:3]) == ()
    assert len({chain.head(lines), chain.head(lines[:3]), chain.head([])}) == 3


SOUND = lines_of(6)


@given(st.lists(st.sampled_from(range(6)), max_size=8))
def test_no_other_order_or_choice_of_records_passes_for_the_log(order: list[int]) -> None:
    rearranged = [SOUND[number] for number in order]
    assert (verify(rearranged) == ()) == (order == list(range(len(order))))


@given(st.integers(0, 4), st.integers(0, 400), st.integers(1, 255))
def test_no_changed_byte_before_the_last_record_goes_unseen(line: int, place: int, change: int) -> None:
    changed = bytearray(SOUND[line])
    changed[place % len(changed)] ^= change
    assert verify([*SOUND[:line], bytes(changed), *SOUND[line + 1 :]])


def test_the_two_ends_are_compared_by_what_happened_and_not_by_place() -> None:
    ours = [chain.parse(line, "x") for line in lines_of(3)]
    theirs = [*ours[1:], chain.parse(chain.next_line(b"", AT, "unlocked", {}, what="x"), "x")]
    assert [entry.fields for entry in missing_from(theirs, ours)] == [{"number": 1}]
    assert [entry.event for entry in missing_from(ours, theirs)] == ["unlocked"]
    assert missing_from(theirs, ours[1:]) == ()
    assert missing_from(theirs, [ours[1], ours[1]]) == (ours[1],)


HOLDS = """
import sys
from pathlib import Path
from platformctl.store.lock import hold_locally
from platformctl.store.patience import Patience
from platformctl.store.owner import Owner
from tests.store.samples import AT, HOST
with hold_locally(Path(sys.argv[1]), HOST, Owner("ann", AT, "apply web"), Patience()):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_apply_in_one_clone_is_told_who_is_at_work(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(Locked) as caught, hold_locally(tmp_path, HOST, Owner("bob", AT, "x"), Patience()):
            pass
        assert caught.value.detail == f"rs2000: held by ann since {AT}: apply web"
        first.kill()
    with hold_locally(tmp_path, HOST, Owner("bob", AT, "x"), Patience()), pytest.raises(Locked) as caught:  # noqa: SIM117
        with hold_locally(tmp_path, HOST, Owner("eve", AT, "x"), Patience()):
            pass
    assert "held by bob" in caught.value.detail


def test_who_waits_for_the_local_lock_gets_it_when_it_is_free(tmp_path: Path) -> None:
    """The wait is bounded, and the one who waits may be asked to stop."""
    waited: list[float] = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(Locked), hold_locally(tmp_path, HOST, Owner("bob", AT, "x"), Patience(2.5, waited.append)):
            pass
        assert waited == [1.0, 1.0, 0.5]

        def end_it(_: float) -> None:
            first.kill()
            first.wait()

        with hold_locally(tmp_path, HOST, Owner("bob", AT, "x"), Patience(60, end_it)):
            pass
