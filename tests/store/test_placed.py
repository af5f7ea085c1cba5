"""What lies where an apply puts its files, told by the real script."""

import os
from pathlib import Path

import pytest

from platformctl.errors import Unreachable
from platformctl.model.command import Completed
from platformctl.model.names import Digest, RepoPath
from platformctl.model.plan import PlannedFile
from platformctl.store.placed import placed, read_placed
from tests.store.hosts import contents, prepared, run
from tests.store.samples import HOST

THERE = "modules/web/a file.conf"


def looked(tmp_path: Path, *paths: str) -> dict[RepoPath, PlannedFile | None]:
    layout = prepared(tmp_path)
    found: dict[RepoPath, PlannedFile | None] = {}
    for question in placed(layout, map(RepoPath.parse, paths)):
        found.update(read_placed(run(question), HOST))
    return found


def test_a_file_is_told_by_digest_and_mode_and_a_path_without_one_by_nothing(tmp_path: Path) -> None:
    file = tmp_path / THERE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"one")
    file.chmod(0o640)

    found = looked(tmp_path, THERE, "modules/web/none", "modules/none/of/them")

    assert found == {
        THERE: PlannedFile(RepoPath.parse(THERE), Digest.of(b"one"), 0o640),
        "modules/web/none": None,
        "modules/none/of/them": None,
    }


def test_what_a_link_leads_to_and_what_is_no_file_is_not_told_and_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "way").symlink_to(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe")

    assert looked(tmp_path, "link", "way/file", "folder", "pipe", "none") == {"none": None}


def test_more_paths_than_fit_into_one_question_are_asked_in_several_and_nothing_is_changed(tmp_path: Path) -> None:
    prepared(tmp_path)
    before = contents(tmp_path)

    assert looked(tmp_path, *(f"file-{number}" for number in range(150))) == {
        f"file-{number}": None for number in range(150)
    }
    assert contents(tmp_path) == before
    assert looked(tmp_path) == {}


@pytest.mark.parametrize("said", [b"", b"staged\n", b"there x 644 a\nlooked\n", b"there\nlooked\n"])
def test_an_answer_of_another_form_is_refused(said: bytes) -> None:
    with pytest.raises(Unreachable):
        read_placed(Completed(0, said, b""), HOST)
