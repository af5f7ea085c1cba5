"""What an index names is what its plans touch, for modules that share a compose file and whatever is edited (P1).

As in `test_edits_on_engine.py`, for several modules at once: each plan rests on what those before it were said to
bring, and none may be stale when its turn comes. Env files that change may make one so (ADR 0020).

    ./scripts/test -m thorough tests/planning/test_indexes_on_engine.py
"""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.lab import Host
from tests.planning.edits import draw, generated
from tests.planning.test_closure_on_engine import AT_ONCE, containers, with_newer_compose
from tests.planning.test_edits_on_engine import some, touched
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

COMPOSE_FILE = "modules/shared/compose.yaml"
IN_EACH_RUN = 1
"""Its second module uses a network and a volume that are made with the first."""


@pytest.mark.parametrize("seed", some((IN_EACH_RUN, *range(2, 9)), 1))
def test_an_index_touches_what_it_names(seed: int, host: Host, tmp_path: Path) -> None:
    """With every fourth seed the host has a newer Compose."""
    random = Random(seed)
    if seed % 4 == 3:
        with_newer_compose(host)
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    document = generated(random)
    owned = [name for name in document["services"] if name == "s0" or random.random() < 0.6]
    case = f"seed {seed}, modules for {', '.join(owned)}: as generated"
    for number in range(2 if seed == IN_EACH_RUN else 5):
        repo.write(COMPOSE_FILE, json.dumps(document, indent=2))
        for name in owned:
            runtime = {"orchestrator": "docker-compose", "compose_file": COMPOSE_FILE, "project": "shared"}
            repo.add_module(f"m-{name}", health=AT_ONCE, runtime={**runtime, "compose_service": name})
        check(repo, host, case)
        edit = draw(random, document, "s0", "shared")
        document, case = edit.document, f"seed {seed}, edit {number + 1}: {edit.name}"
        for path, text in edit.files.items():
            repo.write(f"modules/shared/{path}", text)
        if edit.on_host:
            edit.on_host(host)


def check(repo: PlatformRepo, host: Host, case: str) -> None:
    """Plan all, apply the index and compare."""
    told = repo.run("plan", "--all", "--json")
    assert told.code in (0, 1), f"{case}\n{told}"
    before = containers(host)
    if told.code:
        index = repo.root / told.json["index"]
        repo.approve(index, "--allow-destructive")  # a service that two modules reach and none names has no receipt yet
        applied = repo.run("apply", index, "--approved-sha", repo.head, "--json")
        assert applied.code == 9 or ("env file" in case and applied.code == 13), f"{case}\n{applied}"
        assert applied.code == 13 or touched(before, containers(host)) == named(told.json), case
    again = repo.run("plan", "--all", "--json")
    assert again.code == (0 if not told.code or applied.code == 9 else 1), f"{case}, planned again\n{again}"


def named(report: Any) -> set[str]:
    changes = (change for each in report["plans"] for change in each["plan"]["changes"])
    return {c["target"].rpartition(".")[2] for c in changes if c["action"] not in ("keep", "update")}
