"""`doctor`: what would be in the way of the next apply or of the way back, host by host, before it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import untouched
from tests.lab import Host
from tests.lab.disk import AGENT_HOME
from tests.platform_repo import WEB, PlatformRepo


def checks(repo: PlatformRepo, *hosts: str, expect: int = 0) -> dict[tuple[str, str], dict[str, Any]]:
    rows = repo.run("doctor", *hosts, "--json", expect=expect).json["checks"]
    return {(row["host"], row["name"]): row for row in rows}


def warned(found: dict[tuple[str, str], dict[str, Any]]) -> set[tuple[str, str]]:
    """What is worth a word; the disks of lab hosts are as full as this machine's."""
    return {key for key, row in found.items() if row["level"] == "warn" and key[1] != "disk"}


def test_it_finds_what_is_in_the_way_and_one_silent_host_hides_no_other(
    tmp_path: Path, hosts: tuple[Host, ...]
) -> None:
    one, two = hosts[:2]
    repo = PlatformRepo.create(tmp_path, {"rs2000": one, "rs3000": two})
    repo.add_module("web", WEB, env={"file": "secrets/web.env"})
    one.write("secrets/web.env", b"TOKEN=x\n")
    one.sh(f"chmod 600 {one.root}/secrets/web.env")
    repo.deploy("web")
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/web:2"))
    repo.commit()
    repo.deploy("web")
    about_web = {"images of web", "env.file of web"}
    names = {"login", "identity", "engine", "clock", "disk", "journal", "lock", "root", *about_web}
    with untouched(one), untouched(two):
        well = checks(repo)
        assert {name for host, name in well if host == "rs2000"} == names
        assert warned(well) == set()

    one.sh(f"mv {one.root}/secrets /tmp/secrets && ln -s /tmp/secrets {one.root}/secrets")
    assert "leads out of" in checks(repo)["rs2000", "env.file of web"]["found"]
    one.sh(f"rm {one.root}/secrets && mv /tmp/secrets {one.root}/secrets")

    one.docker("image", "prune", "-af")
    one.sh(f"chmod 644 {one.root}/secrets/web.env")
    repo.run("lock", "rs2000", "--reason", "moving the disks", expect=0)
    two.kill("sshd")
    found = checks(repo, expect=69)
    assert warned(found) == {
        ("rs2000", "images of web"),
        ("rs2000", "lock"),
        ("rs2000", "env.file of web"),
    }
    assert "moving the disks" in found["rs2000", "lock"]["found"]
    assert found["rs2000", "lock"]["hint"] == "platformctl unlock rs2000"
    assert "platformctl-lab/web:1" in found["rs2000", "images of web"]["found"]
    assert found["rs3000", "connect"]["level"] == "fail"

    repo.run("unlock", "rs2000", expect=0)
    with untouched(one):
        gone = repo.run("rollback", "web", "--json")
        assert gone.code in (4, 14), gone
        assert "platformctl-lab/web:1" in gone.stdout


READ_ONLY = "mount --bind {root} {root} && mount -o remount,bind,ro {root}"
MENDED = "umount -l {root} || :; mkdir -p {root}; chown {user}: {root}; chmod 755 {root}; chmod 1777 /tmp"
IN_THE_WAY = {
    "mounted read-only": (READ_ONLY, False, 69, "root_readonly"),
    "mounted read-only later": (READ_ONLY, True, 69, "root_readonly"),
    "another user's": ("chown root: {root}; chmod 755 {root}", False, 69, "root_readonly"),
    "another user's, not to be entered": ("chown root: {root}; chmod 700 {root}", True, 69, "root_readonly"),
    "another user's altogether": ("chown -R root: {root}", True, 3, "unsafe"),
    "missing": ("rm -rf {root}", False, 69, "root_readonly"),
    "without a place for temporary files": ("chmod 755 /tmp", False, 69, "disk_full"),
    "full": (":", False, 69, "disk_full"),
    "full later": (":", True, 69, "disk_full"),
}


@pytest.mark.parametrize("case", IN_THE_WAY)
def test_it_is_not_green_where_apply_could_not_write(tmp_path: Path, host: Host, case: str) -> None:
    damage, there, code, reason = IN_THE_WAY[case]
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)
    plan = repo.plan("web")
    repo.approve(plan)
    if there:
        repo.run("lock", "rs2000", "--reason", "x", expect=0)
        repo.run("unlock", "rs2000", expect=0)
    assert checks(repo)["rs2000", "root"]["level"] == "ok"
    host.sh(damage.format(root=host.root))
    if damage == ":":
        host.fill_disk()
    try:
        refusal(repo.run("apply", plan, "--approved-sha", repo.head, "--json"), code, reason)
        files = host.sh(f"find {host.root} 2>/dev/null | sort")
        found = checks(repo, expect=code)
        assert [name for (_, name), row in found.items() if row["level"] == "fail"] == [reason]
        assert host.sh(f"find {host.root} 2>/dev/null | sort") == files
    finally:
        host.heal()
        host.sh(MENDED.format(root=host.root, user=host.user))


def test_a_root_that_only_the_tools_own_folder_can_be_written_in_is_worth_a_word(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)
    repo.deploy("web")
    host.sh(f"chown root: {host.root}; chmod 755 {host.root}")
    assert warned(checks(repo)) == {("rs2000", "root")}
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/web:2"))
    repo.commit()
    repo.deploy("web")


def break_plugin(host: Host) -> None:
    """Docker takes the first of that name for the plugin. The lab's Debian has a Compose beside it, no version 1."""
    host.write(f"{AGENT_HOME}/.docker/cli-plugins/docker-compose", b"no program\n")
    host.sh(f"chmod -R a+rx {AGENT_HOME}/.docker")


def leave_group(host: Host) -> None:
    host.sh(f"gpasswd -d {host.user} docker")


@pytest.mark.parametrize(
    ("breaks", "reason", "hint"),
    [
        (break_plugin, "compose_missing", "`apt-get install docker-compose` on Debian"),
        (leave_group, "docker_permission", "`usermod -aG docker platform-host-agent`"),
    ],
)
def test_what_a_host_lacks_for_a_plan_is_told_with_the_words_that_mend_it(
    breaks: Callable[[Host], None], reason: str, hint: str, tmp_path: Path, host: Host
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)
    breaks(host)
    try:
        told = refusal(repo.run("plan", "web", "--json"), 69, reason)
        found = checks(repo, expect=69)
    finally:
        host.sh(f"gpasswd -a {host.user} docker")

    assert hint in told["hint"]
    assert found["rs2000", reason]["hint"] == told["hint"]
