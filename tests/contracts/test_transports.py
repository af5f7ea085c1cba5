"""What every transport promises, tried on each: on this machine, and through a real sshd."""

import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from platformctl.errors import OutcomeUnknown
from platformctl.model.command import Command
from platformctl.transports.interface import Transport
from platformctl.transports.output import OUTPUT_LIMIT

MEGABYTE = 1_000_000


def sh(script: str, *words: str, stdin: bytes = b"", timeout: float = 20.0) -> Command:
    return Command(("sh", "-c", script, "sh", *words), stdin, timeout)


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word", ["plain", "", "two words", "a;b", "$(id)", "`id`", "'", '"', "a\nb", "\\", "~", "*", "ü…", "-x"]
)
def test_every_word_arrives_as_it_is(transport: Transport, word: str) -> None:
    assert transport.run(Command(("printf", "%s|", word, "end"))).stdout == f"{word}|end|".encode()


@pytest.mark.parametrize("argv", [(), ("printf", "a\0b"), ("printf", "\udcff")])
def test_words_that_no_host_can_be_given_are_refused_before_anything_is_sent(
    transport: Transport, argv: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError):
        transport.run(Command(argv))
    with pytest.raises(ValueError):
        transport.hold(Command(argv))
    assert transport.exchanges == 0


# --- endings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_a_command_that_ended_is_a_value_whatever_its_status(transport: Transport, status: int) -> None:
    ended = transport.run(sh('echo said; echo complained >&2; exit "$1"', str(status)))

    assert (ended.status, ended.stdout, ended.stderr) == (status, b"said\n", b"complained\n")
    assert not ended.truncated


def test_a_program_that_is_not_there_is_status_127(transport: Transport) -> None:
    assert transport.run(Command(("no-such-program-anywhere",))).status == 127


def test_a_file_that_is_no_program_is_status_126(transport: Transport) -> None:
    assert transport.run(Command(("/etc/passwd",))).status == 126


def test_a_command_ended_by_a_signal_never_looks_like_success(transport: Transport) -> None:
    try:
        status = transport.run(sh("kill -KILL $$")).status
    except OutcomeUnknown:
        return  # a login shell that replaces itself by the command leaves nobody to report 137
    assert status == 128 + 9


def test_after_the_deadline_the_outcome_is_unknown(transport: Transport) -> None:
    transport.run(Command(("true",)))  # it is connected
    begun = time.monotonic()
    with pytest.raises(OutcomeUnknown) as caught:
        transport.run(Command(("sleep", "60"), timeout=0.3))

    assert time.monotonic() - begun < 30
    assert caught.value.host == transport.entry.name
    assert "sleep" in caught.value.detail


def test_a_command_that_closes_its_output_and_hangs_is_unknown_at_the_deadline(transport: Transport) -> None:
    with pytest.raises(OutcomeUnknown):
        transport.run(sh("exec >&- 2>&-; sleep 60", timeout=0.3))


def test_a_known_status_survives_a_process_left_behind_that_keeps_the_output_open(transport: Transport) -> None:
    ended = transport.run(sh("sleep 60 & echo done; exit 4", timeout=2))

    assert (ended.status, ended.stdout, ended.truncated) == (4, b"done\n", True)


def test_the_next_command_runs_after_one_of_unknown_outcome(transport: Transport) -> None:
    with pytest.raises(OutcomeUnknown):
        transport.run(Command(("sleep", "60"), timeout=0.1))

    assert transport.run(Command(("echo", "here"))).text == "here\n"


# --- streams --------------------------------------------------------------------------------------


def test_input_arrives_whole_while_output_comes_back(transport: Transport) -> None:
    content = bytes(range(256)) * 4 * 4096

    assert transport.run(Command(("cat",), content)).stdout == content


def test_input_that_nobody_reads_is_no_failure(transport: Transport) -> None:
    assert transport.run(Command(("true",), b"x" * 4 * MEGABYTE)).status == 0


def test_without_input_a_command_reads_an_end_at_once(transport: Transport) -> None:
    assert transport.run(Command(("cat",))).status == 0


def test_eight_megabytes_of_complaints_do_not_stop_the_answer(transport: Transport) -> None:
    ended = transport.run(sh('head -c "$1" /dev/zero >&2; echo answer', str(8 * MEGABYTE)))

    assert (ended.text, len(ended.stderr), ended.truncated) == ("answer\n", 8 * MEGABYTE, False)


