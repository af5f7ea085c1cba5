"""The state of a module is what was written, or it is refused and left alone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from platformctl.errors import InvalidInput, ToolError
from platformctl.model.names import ModuleId
from platformctl.store.states import StateStore
from tests.store.samples import status

WEB = ModuleId.parse("web")


def test_a_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    assert store.write(status()) == tmp_path / "state/modules/web.status.json"
    assert store.read(WEB) == status()


def test_the_file_can_be_read_with_any_json_tool(tmp_path: Path) -> None:
    path = StateStore(tmp_path).write(status())
    shown = subprocess.run([sys.executable, "-m", "json.tool", str(path)], capture_output=True, text=True, check=True)
    assert '"applied_at": "2025-01-01T00:00:00Z"' in shown.stdout
    assert f'"last_apply_sha": "{"c" * 40}"' in shown.stdout
    assert '"last_apply_pr": 7' in shown.stdout


def test_before_the_first_apply_nothing_is_known(tmp_path: Path) -> None:
    assert StateStore(tmp_path).read(WEB) is None
    assert StateStore(tmp_path).all() == ()


def test_all_states_are_listed_by_id(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    for module in ("web", "db", "cache"):
        store.write(status(module))
    assert [each.module for each in store.all()] == ["cache", "db", "web"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text[:-1],
        lambda text: b"",
        lambda text: text.replace(b'"serial":1', b'"serial":2'),
        lambda text: text + b"\n",
        lambda text: b" " + text,
        lambda text: b"\0" * len(text),
    ],
)
def test_a_state_that_was_cut_off_or_edited_is_refused_and_left_alone(tmp_path: Path, spoil: object) -> None:
    store = StateStore(tmp_path)
    path = store.write(status())
    spoiled = spoil(path.read_bytes())  # type: ignore[operator]
    path.write_bytes(spoiled)
    for refused in (lambda: store.read(WEB), store.all, lambda: store.write(status(serial=9))):
        with pytest.raises(ToolError) as caught:
            refused()
        assert caught.value.summary == "state can not be read"
        assert "it is cut off or was edited" in caught.value.detail
    assert path.read_bytes() == spoiled


def sealed(text: bytes) -> bytes:
    """The file with the checksum made right again: what a newer tool would have written."""
    import hashlib

    rest = text[text.index(b",") + 1 :].removesuffix(b"\n")
    return b'{"checksum":"sha256:' + hashlib.sha256(rest).hexdigest().encode() + b'",' + rest + b"\n"


def test_a_state_of_a_newer_tool_is_refused_and_left_alone(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    path = store.write(status())
    newer = sealed(path.read_bytes().replace(b'"format_version":"1.0"', b'"format_version":"1.1"'))
    path.write_bytes(newer)
    with pytest.raises(ToolError) as caught:
        store.write(status(serial=9))
    assert "another version of this tool wrote it" in caught.value.detail
    assert path.read_bytes() == newer


def test_a_state_with_a_field_of_another_type_is_refused(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    path = store.write(status())
    path.write_bytes(sealed(path.read_bytes().replace(b'"last_apply_pr":7', b'"last_apply_pr":"7"')))
    with pytest.raises(ToolError) as caught:
        store.read(WEB)
    assert caught.value.detail.endswith("last_apply_pr: expected a whole number")


def test_a_state_under_another_name_is_refused(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    path = store.write(status())
    path.rename(path.with_name("db.status.json"))
    with pytest.raises(ToolError) as caught:
        store.all()
    assert "it is the state of module web" in caught.value.detail


def test_an_older_state_never_replaces_a_newer(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.write(status(serial=5))
    for serial in (4, 5):
        with pytest.raises(ToolError) as caught:
            store.write(status(serial=serial, applied_at="2024-01-01T00:00:00Z"))
        assert caught.value.summary == "a newer state is already there"
    store.write(status(serial=5))
    store.write(status(serial=6))
    assert store.read(WEB) == status(serial=6)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "A", "x" * 64, "x\n", "-x"])
def test_an_unsafe_id_is_no_module_id(name: str) -> None:
    with pytest.raises(InvalidInput):
        ModuleId.parse(name)


def test_a_state_is_whole_after_any_number_of_kills(tmp_path: Path) -> None:
    """A writer that writes without pause is killed after each state it reports; what it leaves always reads."""
    store = StateStore(tmp_path)
    deed = f"""
import sys
from pathlib import Path
from platformctl.store.states import StateStore
from tests.store.samples import status
store = StateStore(Path({str(tmp_path)!r}))
serial = int(sys.argv[1])
while True:
    serial += 1
    store.write(status(serial=serial))
    print(serial, flush=True)
"""
    serial = 0
    for writes_before_the_kill in range(1, 9):
        with subprocess.Popen([sys.executable, "-c", deed, str(serial)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout
            for _ in range(writes_before_the_kill):
                reported = int(writer.stdout.readline())
            writer.kill()
        left = store.read(WEB)
        assert left is not None
        assert left.serial >= reported
        serial = left.serial


def test_five_thousand_states_are_read_quickly(tmp_path: Path) -> None:
    """About 100 microseconds each here; the bound leaves room for a busy machine."""
    store = StateStore(tmp_path)
    text = store.write(status("m0")).read_bytes()
    for number in range(1, 5000):
        named = sealed(text.replace(b'"module":"m0"', b'"module":"m%d"' % number))
        (tmp_path / f"state/modules/m{number}.status.json").write_bytes(named)
    begun = time.process_time()
    assert len(store.all()) == 5000
    assert time.process_time() - begun < 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ToolError) as caught:
        StateStore(tmp_path).write(status())
    assert "EACCES" in caught.value.detail
