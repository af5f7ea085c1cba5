"""Which hosts are asked where every host of the allow-list must be."""

import json
import shutil
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
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo, host_entry
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


@pytest.mark.lab
def test_the_local_host_of_somebody_elses_machine_is_in_the_way_of_no_command(tmp_path: Path, host: Host) -> None:
    """`init` wrote it on the machine of whoever began; its id is not this one's, whoever runs it."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    local = {"transport": "local", "root": "/opt/platform", "machine_id": "0" * 32, "allow_root": True}
    repo.hosts_file({"local": local, "rs2000": host_entry(host)})
    repo.add_module("web", WEB)
    repo.deploy("web")
    repo.git("rm", "-r", "--quiet", "modules/web")
    repo.commit()
    shutil.rmtree(repo.root / ".platform/state")

    assert "rs2000" in repo.run("history", "web", expect=0).stdout
    repo.run("history", "other", expect=65)
    repo.run("unquarantine", "other", "--reason", "x", expect=65)
    strays = repo.run("stray", "list", "--json", expect=0).json["strays"]
    assert [each["service"] for each in strays] == ["web"]
    assert {row["host"] for row in repo.run("doctor", "--json", expect=0).json["checks"]} == {"rs2000"}


def test_a_host_that_is_the_only_one_is_examined(tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path)
    assert {row["host"] for row in repo.run("doctor", "--json").json["checks"]} == {"local"}
