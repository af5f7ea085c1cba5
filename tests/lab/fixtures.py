"""Lab hosts for tests: `pytest_plugins = ["tests.lab.fixtures"]`.

Each pytest worker has a lab of its own, made when the first test asks for it. Where none can be had such tests are
skipped with the reason, unless pytest was told `--require-lab`, so that a pipeline can not pass by skipping.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab import Host, Lab
from tests.lab.lab import why_unavailable

HOSTS = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-lab", action="store_true", help="fail where lab hosts can not be had")


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Three hosts, shared by the tests of this worker: who breaks one without `host` or `hosts` mends it."""
    reason = why_unavailable()
    if reason and not request.config.getoption("--require-lab", default=False):
        pytest.skip(reason)
    with Lab.up(HOSTS, tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture
def hosts(lab: Lab) -> Iterator[tuple[Host, ...]]:
    """All hosts of the lab, as new; whatever the test does to them is undone."""
    yield lab.hosts
    with ThreadPoolExecutor(HOSTS) as pool:
        list(pool.map(Host.reset, lab.hosts))


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    """One host, as new; whatever the test does to it is undone."""
    yield lab.hosts[0]
    lab.hosts[0].reset()
