"""Fingerprints of a host's env file, by the real script: they tell values apart and give none away."""

from pathlib import Path

import pytest

from platformctl.errors import Refusal
from platformctl.model.command import Completed
from platformctl.model.names import RepoPath
from platformctl.store.host import HostLayout
from platformctl.store.host_environment import fingerprints, read_fingerprints
from tests.store.hosts import prepared, run
from tests.store.samples import HOST

FILE = RepoPath("secrets/shop.env")
TEXT = "# A=comment\nA=one\nexport B = 'two words'\n  KEY: |x\nPEM=\"-----BEGIN\nMIIEabc+/=\n-----END\"\nLAST=1\n"


def found(root: Path, text: str) -> dict[str, str]:
    (root / FILE).parent.mkdir(exist_ok=True)
    (root / FILE).write_text(text)
    answer = run(fingerprints(HostLayout(str(root)), FILE))
    assert not any(word in answer.stdout + answer.stderr for word in (b"one", b"two", b"MIIE"))
    return dict(read_fingerprints(answer, HOST))


def test_every_variable_has_a_fingerprint_of_its_own(tmp_path: Path) -> None:
    prepared(tmp_path)
    before = found(tmp_path, TEXT)

    assert set(before) == {"A", "B", "KEY", "PEM", "LAST"}
    assert len(set(before.values())) == 5
    assert found(tmp_path, TEXT) == before


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [("one", "uno", "A"), ("two", "tow", "B"), ("MIIE", "MIIF", "PEM"), ("LAST=1", "LAST=2", "LAST")],
)
def test_a_rotated_value_is_told_by_its_name_alone(tmp_path: Path, old: str, new: str, name: str) -> None:
    prepared(tmp_path)
    before, after = found(tmp_path, TEXT), found(tmp_path, TEXT.replace(old, new))

    assert [each for each in before if before[each] != after[each]] == [name]


def test_each_host_has_a_key_of_its_own(tmp_path: Path) -> None:
    roots = [tmp_path / "a", tmp_path / "b"]
    for root in roots:
        root.mkdir()
        prepared(root)

    assert not set(found(roots[0], TEXT).values()) & set(found(roots[1], TEXT).values())


def test_without_a_file_there_is_nothing_to_tell(tmp_path: Path) -> None:
    prepared(tmp_path)

    assert read_fingerprints(run(fingerprints(HostLayout(str(tmp_path)), FILE)), HOST) == {}


@pytest.mark.parametrize("answer", [b"", b"staged\n", b"variable A one\nfingerprints\n", b"A\nfingerprints\n"])
def test_an_answer_that_is_none_of_ours_is_refused(answer: bytes) -> None:
    with pytest.raises(Refusal):
        read_fingerprints(Completed(0, answer, b""), HOST)
