"""One repository for all tests of the command line that change nothing in it."""

from pathlib import Path

import pytest

from tests.platform_repo import WEB, PlatformRepo


@pytest.fixture(scope="session")
def repo(tmp_path_factory: pytest.TempPathFactory) -> PlatformRepo:
    """A repository with one module for the host `local`, which nobody asks anything."""
    repo = PlatformRepo.create(tmp_path_factory.mktemp("cli"))
    repo.add_module("web", WEB, host="local")
    return repo


@pytest.fixture(scope="session")
def speculative(repo: PlatformRepo) -> Path:
    """A signed plan that was made without asking the host, so that it can never be applied."""
    return repo.plan("web", "--offline")
