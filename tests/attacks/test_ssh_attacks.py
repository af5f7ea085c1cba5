"""What somebody between the operator and a host, or in a manifest, would like SSH to do for them."""

import copy
import os
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from platformctl.errors import InvalidInput, Unreachable, WrongHost
from platformctl.model.command import Command
from platformctl.model.names import HostName
from platformctl.transports.local import LocalTransport
from tests.contracts.odd_host import OddHost, odd_host
from tests.contracts.reach import Reach, each_way, each_way_by_address


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[OddHost]:
    """A server that lets everybody in, to hear what they say."""
    with odd_host(tmp_path) as host:
        yield host


@each_way
def test_a_man_in_the_middle_learns_neither_a_login_nor_a_command(reach: Reach, impostor: OddHost) -> None:
    pinned = replace(impostor.entry, host_key=("SHA256:" + "A" * 43,))
    transport = reach(pinned, impostor.environment)
    for deed in (transport.run, transport.hold):
        with pytest.raises(WrongHost):
            deed(Command(("docker", "compose", "up"), b"a secret"))

    assert (impostor.logins, impostor.commands) == ([], [])
    assert transport.exchanges == 0


@each_way
def test_the_same_server_is_spoken_to_once_its_key_is_pinned(reach: Reach, impostor: OddHost) -> None:
    with reach(impostor.entry, impostor.environment) as transport:
        transport.run(Command(("docker", "compose", "up")))

    assert (set(impostor.logins), impostor.commands) == ({"agent"}, ["docker compose up"])


@each_way
@pytest.mark.parametrize("pin", ["", "SHA256:", "*", "SHA256:*", "MD5:00:11"])
def test_a_pin_that_names_no_key_matches_no_key(reach: Reach, impostor: OddHost, pin: str) -> None:
    with pytest.raises(WrongHost):
        reach(replace(impostor.entry, host_key=(pin,)), impostor.environment).run(Command(("true",)))
    assert impostor.logins == []


@each_way
def test_a_part_of_the_right_fingerprint_is_not_enough(reach: Reach, impostor: OddHost) -> None:
    whole = impostor.entry.host_key[0]
    for part in (whole[:-1], whole.lower(), f"{whole}="):
        with pytest.raises(WrongHost):
            reach(replace(impostor.entry, host_key=(part,)), impostor.environment).run(Command(("true",)))
    assert impostor.logins == []


@each_way
def test_who_shows_the_pinned_key_without_having_it_is_told_nothing(
    reach: Reach, impostor: OddHost, tmp_path: Path
) -> None:
    """A public key is public; what counts is what it signs."""
    forged = copy.copy(impostor.key)
    vars(forged)["sign"] = asyncssh.generate_private_key("ssh-ed25519").sign
    with (
        odd_host(tmp_path / "forger", key=forged) as forger,
        reach(replace(impostor.entry, port=forger.port), impostor.environment, timeout=3) as transport,
        pytest.raises(Unreachable),
    ):
        transport.run(Command(("docker", "compose", "up"), b"a secret"))

    assert (forger.logins, forger.commands) == ([], [])
    assert forger.entry.host_key == impostor.entry.host_key


@each_way
def test_a_scan_by_an_impostor_gets_no_login(reach: Reach, impostor: OddHost) -> None:
    assert reach(impostor.entry, {}).scan_host_keys() == (("ssh-ed25519", impostor.entry.host_key[0]),)
    assert impostor.logins == []


@each_way
@pytest.mark.parametrize(
    "word", ["; id", "$(id)", "`id`", "a\nid", "' id '", '"; id; "', "&& id", "| id", "> /tmp/x", "{a,b}"]
)
def test_a_word_of_a_manifest_stays_one_word_on_the_wire(reach: Reach, impostor: OddHost, word: str) -> None:
    with reach(impostor.entry, impostor.environment) as transport:
        transport.run(Command(("docker", "compose", "up", "--", word)))

    assert shlex.split(impostor.commands[0]) == ["docker", "compose", "up", "--", word]


@each_way_by_address
@pytest.mark.parametrize("text", ["-oProxyCommand=id", "-l root", "--", "a@b", "a b", "a\x00", "a\r\n"])
@pytest.mark.parametrize("name", ["name", "address", "user"])
def test_what_another_program_would_read_as_an_option_is_refused(
    reach: Reach, impostor: OddHost, name: str, text: str
) -> None:
    entries = {
        "name": replace(impostor.entry, name=HostName(text)),
        "address": replace(impostor.entry, address=text),
        "user": replace(impostor.entry, user=text),
    }
    transport = reach(entries[name], impostor.environment)
    with pytest.raises(InvalidInput):
        transport.run(Command(("true",)))
    assert impostor.logins == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused as root")
def test_root_is_not_lent_to_a_plan_without_the_entry_saying_so(impostor: OddHost) -> None:
    transport = LocalTransport(replace(impostor.entry, transport="local"), {})
    for deed in (transport.run, transport.hold):
        with pytest.raises(WrongHost) as caught:
            deed(Command(("true",)))
        assert "allow_root" in caught.value.hint
    assert transport.exchanges == 0
