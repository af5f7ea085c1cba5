"""What every test can count on: lab hosts, inputs that are the same in every run, and an end that cleans up."""

import signal

import pytest
from hypothesis import settings

pytest_plugins = ("tests.lab.fixtures",)

settings.register_profile("ci", derandomize=True, print_blob=True, deadline=None)
settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    """SIGTERM ends a run as Ctrl-C does, so that a cancelled pipeline takes its lab hosts down."""
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