def test_a_flood_costs_bounded_memory_and_says_that_it_was_cut(transport: Transport) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = transport.run(Command(("head", "-c", str(100 * MEGABYTE), "/dev/zero")))

    assert (len(ended.stdout), ended.truncated) == (OUTPUT_LIMIT, True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kilobytes


def test_a_flood_without_end_ends_at_the_deadline(transport: Transport) -> None:
    with pytest.raises(OutcomeUnknown):
        transport.run(Command(("yes",), timeout=0.5))


def test_a_command_that_minds_no_signal_is_left_at_the_deadline(transport: Transport) -> None:
    transport.run(Command(("true",)))  # it is connected
    begun = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        transport.run(sh("trap '' TERM HUP INT PIPE; echo here; sleep 60 & wait; wait; wait", timeout=0.3))

    assert time.monotonic() - begun < 30


@pytest.mark.thorough
@pytest.mark.parametrize("stream", ["", ">&2"])
def test_a_gibibyte_ends_in_time_and_in_little_memory(transport: Transport, stream: str) -> None:
    """Ours, and that of the programs we run for it."""
    begun = time.monotonic()
    with suppress(OutcomeUnknown):
        assert transport.run(sh(f"head -c {1 << 30} /dev/zero {stream}", timeout=20)).truncated

    assert time.monotonic() - begun < 20 + 5
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        assert resource.getrusage(who).ru_maxrss < 256 << 10  # kibibytes


# --- held processes -------------------------------------------------------------------------------


def test_a_held_process_answers_and_lives_while_others_run(transport: Transport) -> None:
    held = transport.hold(sh("echo ready; cat >/dev/null"))

    assert held.answer(30) == "ready"
    assert transport.run(Command(("echo", "meanwhile"))).text == "meanwhile\n"
    assert held.beat()
    held.release()


def test_a_held_process_is_given_its_input_first_and_then_the_beats(transport: Transport) -> None:
    held = transport.hold(sh('read -r owner; read -r beat; echo "$owner<$beat>"; cat >/dev/null', stdin=b"me\n"))
    assert held.beat()

    assert held.answer(30) == "me<>"
    held.release()


def test_a_released_process_sees_the_end_of_its_input_and_ends_by_itself(transport: Transport) -> None:
    place = transport.run(Command(("mktemp", "-d"))).text.strip()
    held = transport.hold(sh('echo ready; cat >/dev/null; echo ended >"$1/log"', place))
    held.answer(30)
    held.release()
    held.release()

    assert transport.run(sh('cat "$1/log"; rm -r "$1"', place)).text == "ended\n"
    assert not held.beat()


@pytest.mark.parametrize("script", ["exit 3", "printf 'no newline'", "cat >/dev/null", "exec no-such-program-anywhere"])
def test_a_held_process_that_does_not_answer_answers_nothing(transport: Transport, script: str) -> None:
    held = transport.hold(sh(script))

    assert held.answer(0.3) == ""
    held.release()


def test_the_beat_of_a_process_that_ended_fails(transport: Transport) -> None:
    held = transport.hold(sh("echo going"))
    held.answer(30)
    deadline = time.monotonic() + 30
    while held.beat() and time.monotonic() < deadline:
        transport.run(Command(("true",)))

    assert not held.beat()
    held.release()


def test_a_heart_beats_in_its_thread_while_commands_run(transport: Transport) -> None:
    held, over, beats = transport.hold(sh("echo ready; cat >/dev/null")), threading.Event(), []
    held.answer(30)

    def heart() -> None:
        while not over.wait(0.005):
            beats.append(held.beat())

    thread = threading.Thread(target=heart)
    thread.start()
    outputs = set()
    while len(beats) < 3:
        outputs.add(transport.run(Command(("cat",), b"x" * MEGABYTE)).stdout)
    over.set()
    thread.join()
    held.release()

    assert outputs == {b"x" * MEGABYTE}
    assert all(beats)


# --- counting, threads, closing -------------------------------------------------------------------


def test_each_command_counts_as_one_exchange(transport: Transport) -> None:
    transport.run(Command(("true",)))
    transport.run(Command(("false",)))
    transport.hold(Command(("cat",))).release()

    assert transport.exchanges == 3


def test_more_commands_at_once_than_channels_all_run(transport: Transport) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(lambda number: transport.run(Command(("echo", str(number)))).text, range(20))

    assert list(answers) == [f"{number}\n" for number in range(20)]


def test_closing_twice_is_safe(transport: Transport) -> None:
    transport.run(Command(("true",)))
    transport.close()
    transport.close()
