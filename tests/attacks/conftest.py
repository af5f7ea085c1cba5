"""What attacks on a plan begin with."""

from collections.abc import Iterator

import pytest

from tests.attacks.scene import Scene
from tests.lab import Lab
from tests.platform_repo import WEB, PlatformRepo


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, lab: Lab) -> Iterator[Scene]:
    """One for all attacks, as none may change anything; on a host that no test here asks for by fixture."""
    host = lab.hosts[-1]
    repo = PlatformRepo.create(tmp_path_factory.mktemp("scene"), {"rs2000": host})
    repo.add_module("web", WEB)
    repo.add_module("other", {"services": {"other": {"image": "platformctl-lab/sleeper:1"}}})
    plan = repo.plan("web")
    repo.approve(plan)
    yield Scene(repo, host, plan)
    host.reset()
