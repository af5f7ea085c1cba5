"""`host trust` and `host prepare` for a host that is not on the allow-list yet: what is said of it must fit there."""

from pathlib import Path

import pytest

from tests.platform_repo import PlatformRepo

AT = ("--address", "192.0.2.1")
WRONG = {
    "root, whose password would be taken away": ((*AT, "--user", "root"), "user: "),
    "a user with a blank": ((*AT, "--user", "a b"), "user: "),
    "the folder of all folders, which would be given away": ((*AT, "--root", "/"), "root: "),
    "a folder of nowhere": ((*AT, "--root", "platform"), "root: "),
    "a folder above": ((*AT, "--root", "/opt/../etc"), "root: "),
    "a word in the address": (("--address", "-oProxyCommand=x"), "address: "),
    "a peer without its name": (("--transport", "tailscale", "--node-id", "n1CNTRL"), "dns_name is missing"),
    "a peer's id for what is no peer": ((*AT, "--node-id", "n1CNTRL"), "node_id: "),
}


@pytest.mark.parametrize("verb", ["prepare", "trust"])
@pytest.mark.parametrize("case", WRONG)
def test_what_no_entry_of_the_allow_list_may_say_is_refused_before_anybody_is_asked(
    repo: PlatformRepo, verb: str, case: str
) -> None:
    words, field = WRONG[case]
    ended = repo.run("host", verb, "new", *words, "--json", expect=2)
    assert field in ended.json["error"]["detail"], ended
    assert "useradd" not in ended.stdout


def test_what_fits_there_is_printed(repo: PlatformRepo) -> None:
    words = (*AT, "--user", "agent", "--root", "/srv/platform", "--port", "2222")
    script = repo.run("host", "prepare", "new", *words, expect=0).stdout
    assert "usermod -aG docker agent" in script
    peer = ("--transport", "tailscale", "--node-id", "n1CNTRL", "--dns-name", "new.example.ts.net")
    repo.run("host", "prepare", "new", *peer, expect=0)


def test_a_host_that_does_not_answer_is_not_sent_to_doctor_which_does_not_know_it(repo: PlatformRepo) -> None:
    told = repo.run("host", "trust", "new", "--address", "127.0.0.1", "--port", "1", "--json", expect=69).json["error"]
    assert "doctor" not in told["hint"]
    assert "--port" in told["hint"]


PIGEON = """class Pigeon:
    def __init__(self, entry, environment):
        self.entry = entry

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def scan_host_keys(self):
        return (("ssh-ed25519", "SHA256:" + "A" * 43),)
"""


def test_a_transport_of_others_that_needs_no_address_is_asked_for_none(repo: PlatformRepo, tmp_path: Path) -> None:
    (tmp_path / "pigeon.py").write_text(PIGEON)
    made = tmp_path / "pigeon-1.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon\nVersion: 1\n")
    (made / "entry_points.txt").write_text("[platformctl.transports]\npigeon = pigeon:Pigeon\n")

    words = ("new", "--transport", "pigeon")
    shown = repo.run("host", "trust", *words, expect=0, PYTHONPATH=str(tmp_path)).stdout
    assert "SHA256:AAAA" in shown
    repo.run("host", "prepare", *words, expect=0, PYTHONPATH=str(tmp_path))
    assert "--address" in repo.run("host", "prepare", "new", "--json", expect=4).json["error"]["hint"]
