"""The property of the project: what a real `up -d` touches is what the plan named, for whatever is edited (P1).

A module is deployed and edited at random, in its files and behind its back. Each edit is planned and applied, and the
containers that came, went or were started anew are compared with those the plan named; then the very words of the plan
are said once more by hand, and touch nothing. A case is told by its seed and the number of its edit.

    ./scripts/test -m thorough tests/planning/test_edits_on_engine.py
"""

import json
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from tests.lab import Host
from tests.lab.disk import AGENT_HOME
from tests.planning import public_files
from tests.planning.edits import Document, Edit, draw, generated
from tests.planning.test_closure_on_engine import containers, with_newer_compose
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

MODULES = Path(__file__).parents[2] / "modules"
AT_ONCE = {"timeout": "30s", "stable_for": "0s"}
AGAIN = "cd {root} && exec env -i PATH=/usr/local/bin:/usr/bin:/bin HOME={home} {words} </dev/null"
BY_HAND = ("web", "api")
IN_EACH_RUN = 12
"""A seed of three edits that differ: of a definition, of how many containers there are, and of a file."""


class Edited:
    """One module that is deployed on a host and edited."""

    def __init__(self, repo: PlatformRepo, host: Host, module: str, document: Document, **spec: object) -> None:
        self.repo, self.host, self.module, self.document, self.spec = repo, host, module, document, spec
        self.commit()
        self.plan = repo.plan(module)
        repo.approve(self.plan)
        repo.apply(self.plan)
        self.up = self.words_of_up()

    def commit(self) -> None:
        self.repo.add_module(self.module, self.document, health=AT_ONCE, **self.spec)

    def make(self, edit: Edit) -> None:
        self.document = edit.document
        for name, text in edit.files.items():
            self.repo.write(f"modules/{self.module}/{name}", text)
        self.commit()
        if edit.on_host:
            edit.on_host(self.host)

    def check(self, case: str) -> None:
        """Plan, apply and compare."""
        told = self.repo.run("plan", self.module, "--out", self.plan, "--json")
        assert told.code in (0, 1), f"{case}\n{told}"
        named = {
            c["target"].rpartition(".")[2] for c in self.planned["changes"] if c["action"] not in ("keep", "update")
        }
        before = containers(self.host)
        if told.code:
            self.repo.approve(self.plan)
        applied = self.repo.run("apply", self.plan, "--approved-sha", self.repo.head, "--json")
        assert applied.code == (9 if told.code else 0), f"{case}\n{applied}"
        assert touched(before, containers(self.host)) == named, case

        self.up = self.words_of_up() or self.up
        assert "up" in self.up, case
        still = containers(self.host)
        self.host.sh(AGAIN.format(root=self.host.root, home=AGENT_HOME, words=shlex.join(self.up)))
        assert touched(still, containers(self.host)) == self.one_shots, f"{case}, and the same words again"

    @property
    def planned(self) -> Any:
        return json.loads(self.repo.run("show", self.plan, "--payload", expect=0).stdout)

    @property
    def one_shots(self) -> set[str]:
        """They run again whenever `up` does."""
        needed = {
            name: need["condition"]
            for service in self.document["services"].values()
            for name, need in service.get("depends_on", {}).items()
        }
        done = {name for name, condition in needed.items() if condition == "service_completed_successfully"}
        return done & set(self.planned["closure"])

    def words_of_up(self) -> list[str]:
        runs = [each["run"]["argv"] for step in self.planned["steps"] for each in step["do"] if "run" in each]
        return [word for word in runs[-1] if word != "--force-recreate"] if runs else []


def touched(before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]) -> set[str]:
    return {(before | after)[key] for key in before.keys() ^ after.keys()}


def edit_and_check(edited: Edited, random: Random, main: str, project: str, count: int, seed: object) -> None:
    for number in range(1, count + 1):
        edit = draw(random, edited.document, main, project)
        edited.make(edit)
        case = f"seed {seed}, edit {number}: {edit.name}"
        print(case)  # noqa: T201 - who sees it fail wants to know after what
        edited.check(case)


def some(seeds: Sequence[int], in_each_run: int) -> list[object]:
    """A few seeds for each run, all of them when asked for."""
    marks = [() if number < in_each_run else (pytest.mark.thorough,) for number in range(len(seeds))]
    return [pytest.param(seed, marks=mark) for seed, mark in zip(seeds, marks, strict=True)]


@pytest.mark.parametrize("seed", some((IN_EACH_RUN, *range(1, 9)), 1))
def test_generated_services(seed: int, host: Host, tmp_path: Path) -> None:
    """With every other seed the host has a newer Compose."""
    random = Random(seed)
    if seed % 2 == 1:
        with_newer_compose(host)
    edited = Edited(PlatformRepo.create(tmp_path, {"rs2000": host}), host, "main", generated(random),
                    runtime=runtime("main", "s0"))  # fmt: skip

    edit_and_check(edited, random, "s0", "main", 3 if seed == IN_EACH_RUN else 6, seed)


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("seed", range(1, 3))
def test_example_modules(name: str, seed: int, host: Host, tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    shutil.copytree(MODULES / name, repo.root / "modules" / name)
    host.write("secrets/api.env", b"DB_PASSWORD=kiwi-lemon-47\n")
    host.sh(f"chmod 600 {host.root}/secrets/api.env")
    document = yaml.safe_load((MODULES / name / "compose.yaml").read_text())
    spec = yaml.safe_load((MODULES / name / "module.yaml").read_text())["spec"]
    own = {key: spec[key] for key in ("runtime", "env", "kind") if key in spec}

    edit_and_check(Edited(repo, host, name, document, **own), Random(seed), name, name, 5, seed)


@pytest.mark.thorough
@pytest.mark.skipif(not public_files.files(), reason=public_files.MISSING)
@pytest.mark.parametrize(
    ("name", "main", "document"), [pytest.param(*each, id=each[0]) for each in public_files.tamed()]
)
def test_services_that_people_publish(name: str, main: str, document: Document, host: Host, tmp_path: Path) -> None:
    edited = Edited(PlatformRepo.create(tmp_path, {"rs2000": host}), host, "main", document,
                    runtime=runtime("main", main))  # fmt: skip

    edit_and_check(edited, Random(name), main, "main", 2, name)


def runtime(module: str, service: str) -> dict[str, str]:
    return {
        "orchestrator": "docker-compose",
        "compose_file": f"modules/{module}/compose.yaml",
        "compose_service": service,
    }
