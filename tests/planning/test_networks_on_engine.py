"""Networks that a newer Compose makes anew, with every container in them: no plan comes to that."""

from pathlib import Path
from typing import Any

import pytest

from tests.lab import Host
from tests.planning.test_closure_on_engine import PLAIN, pair, with_newer_compose
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

POOL = {"subnet": "10.77.0.0/24", "gateway": "10.77.0.1"}
EDITED = pair({"environment": {"A": "2"}})


def networks(pool: dict[str, str], **default: Any) -> dict[str, Any]:
    return {"default": {"driver": "bridge", "ipam": {"config": [pool]}, **default}}


def test_a_network_in_other_words_is_refused_and_the_same_one_is_not(tmp_path: Path, host: Host) -> None:
    """Its service alone is recreated by the plan; `needed` would be stopped and put into another network too."""
    with_newer_compose(host)
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("main", {"services": pair(), "networks": networks(POOL)})
    repo.deploy("main")

    for name, other in (
        ("gateway", networks({**POOL, "gateway": "10.77.0.2"})),
        ("no driver", {"default": {"ipam": {"config": [POOL]}}}),
        ("no addresses", {"default": {"driver": "bridge"}}),
        ("another name", networks(POOL, name="another")),
    ):
        repo.add_module("main", {"services": EDITED, "networks": other})
        refused = repo.run("plan", "main", "--json", expect=4).json["error"]
        assert (refused["reason"], "network main_default" in refused["detail"]) == ("other-definition", True), name

    repo.add_module("main", {"services": EDITED, "networks": networks(POOL), "x-note": PLAIN})
    repo.deploy("main")
