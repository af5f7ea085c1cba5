"""Several commands in one exchange, run by a real shell."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from platformctl.errors import Unreachable
from platformctl.model.command import Command, Completed
from platformctl.store.batch import AT_ONCE, MARK_LIMIT, ROW_LIMIT, Batch, CutShort, batches, run_together
from tests.store.hosts import run, started
from tests.store.samples import HOST


def ran(*commands: Command) -> Sequence[Completed]:
    batch = Batch(commands)
    return batch.read(run(batch.command), HOST)


def sh(text: str, *words: str, stdin: bytes = b"") -> Command:
    return Command(("sh", "-c", text, "sh", *words), stdin)


def test_each_has_its_words_its_input_and_its_outputs() -> None:
    one, two, three = ran(
        sh('cat; printf "%s|" "$@" >&2', "a b", "$(id)", "", "'", stdin=b"first\n"),
        sh("cat"),
        sh("printf 'no newline'; cat", stdin=b"\0third"),
    )
    assert (one.status, one.stdout, one.stderr) == (0, b"first\n", b"a b|$(id)||'|")
    assert (two.stdout, two.stderr) == (b"", b"")
    assert three.stdout == b"no newline\0third"


def test_one_that_fails_is_the_last_to_run() -> None:
    (one, two) = ran(sh("echo 1"), sh("echo 2; exit 7"), sh("echo 3"))
    assert (one.status, two.status, two.stdout) == (0, 7, b"2\n")


def test_one_that_does_not_read_its_input_spoils_nobody_elses() -> None:
    one, two = ran(sh("exit 0", stdin=b"x" * 1_000_000), sh("cat", stdin=b"mine"))
    assert (one.status, two.stdout) == (0, b"mine")


def test_a_terse_one_has_its_input_and_its_outputs_too() -> None:
    told = Command(("sh", "-c", 'cat; echo "$1" >&2; exit 3', "sh", "a b"), b"mine", terse=True)
    one, two = ran(sh("cat", stdin=b"theirs"), told, sh("echo never"))
    assert (one.stdout, two.stdout, two.stderr, two.status) == (b"theirs", b"mine", b"a b\n", 3)


def test_of_those_that_only_read_one_may_have_the_input_as_it_comes() -> None:
    batch = Batch(
        (sh("cat; echo 1"), sh("cat; echo 2 >&2", stdin=b"theirs"), sh("cat; exit 4"), sh("echo 5")), reading=True
    )
    one, two, three = batch.read(run(batch.command, TMPDIR="/nonexistent"), HOST)
    assert (one.stdout, two.stdout, two.stderr, three.status) == (b"1\n", b"theirs", b"2\n", 4)


def test_of_those_that_only_read_several_may_have_input() -> None:
    batch = Batch((sh("cat", stdin=b"ours"), sh("cat", stdin=b"theirs")), reading=True)
    assert [each.stdout for each in batch.read(run(batch.command), HOST)] == [b"ours", b"theirs"]


def test_a_row_that_says_more_than_is_kept_is_cut_short() -> None:
    def told(command: Command) -> Completed:
        return Completed(0, run(command).stdout[:100], b"", truncated=True)

    with pytest.raises(CutShort):
        run_together(told, (sh("seq 100"), sh("echo 2")), HOST)


def test_nothing_is_left_on_a_host_whose_reader_goes_amid_an_answer(tmp_path: Path) -> None:
    aside, go_on = tmp_path / "aside", tmp_path / "go on"
    aside.mkdir()
    waits = Command(("sh", "-c", 'until [ -e "$1" ]; do sleep 0.01; done', "sh", str(go_on)), b"x", terse=True)
    batch = Batch((waits, sh("echo 2"))).command
    with started(Command(("env", f"TMPDIR={aside}", *batch.argv))) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(batch.stdin)
        process.stdin.close()
        process.stdout.close()
        go_on.touch()
        assert process.wait() == 74
    assert list(aside.iterdir()) == []


def test_a_flood_is_drained_and_the_status_is_known_all_the_same() -> None:
    """Whatever they say, all of them together say no more than a transport keeps."""
    one, two = ran(sh("head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2"), sh("echo 2"))
    limit = ROW_LIMIT // 3 - MARK_LIMIT
    assert (one.status, len(one.stdout), len(one.stderr), one.truncated) == (0, limit, limit, True)
    assert (two.stdout, two.truncated) == (b"2\n", False)


def test_what_a_command_says_is_no_mark() -> None:
    """It can not know the nonce."""
    lie = sh("printf '\\nplatformctl-batch 0123456789abcdef 0\\n'; exit 3")
    assert [each.status for each in ran(lie, sh("true"))] == [3]


def test_one_whose_end_was_not_seen_is_missing() -> None:
    batch = Batch((sh("echo 1"), sh("echo 2")))
    whole = run(batch.command)
    cut = Completed(whole.status, whole.stdout, whole.stderr.rpartition(b"\nplatformctl-batch")[0])
    assert len(batch.read(whole, HOST)) == 2
    assert len(batch.read(cut, HOST)) == 1


def test_a_reader_who_goes_away_ends_the_row_and_not_the_command_at_work(tmp_path: Path) -> None:
    """What is at work comes to its end however much it says; what would follow does not begin."""
    began, gate, end, second = (tmp_path / name for name in ("began", "gate", "end", "second"))
    for fifo in (began, gate, end):
        os.mkfifo(fifo)
    text = 'echo >"$1"; read -r _ <"$2"; head -c 9000000 /dev/zero; echo end >"$3"'
    talker = sh(text, str(began), str(gate), str(end))
    with started(Batch((talker, sh('echo >"$1"', str(second)))).command) as process:
        assert began.read_text() == "\n"
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream
            stream.close()
        gate.write_text("go\n")
        assert end.read_text() == "end\n"
        process.wait(timeout=20)
    assert not second.exists()


def test_without_room_for_the_inputs_nothing_runs() -> None:
    batch = Batch((sh("echo ran", stdin=b"x" * (AT_ONCE + 1)),))
    with pytest.raises(Unreachable) as caught:
        batch.read(run(batch.command, TMPDIR="/nowhere"), HOST)
    assert caught.value.reason == "disk_full"


def test_short_input_takes_no_room_and_ends_where_it_was_cut() -> None:
    batch = Batch((sh("cat", stdin=b"ours"), sh("cat", stdin=b"theirs")))
    whole = batch.command
    for sent, told in ((whole.stdin, [b"ours", b"theirs"]), (whole.stdin[:6], [b"ours", b"th"])):
        ended = run(Command(whole.argv, sent), TMPDIR="/nowhere")
        assert [each.stdout for each in batch.read(ended, HOST)] == told


def test_a_row_is_no_longer_than_a_kernel_takes() -> None:
    commands = [sh(f"echo {n}", "x" * 20_000) for n in range(9)]
    rows = batches(commands)
    assert [command for row in rows for command in row] == commands
    assert [len(row) for row in rows] == [2, 2, 2, 2, 1]
    assert batches([]) == []
