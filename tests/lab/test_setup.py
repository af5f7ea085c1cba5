"""scripts/setup.sh keeps quiet when all is there, and does not become root behind a person's back."""

import subprocess
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.lab.machine import ENVIRONMENT

pytestmark = pytest.mark.lab
pytest_plugins = ("tests.lab.fixtures",)

SETUP = Path(__file__).parents[2] / "scripts/setup.sh"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
NO_TERMINAL = ("setsid", "--wait")


def source_and(command: str, *before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*before, "sh", "-euc", f"{SETUP.read_text()}\n{command}"),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_a_machine_that_has_all_is_left_alone_in_silence(lab: Lab) -> None:
    done = source_and("setup_docker; setup_lab_tools; can_lab", *NO_TERMINAL)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_person_who_can_not_be_asked_does_not_become_root(lab: Lab) -> None:
    done = source_and("apt_install sl", *NO_TERMINAL, *NOBODY)

    assert done.returncode == 1
    assert "sudo is not installed" in done.stderr or "no terminal to ask on" in done.stderr


def test_without_root_there_is_no_lab(lab: Lab) -> None:
    done = source_and("can_lab", *NO_TERMINAL, *NOBODY)

    assert done.returncode == 1
