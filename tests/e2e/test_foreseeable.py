"""What a look at the host tells is refused by a plan, and not left for an apply to fail over."""

from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

SLEEPER = {"image": "platformctl-lab/sleeper:1"}


def test_a_variable_that_would_be_empty_is_missing_until_the_hosts_file_has_it(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    host.write("secrets/web.env", b"OTHER=1\n")
    compose = {"services": {"web": {**SLEEPER, "environment": {"A": "${NOPE}", "B": "${OTHER}"}}}}
    repo.add_module("web", compose, env={"file": "secrets/web.env"})

    error = refusal(repo.run("plan", "web", "--json"), 4)
    assert error["detail"] == "rs2000: NOPE (in environment:, without a default)"

    host.write("secrets/web.env", b"OTHER=1\nNOPE=yes\n")
    repo.deploy("web")
    assert "A=yes" in host.docker("inspect", "--format", "{{.Config.Env}}", "web-web-1")
