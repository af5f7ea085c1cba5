"""A volume that somebody else made leads to the host's own files: who mounts it by name needs a waiver all the same."""

from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import untouched
from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab
POLICY = ".platform/policy.yaml"
WAIVER = "waivers: [{module: web, rule: shared-volume, reason: the media folder, expires: 2099-01-01}]\n"


def test_mounting_what_another_was_allowed_to(tmp_path: Path, host: Host) -> None:
    for name, options in {"theirs": "--opt type=none --opt o=bind --opt device=/etc", "plain": ""}.items():
        host.sh(f"docker volume create {options} {name} >/dev/null")
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    for definition in ({"external": True, "name": "theirs"}, {"name": "theirs"}):
        service = {"image": "platformctl-lab/sleeper:1", "volumes": ["data:/data"]}
        repo.add_module("web", {"services": {"web": service}, "volumes": {"data": definition}})
        with untouched(host):
            error = refusal(repo.run("plan", "web", "--json"), 4, "shared-volume")
        assert "theirs" in error["detail"]

    repo.add_module("api", {"services": {"api": service}, "volumes": {"data": {"external": True, "name": "plain"}}})
    repo.plan("api")
    repo.write(POLICY, (repo.root / POLICY).read_text().replace("waivers: []\n", WAIVER))
    repo.commit("waived")
    repo.plan("web")
