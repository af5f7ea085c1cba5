"""A manifest that can not be read stands in the way of those alone whose services it could name."""

from pathlib import Path

import pytest

from platformctl.errors import InvalidInput
from platformctl.model.desired import Module
from platformctl.model.names import HostName, ModuleId
from platformctl.releases import read_manifest
from platformctl.releases.trees import FolderTree
from platformctl.workflows.neighbours import Unreadable, beside, neighbours

UNCLOSED = "spec: {host: rs2000, runtime: {project: shop, compose_service: [\n"


def write(root: Path, name: str, content: str) -> FolderTree:
    path = root / "modules" / name / "module.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    return FolderTree(root)


def manifest(name: str, *, host: str = "rs2000", project: str = "shop") -> str:
    runtime = f"{{orchestrator: docker-compose, compose_file: shop/compose.yaml, project: {project}}}"
    head = f"apiVersion: platform/v1\nkind: Module\nmetadata: {{id: {name}}}\n"
    return f"{head}spec:\n  host: {host}\n  runtime: {runtime}\n"


def named_beside(tree: FolderTree, name: str = "web") -> list[str]:
    module: Module = read_manifest(tree, ModuleId(name))
    return [each.id for each in beside(module, neighbours(tree))]


def test_modules_of_the_same_host_and_project_are_beside_each_other(tmp_path: Path) -> None:
    for name, place in (("web", {}), ("db", {}), ("far", {"host": "rs3000"}), ("other", {"project": "blog"})):
        tree = write(tmp_path, name, manifest(name, **place))
    assert named_beside(tree) == ["db", "web"]


@pytest.mark.parametrize(
    "content",
    [
        UNCLOSED.replace("rs2000", "rs3000"),
        UNCLOSED.replace("shop", "webshop"),
        UNCLOSED.replace("shop", "shop-2"),
        "",
        "\0",
    ],
    ids=["another-host", "another-project", "a-longer-name", "empty", "binary"],
)
def test_a_manifest_that_can_not_be_read_and_names_another_place_stands_in_nobodys_way(
    tmp_path: Path, content: str
) -> None:
    write(tmp_path, "web", manifest("web"))
    assert named_beside(write(tmp_path, "broken", content)) == ["web"]


@pytest.mark.parametrize(
    ("folder", "content"),
    [
        ("broken", UNCLOSED),
        ("shop", UNCLOSED.replace("shop", "")),
        ("broken", UNCLOSED.replace("rs2000", '"\\x72s2000"').replace("shop", '"\\x73hop"')),
    ],
    ids=["by-its-words", "by-its-folder", "in-escapes"],
)
def test_one_that_could_be_of_the_same_host_and_project_is_refused_by_name(
    tmp_path: Path, folder: str, content: str
) -> None:
    write(tmp_path, "web", manifest("web"))
    tree = write(tmp_path, folder, content)
    with pytest.raises(InvalidInput) as refusal:
        named_beside(tree)
    assert refusal.value.file == f"modules/{folder}/module.yaml"
    assert "project shop on rs2000, which no plan of web may change" in refusal.value.detail


def test_a_link_in_a_manifests_place_could_be_of_any_project(tmp_path: Path) -> None:
    tree = write(tmp_path, "web", manifest("web"))
    (tmp_path / "modules/linked").mkdir()
    (tmp_path / "modules/linked/module.yaml").symlink_to("../web/module.yaml")
    with pytest.raises(InvalidInput) as refusal:
        named_beside(tree)
    assert refusal.value.file == "modules/linked/module.yaml"


@pytest.mark.parametrize(
    ("content", "may_be"),
    [(UNCLOSED, True), (UNCLOSED.replace("rs2000", "rs3000"), False), ("kind: [\\n", True), ("kind: [\n", False)],
    ids=["by-its-words", "another-host", "in-escapes", "no-host"],
)
def test_one_that_can_not_be_read_may_be_of_the_hosts_it_could_name(tmp_path: Path, content: str, may_be: bool) -> None:
    (broken,) = neighbours(write(tmp_path, "broken", content)).values()
    assert isinstance(broken, Unreadable)
    assert broken.may_be_on(ModuleId("broken"), HostName("rs2000")) is may_be
