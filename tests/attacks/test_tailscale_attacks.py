"""What somebody in the tailnet would like to be taken for."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from platformctl.errors import Refusal, Unreachable, WrongHost
from platformctl.model.command import Command
from tests.contracts.odd_host import OddHost, odd_host
from tests.contracts.tailnet import DNS_NAME, NODE_ID, Tailnet, peer, tailnet

SECRET = Command(("docker", "compose", "up"), b"a secret")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[tuple[Tailnet, OddHost]]:
    """A tailnet, and an impostor on this machine's loopback, who lets everybody in without a key."""
    with ExitStack() as stack:
        net = stack.enter_context(tailnet(tmp_path))
        impostor = stack.enter_context(odd_host(tmp_path / "impostor"))
        impostor.lets_in_without_key = True
        yield net, impostor


def refused(scene: tuple[Tailnet, OddHost], kind: type[Refusal], **pinned: Any) -> Refusal:
    """What is raised, when nothing reaches the impostor's ears."""
    net, impostor = scene
    with net.reach(replace(impostor.entry, address=None, **pinned), impostor.environment) as transport:
        with pytest.raises(kind) as caught:
            transport.run(SECRET)
        assert transport.exchanges == 0
    assert (impostor.logins, impostor.commands) == ([], [])
    return caught.value


def test_who_takes_the_hosts_hostname_is_not_the_host(scene: tuple[Tailnet, OddHost]) -> None:
    """HostName is what a machine calls itself."""
    net, _ = scene
    net.shows(peer(ID="nEvilCNTRL", DNSName=f"throw-away-1.{DNS_NAME.partition('.')[2]}.", HostName="throw-away"))
    refused(scene, Unreachable)


def test_who_takes_the_hosts_dns_name_is_another_machine(scene: tuple[Tailnet, OddHost]) -> None:
    """The host left the tailnet, and the name was free."""
    net, _ = scene
    net.shows(peer(ID="nEvilCNTRL"))
    assert NODE_ID in refused(scene, WrongHost).detail


def test_a_host_under_another_name_is_not_the_pinned_one(scene: tuple[Tailnet, OddHost]) -> None:
    net, _ = scene
    net.shows(peer(DNSName="other.tail1234.ts.net."))
    refused(scene, WrongHost)


def test_two_who_claim_to_be_the_host_are_neither(scene: tuple[Tailnet, OddHost]) -> None:
    net, _ = scene
    net.shows(peer(), peer(ID="nEvilCNTRL"))
    refused(scene, WrongHost)
    net.shows(peer(), peer())
    refused(scene, WrongHost)


def test_an_expired_or_offline_peer_is_not_tried(scene: tuple[Tailnet, OddHost]) -> None:
    """Who has its address meanwhile would be met."""
    net, _ = scene
    for fields in ({"Expired": True}, {"Online": False}):
        net.shows(peer(**fields))
        refused(scene, Unreachable)


def test_a_peer_at_another_address_than_the_pinned_one(scene: tuple[Tailnet, OddHost]) -> None:
    net, impostor = scene
    net.shows(peer(TailscaleIPs=["100.64.0.9"]))
    with net.reach(impostor.entry, impostor.environment) as transport, pytest.raises(WrongHost):
        transport.run(SECRET)
    assert impostor.commands == []


def test_a_control_server_that_vouches_for_the_impostors_key(scene: tuple[Tailnet, OddHost]) -> None:
    """The pin is in hosts.yaml; what tailscale says of keys can take away trust and never give it."""
    net, impostor = scene
    net.shows(peer(sshHostKeys=[impostor.key.export_public_key().decode().strip()]))
    refused(scene, WrongHost, host_key=("SHA256:" + "A" * 43,))


def test_a_man_in_the_middle_of_a_peer_that_was_vouched_for(scene: tuple[Tailnet, OddHost], tmp_path: Path) -> None:
    """The status has the pinned key, and somebody else answers."""
    net, _ = scene
    with odd_host(tmp_path / "true") as true:
        net.shows(peer(sshHostKeys=[true.key.export_public_key().decode().strip()]))
        refused(scene, WrongHost, host_key=true.entry.host_key)
