"""The agent's login or its sshd is not as on a new host: an apply works, or `doctor` says what is in its way."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from platformctl.workflows.login import NEEDED
from tests.e2e.refusals import refusal
from tests.e2e.test_doctor import checks
from tests.e2e.witness import running, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo, host_entry

SHELL = "/usr/local/bin/login"


@contextmanager
def login_shell(host: Host, text: str) -> Iterator[None]:
    """The agent logs in with a shell of its own meanwhile: a script that is given what sshd gives a shell."""
    host.write(SHELL, text.encode(), owner="root")
    host.sh(f"chmod 755 {SHELL}; cp /etc/passwd /root/passwd; sed -i '/^{host.user}:/s,[^:]*$,{SHELL},' /etc/passwd")
    try:
        yield
    finally:
        host.sh(f"mv /root/passwd /etc/passwd; rm {SHELL}")


@contextmanager
def sshd_setting(host: Host, line: str) -> Iterator[None]:
    host.sh(f"cp -p /etc/ssh/sshd_config /root/sshd; {{ echo '{line}'; cat /root/sshd; }} >/etc/ssh/sshd_config")
    host.reload_sshd()
    try:
        yield
    finally:
        host.sh("mv /root/sshd /etc/ssh/sshd_config")
        host.reload_sshd()


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    """Module web with an approved plan in web.plan.json."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)
    repo.approve(repo.plan("web"))
    return repo


def failing(repo: PlatformRepo, *, expect: int = 69) -> dict[str, str]:
    """The one thing that fails, as `doctor` has it."""
    (failed,) = (row for row in checks(repo, expect=expect).values() if row["level"] == "fail")
    return dict(failed)


def begins(*lines: str) -> str:
    """A login shell that does this and then what it was told."""
    return "\n".join(("#!/bin/sh", *lines, 'exec /bin/sh "$@"', ""))


IN_THE_WAY = {
    "reads its input": (begins("read -r answer"), "reads the input"),
    "takes all its input": (begins("cat >/dev/null"), "reads the input"),
    "greets": (begins("echo welcome"), "prints something"),
    "runs nothing": ("#!/bin/sh\necho not available; exit 1\n", "does not run"),
    "looks for events, as csh": (begins("case $2 in *!*) exit 1 ;; esac"), "not a POSIX"),
    "is busybox": ('#!/bin/sh\nexec /bin/busybox sh "$@"\n', "busybox"),
    "has no home": (begins("unset HOME"), "HOME"),
    "finds few programs": (begins("PATH=/usr/local/bin:/few", "export PATH"), "flock"),
}
"""What a login does, and words of what `doctor` says to it."""


@pytest.mark.parametrize("case", IN_THE_WAY)
def test_a_login_that_is_in_the_way_of_an_apply_is_told_as_what_it_is(
    repo: PlatformRepo, host: Host, case: str
) -> None:
    text, words = IN_THE_WAY[case]
    with login_shell(host, text), untouched(host):
        host.sh("mkdir -p /few; cd /few; for name in sh cat echo; do ln -sf /bin/$name .; done")
        refusal(repo.apply(repo.folder / "web.plan.json", expect=69), 69)
        failed = failing(repo)
        host.sh("rm -r /few")

    assert (failed["name"], words in failed["found"]) == ("login", True), failed
    assert "log in by hand" not in failed["hint"]


def test_a_login_that_leaves_a_program_behind_keeps_doctor_waiting_no_longer_than_its_time(
    repo: PlatformRepo, host: Host
) -> None:
    with login_shell(host, begins("sleep 600 &")):
        assert "stays" in failing(repo)["found"]


HARMLESS = {
    "tells its errors": begins("echo welcome >&2"),
    "lets nobody into its files": begins("umask 777"),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_a_login_that_is_in_nobodys_way_is_none_in_doctors_words_either(
    repo: PlatformRepo, host: Host, case: str
) -> None:
    with login_shell(host, HARMLESS[case]):
        checks(repo)
        repo.apply(repo.folder / "web.plan.json")
    assert running(host) == {"web": "platformctl-lab/web:1"}


def test_a_host_that_has_no_more_programs_than_doctor_asks_for_is_good_enough(repo: PlatformRepo, host: Host) -> None:
    repo.deploy("web")
    names = " ".join((*NEEDED, "docker", "perl", "sh"))
    host.sh(f"mkdir /usr/few; cd /usr/few; for name in {names}; do ln -s $(command -v $name) .; done")
    repo.add_module("web", json.dumps(WEB).replace("lab/web:1", "lab/web:2"))
    try:
        with login_shell(host, begins("PATH=/usr/few", "export PATH")):
            checks(repo)
            repo.deploy("web")
            repo.run("rollback", "web", expect=9)
            repo.run("audit", "verify", expect=0)
            repo.run("lock", "rs2000", "--reason", "moving", expect=0)
            repo.run("unlock", "rs2000", expect=0)
    finally:
        host.sh("rm -r /usr/few")


@pytest.mark.parametrize("transport", ["ssh", "openssh"])
def test_a_host_that_opens_one_session_at_a_time_is_found_before_an_apply_is(
    repo: PlatformRepo, host: Host, transport: str
) -> None:
    repo.hosts_file({"rs2000": {**host_entry(host), "transport": transport}})
    repo.commit()
    with sshd_setting(host, "MaxSessions 1"):
        failed = failing(repo)
    assert "two" in failed["found"]
    assert "MaxSessions" in failed["hint"]

    with sshd_setting(host, "MaxSessions 2"):
        checks(repo)
        repo.deploy("web")
