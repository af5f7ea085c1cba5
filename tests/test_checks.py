"""The tools that settle style, types, dependencies and shell scripts have nothing to say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
SHELL_SCRIPTS = (".ci/run", "scripts/*", "tests/lab/init.sh")

CHECKS = {
    "ruff": ("ruff", "check", "."),
    "ruff-format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    "deptry": ("deptry", "platformctl"),
    "shellcheck": ("shellcheck", "-x", *sorted(str(p.relative_to(ROOT)) for g in SHELL_SCRIPTS for p in ROOT.glob(g))),
}


@pytest.mark.parametrize("words", CHECKS.values(), ids=CHECKS)
def test_the_checker_has_nothing_to_say(words: tuple[str, ...]) -> None:
    program, *arguments = words

    done = subprocess.run((PROGRAMS / program, *arguments), cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
