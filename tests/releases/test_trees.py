"""What is no file of the tree itself is refused, in a commit and in a working tree alike."""

import os
from pathlib import Path

import pytest

from platformctl.errors import InvalidInput, PolicyViolation
from platformctl.releases import module_ids
from tests.releases.clone import COMPOSE, Clone, both

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"
ODD_NAMES = [b"line\nbreak", b"back\\slash", b"not\xffutf8", "separator\u2028".encode()]
LINKED = ["compose.yaml", "module.yaml", "web.env", "run.sh", "conf", "conf/main.conf", "conf/sites"]


@both
@pytest.mark.parametrize("name", LINKED)
def test_an_input_that_is_a_link_is_refused(clone: Clone, kind: str, name: str) -> None:
    path = clone.path(f"modules/web/{name}")
    path.rename(clone.root / "moved")
    path.symlink_to(os.path.relpath(clone.root / "moved", path.parent))

    with pytest.raises(PolicyViolation) as caught:
        clone.release(kind)
    assert caught.value.reason == "symlink"


@both
def test_a_mounted_link_that_leads_nowhere_is_refused_too(clone: Clone, kind: str) -> None:
    clone.path("modules/web/data").symlink_to("gone")

    with pytest.raises(PolicyViolation) as caught:
        clone.release(kind)
    assert caught.value.reason == "symlink"


@both
def test_a_mounted_file_behind_a_linked_folder_is_refused(clone: Clone, kind: str) -> None:
    clone.write("real/main.conf", "listen 80\n")
    clone.path("modules/web/linked").symlink_to("../../real")
    clone.write("modules/web/compose.yaml", COMPOSE.replace("./data:", "./linked/main.conf:"))

    with pytest.raises(PolicyViolation) as caught:
        clone.release(kind)
    assert caught.value.reason == "symlink"


@both
@pytest.mark.parametrize("mounted", ["./sub", "./sub/file", "."])
def test_a_submodule_among_the_inputs_is_refused(clone: Clone, kind: str, mounted: str, tmp_path: Path) -> None:
    other = Clone(tmp_path / "other", clone.environment)
    other.root.mkdir()
    other.git("init", "--quiet")
    other.write("file", "of another repository\n")
    other.committed()
    clone.git("submodule", "--quiet", "add", str(other.root), "modules/web/sub")
    clone.write("modules/web/compose.yaml", COMPOSE.replace("./data:", f"{mounted}:"))

    with pytest.raises(PolicyViolation) as caught:
        clone.release(kind)
    assert (caught.value.reason, caught.value.file) == ("not-regular", "modules/web/sub")


@both
def test_modules_behind_a_link_are_refused_and_not_overlooked(clone: Clone, kind: str) -> None:
    (clone.root / "modules").rename(clone.root / "moved")
    (clone.root / "modules").symlink_to("moved")

    with pytest.raises(PolicyViolation) as caught:
        module_ids(clone.tree(kind))
    assert (caught.value.reason, caught.value.file) == ("symlink", "modules")


@both
@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_module_with_a_name_that_no_path_can_have_is_refused_and_not_overlooked(
    clone: Clone, kind: str, name: bytes
) -> None:
    clone.write(f"modules/{os.fsdecode(name)}/module.yaml", clone.path("modules/web/module.yaml").read_text())

    with pytest.raises(InvalidInput):
        module_ids(clone.tree(kind))


@both
@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_that_can_not_travel_with_its_folder_is_refused_and_not_left_behind(
    clone: Clone, kind: str, name: bytes
) -> None:
    clone.write(f"modules/web/conf/sites/{os.fsdecode(name)}", "site two\n")

    with pytest.raises(InvalidInput) as caught:
        clone.release(kind)
    assert (caught.value.summary, caught.value.file) == (
        "a file has a name that can not be planned",
        "modules/web/conf",
    )
    assert caught.value.detail.isascii()
    assert caught.value.detail.isprintable()


@both
@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_that_nothing_is_made_from_may_have_any_name(clone: Clone, kind: str, name: bytes) -> None:
    clone.write(f"modules/web/{os.fsdecode(name)}", "a note\n")

    assert module_ids(clone.tree(kind)) == ("web",)
    assert clone.release(kind).files


@both
@pytest.mark.parametrize("name", ["compose.yaml", "web.env", "conf/main.conf"])
def test_a_pointer_to_a_file_kept_elsewhere_is_refused(clone: Clone, kind: str, name: str) -> None:
    clone.write(f"modules/web/{name}", LFS_POINTER)

    with pytest.raises(PolicyViolation) as caught:
        clone.release(kind)
    assert (caught.value.reason, caught.value.file) == ("not-regular", f"modules/web/{name}")


@both
@pytest.mark.parametrize("name", ["web.env", "compose.yaml", "module.yaml"])
def test_a_file_that_is_not_there_is_invalid_input(clone: Clone, kind: str, name: str) -> None:
    (clone.root / "modules/web" / name).unlink()

    with pytest.raises(InvalidInput) as caught:
        clone.release(kind)
    assert caught.value.file == f"modules/web/{name}"
