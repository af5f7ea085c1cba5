"""What a hostile host or pull request tries with output: command the terminal or runner, hide text, leak, stall."""

from random import Random
from time import process_time

import pytest

from platformctl.cli import printing
from platformctl.model.secret import Secret
from platformctl.redaction import REDACTED, Redactor, sanitise

SECRET = "correct-horse-battery"


@pytest.mark.parametrize(
    "command",
    [
        "::set-env name=PATH::/tmp",
        "::add-mask::a",
        "  ::error file=a::b",
        "\u00a0::set-output name=a::b",
        ":::stop-commands::x",
        "##[set-env name=PATH]/tmp",
        "text before ##[add-path]/tmp",
        "##vso[task.setvariable variable=a]b",
        "#" * 5 + "vso[task.complete]",
        "##teamcity[buildStop]",
    ],
)
def test_output_cannot_command_the_ci_runner(command: str) -> None:
    shown = sanitise(f"first line\n{command}\n")
    assert "##[" not in shown
    assert "##vso[" not in shown
    assert "##teamcity[" not in shown
    assert not [line for line in shown.splitlines() if line.strip().startswith("::")]
    assert command.strip(" \u00a0#:")[-6:] in shown  # and a person can still read it


def test_what_is_said_meanwhile_passes_the_sink_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Keys that a host shows of itself, and a plan before it is approved."""
    printing.progress("ssh-\x1b[2Jrsa password=hunter2")
    assert capsys.readouterr().err == f"ssh-\\x1b[2Jrsa password={REDACTED}\n"


def test_redaction_does_not_put_a_ci_command_together() -> None:
    assert "##vso[" not in Redactor([Secret(SECRET)]).clean(f"##vso{SECRET}")
    assert "##[" not in Redactor([Secret(SECRET)]).clean(f"##{SECRET}")


@pytest.mark.parametrize("chunks", [["##", "vso[task]\n"], ["#", "#[x]\n"], [":", ":set-env\n"], [" ", "::x::y\n"]])
def test_a_ci_command_split_over_chunks_is_neutralised(chunks: list[str]) -> None:
    stream = Redactor().stream()
    shown = "".join([*map(stream.feed, chunks), stream.finish()])
    assert sanitise(shown) == shown


@pytest.mark.parametrize(
    ("hostile", "visible"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("ok\rFAILED", "ok\\x0dFAILED"),
        ("abc\x08\x08", "abc\\x08\\x08"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("pay\u200bpal", "pay\\u200bpal"),
        ("line\u2028line\u2029line\u0085", "line\\u2028line\\u2029line\\x85"),
        ("\ufeff", "\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("nul\x00", "nul\\x00"),
    ],
)
def test_output_cannot_rewrite_or_hide_what_is_on_the_screen(hostile: str, visible: str) -> None:
    assert sanitise(hostile) == visible


def test_a_secret_cannot_slip_out_behind_the_marker() -> None:
    redactor = Redactor([Secret(SECRET)])
    assert SECRET not in redactor.clean(f"{REDACTED}{SECRET}{REDACTED}")
    assert redactor.clean(f"password={REDACTED}{SECRET}") == f"password={REDACTED}"


def test_a_known_secret_cannot_break_the_marker() -> None:
    assert Redactor([Secret("acted")]).clean(f"a {REDACTED} b") == f"a {REDACTED} b"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_secret_sent_a_few_bytes_at_a_time_is_caught(size: int) -> None:
    output = f"start\ntoken is {SECRET}\nend\n".encode()
    stream = Redactor([Secret(SECRET)]).stream()
    shown = (
        "".join(stream.feed(output[start : start + size]) for start in range(0, len(output), size)) + stream.finish()
    )
    assert shown == f"start\ntoken is {REDACTED}\nend\n"


def test_no_prefix_of_a_secret_is_ever_on_the_screen() -> None:
    stream = Redactor([Secret(SECRET)]).stream()
    shown = "".join(stream.feed(character) for character in f"{'x' * 200_000}{SECRET}")
    assert SECRET[:4] not in shown
    assert SECRET[:4] not in stream.finish()


def test_a_secret_in_an_endless_line_is_caught_wherever_the_stream_parts_it() -> None:
    noise = Random("noise")
    stream, shown = Redactor([Secret(SECRET)]).stream(), []
    for _ in range(400):
        shown.append(stream.feed("y" * noise.randrange(2000) + SECRET[:9]))
        shown.append(stream.feed(SECRET[9:] + " password=" + "z" * noise.randrange(300)))
    result = "".join([*shown, stream.finish()])
    assert SECRET not in result
    assert SECRET[:9] not in result
    assert "zz" not in result
    assert result.count(REDACTED) >= 400


@pytest.mark.parametrize(
    "opening", ["password=", 'password="', "-----BEGIN PRIVATE KEY-----\n", "Authorization: Bearer "]
)
def test_a_secret_without_end_is_dropped_and_does_not_fill_the_memory(opening: str) -> None:
    stream = Redactor().stream()
    shown = "".join([stream.feed(opening), *(stream.feed("A1b2" * 8192) for _ in range(40)), stream.finish()])
    assert "A1b2" not in shown
    assert len(shown) < 1000


def test_a_stream_goes_on_after_a_secret_that_was_dropped() -> None:
    stream = Redactor().stream()
    shown = "".join([stream.feed("token="), *(stream.feed("A1b2" * 8192) for _ in range(8)), stream.feed("\nready\n")])
    assert shown == f"token={REDACTED}\nready\n"


@pytest.mark.parametrize(
    "unit",
    [
        "token", "eyJ", "://", "sk-", "password=", 'password="', "-----BEGIN PRIVATE KEY-----", " ", "\n", "::", "##[",
        "\\", "'", "%41", "&#65;", "\x1b[31m", "0", "bearer ", "login a password ", "secret=a;", "a.", "://u:", "sess.",
        "<token>", "--token ", "password: |\n  ",
    ],
)  # fmt: skip
def test_no_megabyte_of_anything_stalls_the_sink(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    redactor = Redactor([Secret(SECRET), Secret("battery staple")])
    began = process_time()
    redactor.clean(text)
    assert process_time() - began < 15  # processor seconds; quadratic would be minutes
