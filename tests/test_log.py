"""The log shows what it was given at the level asked for, one line each, with nothing for a terminal to obey."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
import structlog

from platformctl import log
from platformctl.model.secret import Secret
from platformctl.redaction import Redactor

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
HOSTILE = "up\x1b[2J\r\u202e\u2028\x9b\n::error::owned"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    yield []
    structlog.reset_defaults()


def configure(
    lines: list[str],
    *,
    level: log.Level = "normal",
    form: log.Form = "text",
    clean: Callable[[str], str] = str,
    now: datetime = NOON,
) -> None:
    log.configure(level=level, form=form, write=lines.append, clean=clean, now=lambda: now)


def test_text_has_time_level_event_and_the_fields_by_name(lines: list[str]) -> None:
    configure(lines)

    log.logger().info("a step ended", step="s1", attempt=2, words=("docker", "up -d"), done=True, took=0.5, host=None)

    assert lines == [
        "2024-05-01T12:00:00.000Z info     a step ended attempt=2 done=true host=null step=s1 took=0.5 "
        'words=["docker", "up -d"]\n'
    ]


def test_json_is_one_object_with_sorted_keys_and_values_of_their_kind(lines: list[str]) -> None:
    configure(lines, form="json")

    log.logger().warning("slow", seconds=3, words=["a", 1], where=None)

    assert lines[0].endswith("}\n")
    assert json.loads(lines[0]) == {
        "event": "slow",
        "level": "warning",
        "seconds": 3,
        "timestamp": "2024-05-01T12:00:00.000Z",
        "where": None,
        "words": ["a", 1],
    }
    assert list(json.loads(lines[0])) == sorted(json.loads(lines[0]))


def test_a_number_that_json_has_no_word_for_is_written_as_text(lines: list[str]) -> None:
    configure(lines, form="json")

    log.logger().info("odd", ratio=float("nan"))

    assert json.loads(lines[0])["ratio"] == "nan"


def test_times_are_shown_in_utc_wherever_the_clock_stands(lines: list[str]) -> None:
    configure(lines, now=NOON.astimezone(timezone(timedelta(hours=9))))

    log.logger().info("hello")

    assert lines[0].startswith("2024-05-01T12:00:00.000Z ")


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("quiet", ["warning", "error"]),
        ("normal", ["info", "warning", "error"]),
        ("verbose", ["debug", "info", "warning", "error"]),
    ],
)
def test_a_level_writes_itself_and_what_is_graver(lines: list[str], level: log.Level, written: list[str]) -> None:
    configure(lines, level=level)

    for method in ("debug", "info", "warning", "error"):
        getattr(log.logger(), method)("said")

    assert [line.split()[1] for line in lines] == written


@pytest.mark.parametrize("form", ["text", "json"])
def test_hostile_text_stays_on_one_line_even_before_the_sink_sees_it(lines: list[str], form: log.Form) -> None:
    configure(lines, form=form)

    log.logger().info(HOSTILE, **{"value": HOSTILE, HOSTILE: "key"})

    assert len(lines) == 1
    assert lines[0].rstrip("\n").isprintable()
    assert len(lines[0].splitlines()) == 1


def test_a_value_can_not_pass_itself_off_as_another_field(lines: list[str]) -> None:
    configure(lines)

    log.logger().info("said", value='x" level=error \\', word="a=b")

    assert lines[0].endswith('value="x\\" level=error \\\\" word="a=b"\n')


@pytest.mark.parametrize("form", ["text", "json"])
def test_known_secrets_are_taken_out_wherever_they_stand(lines: list[str], form: log.Form) -> None:
    secret = 'gr\u00fc\u00df\n"gott" 4711'
    configure(lines, form=form, clean=Redactor([Secret(secret)]).clean)

    log.logger().info(f"event {secret}", value=f"value {secret}", words=(f"word {secret}",))

    assert "4711" not in lines[0]
    assert "gott" not in lines[0]
    assert lines[0].count("[redacted]") == 3


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_value_is_taken_out_for_the_name_it_stands_beside(lines: list[str], form: log.Form) -> None:
    configure(lines, form=form, clean=Redactor().clean)

    log.logger().info("connecting", password="Tr0ub4dor-and-3", host="web1")

    assert "Tr0ub4dor" not in lines[0]
    assert "web1" in lines[0]


def test_json_is_still_json_after_the_sink(lines: list[str]) -> None:
    configure(lines, form="json", clean=Redactor([Secret("hunter2hunter2")]).clean)

    log.logger().info(HOSTILE, password="Tr0ub4dor-and-3", value="##vso[task] hunter2hunter2", words=("::x::",))

    shown = json.loads(lines[0])
    assert shown["password"] == "[redacted]"
    assert "hunter2" not in shown["value"]


def test_an_error_s_traceback_is_one_field_of_the_line_and_passes_the_sink(lines: list[str]) -> None:
    configure(lines, clean=Redactor([Secret("hunter2hunter2")]).clean)

    try:
        raise ValueError("hunter2hunter2")
    except ValueError:
        log.logger().exception("broke")

    assert len(lines) == 1
    assert "exception=" in lines[0]
    assert "ValueError: [redacted]" in lines[0]


def test_a_secret_object_is_never_revealed(lines: list[str]) -> None:
    configure(lines)

    log.logger().info("connecting", key=Secret("hunter2hunter2"))

    assert "key=[redacted]" in lines[0]


def test_before_it_is_set_up_the_log_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()

    log.logger().error("to nobody", value=HOSTILE)

    assert capsys.readouterr() == ("", "")


def test_setting_it_up_again_replaces_what_was_set_before(lines: list[str]) -> None:
    configure(lines)
    early = log.logger()
    later: list[str] = []
    configure(later, form="json")

    early.info("hello")
    log.logger().info("hello")

    assert lines == []
    assert len(later) == 2


def test_importing_the_log_imports_no_structlog() -> None:
    code = "import platformctl.log, sys; sys.exit('structlog' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_line_is_written_without_asyncio_which_is_there_for_others_all_the_same() -> None:
    words = """
import sys
from datetime import UTC, datetime
from platformctl import log
log.configure(level="normal", form="text", write=sys.stdout.write, clean=str, now=lambda: datetime.now(UTC))
log.logger().info("said")
print("asyncio" in sys.modules)
import asyncio, structlog
print(asyncio.run(structlog.stdlib.BoundLogger(log._Lines(str, sys.stdout.write), [lambda *a: "later"], {}).ainfo("x")))
"""
    done = subprocess.run((sys.executable, "-c", words), capture_output=True, text=True, check=True)

    said, loaded, later, *_ = done.stdout.splitlines()
    assert (said.endswith("said"), loaded, later.strip()) == (True, "False", "later")


def test_who_needs_asyncio_while_structlog_is_imported_gets_it() -> None:
    words = """
import sys
from platformctl import log
sys.modules["asyncio"] = log._Later("asyncio")
import asyncio
print(asyncio.run(asyncio.sleep(0, "slept")), sys.modules["asyncio"].__file__)
"""
    done = subprocess.run((sys.executable, "-c", words), capture_output=True, text=True, check=True)

    assert done.stdout.startswith("slept /")
