"""What every test can count on: lab hosts, inputs that are the same in every run, and an end that cleans up."""

import signal
from functools import cache

import pytest
from hypothesis import settings

from tests.lab.lab import why_unavailable

pytest_plugins = ("tests.lab.fixtures",)

settings.register_profile("ci", derandomize=True, print_blob=True, deadline=None)
settings.load_profile("ci")

no_lab = cache(why_unavailable)


def pytest_configure(config: pytest.Config) -> None:
    """SIGTERM ends a run as Ctrl-C does, so that a cancelled pipeline takes its lab hosts down.

    And Ctrl-C is heard by what a test starts, also where a shell ran us behind the prompt, with SIGINT ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that makes labs of its own is skipped where there can be none, as those are that use the fixtures."""
    if item.get_closest_marker("lab") and not item.config.getoption("--require-lab") and (reason := no_lab()):
        pytest.skip(reason)
