"""A clone for every test."""

from pathlib import Path

import pytest

from tests.releases.clone import Clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.create(tmp_path)
