"""Asking for help or the version costs no heavy import."""

import subprocess
import sys

import pytest

HEAVY = {"cryptography", "httpx2", "jsonschema", "paramiko", "rich", "securesystemslib", "stamina", "structlog", "yaml"}


def imported_by(*words: str) -> set[str]:
    """The top-level packages that `python …` imports."""
    done = subprocess.run((sys.executable, "-X", "importtime", *words), capture_output=True, text=True, check=True)
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option: str) -> None:
    imported = imported_by("-m", "platformctl", option)

    assert "platformctl" in imported
    assert not imported & HEAVY


@pytest.mark.parametrize("name", ["local", "openssh"])
def test_a_transport_that_is_not_paramikos_does_not_load_it(name: str) -> None:
    imported = imported_by("-c", f"import platformctl.transports.table, platformctl.transports.{name}")

    assert "platformctl" in imported
    assert not imported & HEAVY


def test_an_apply_of_one_plan_loads_only_what_it_needs() -> None:
    """paramiko's `invoke`, for a file that is never read, what tells versions, and what only a canary needs."""
    words = "import sys, platformctl.workflows.fleet, platformctl.transports.ssh; print(*sys.modules)"
    done = subprocess.run((sys.executable, "-c", words), capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    loaded = {name.partition(".")[0] for name in modules}

    assert "paramiko" in loaded
    assert not loaded & {"invoke", "http", "rich", "jsonschema", "structlog", "filelock"}
    assert "importlib.metadata" not in modules


def test_paramiko_tells_servers_its_own_version_all_the_same() -> None:
    words = "import platformctl.transports.ssh, paramiko, importlib.metadata as real; print(paramiko.__version__, "
    words += "real.version('paramiko'), bool(real.entry_points()))"
    done = subprocess.run((sys.executable, "-c", words), capture_output=True, text=True, check=True)
    told, installed, is_real = done.stdout.split()

    assert (told, is_real) == (installed, "True")


def test_who_wants_more_of_what_tells_versions_gets_the_real_one() -> None:
    """Another thread may want it just while paramiko is imported."""
    words = (
        "import sys, platformctl.transports.ssh.bare as bare; lent = sys.modules['importlib.metadata'] = "
        "bare._Versions('importlib.metadata'); from importlib.metadata import entry_points; "
        "print(lent.version('click'), sys.modules['importlib.metadata'] is lent, bool(entry_points()))"
    )
    done = subprocess.run((sys.executable, "-c", words), capture_output=True, text=True, check=True)

    assert done.stdout.split()[1:] == ["False", "True"]


def test_a_heavy_import_is_seen() -> None:
    assert "yaml" in imported_by("-c", "import yaml")
