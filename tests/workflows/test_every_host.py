"""Which hosts are asked where every host of the allow-list must be."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from platformctl.gitinfo import Repository
from platformctl.model.desired import HostEntry
from platformctl.model.names import HostName
from platformctl.model.policy import TrustRoots
from platformctl.store.states import StateStore
from platformctl.workflows.every_host import every_host
from platformctl.workflows.parts import Parts
from tests.platform_repo import PlatformRepo
from tests.store.samples import HOST, status

LOCAL = HostName.parse("local")


@pytest.fixture
def repo(tmp_path: Path) -> PlatformRepo:
    """A repository whose one module is on rs2000."""
    made = PlatformRepo.create(tmp_path)
    made.add_module("web", host=HOST)
    return made


def asked(repo: PlatformRepo) -> list[str]:
    """Of an allow-list with rs2000, rs3000 and this machine."""
    entries = (HostEntry(name, "ssh", "/opt/platform") for name in (HOST, HostName.parse("rs3000")))
    hosts = {entry.name: entry for entry in (*entries, HostEntry(LOCAL, "local", "/opt/platform"))}
    parts = SimpleNamespace(
        repository=Repository.discover(repo.root, repo.environment), states=StateStore(repo.root / ".platform")
    )
    roots = SimpleNamespace(hosts=hosts)
    return [entry.name for entry in every_host(cast("Parts", parts), cast("TrustRoots", roots))]


def test_a_host_without_a_module_is_asked_but_for_the_local_one_of_init(repo: PlatformRepo) -> None:
    assert asked(repo) == ["rs2000", "rs3000"]


def test_the_local_host_of_a_module_is_asked(repo: PlatformRepo) -> None:
    repo.add_module("here", host=LOCAL)
    assert asked(repo) == ["rs2000", "rs3000", "local"]


@pytest.mark.parametrize("text", [json.dumps({"spec": {"host": LOCAL}}), "local: \\ ["])
def test_the_local_host_that_a_module_could_name_is_asked(repo: PlatformRepo, text: str) -> None:
    repo.write("modules/broken/module.yaml", text)
    repo.commit()
    assert asked(repo) == ["rs2000", "rs3000", "local"]


def test_the_local_host_that_this_clone_applied_on_is_asked(repo: PlatformRepo) -> None:
    states = StateStore(repo.root / ".platform")
    states.write(status(host=LOCAL))
    assert asked(repo) == ["rs2000", "rs3000", "local"]
    states.path(status().module).write_bytes(b"{}")
    assert asked(repo) == ["rs2000", "rs3000", "local"]
