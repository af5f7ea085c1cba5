"""What the tailscale transport promises beside the others, with a replayed status: it never met a real tailnet."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from platformctl.errors import InvalidInput, ToolError, Unreachable, WrongHost
from platformctl.model.command import Command
from platformctl.transports.tailscale import TailscaleTransport
from platformctl.transports.tailscale.peer import Peer, find_peer
from tests.contracts.odd_host import OddHost
from tests.contracts.reach import TRUE, connect
from tests.contracts.sshd import Sshd
from tests.contracts.tailnet import DNS_NAME, NODE_ID, Tailnet, peer, status


def test_the_status_is_asked_of_the_local_api_once_for_a_connection(net: Tailnet, sshd: Sshd) -> None:
    with net.reach(sshd.entry(), sshd.environment) as transport:
        transport.run(TRUE)
        transport.run(TRUE)

    assert net.asked == [("local-tailscaled.sock", "/localapi/v0/status")]


def test_without_a_socket_the_tailscale_program_is_asked(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "status").write_text(json.dumps(status(peer())))
    stub(tmp_path, f'[ "$*" = "status --json" ] && exec cat {tmp_path}/status')
    entry = replace(sshd.entry(), transport="tailscale", node_id=NODE_ID, dns_name=DNS_NAME)
    environment = {**sshd.environment, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with TailscaleTransport(entry, environment, sockets=()) as transport:
        assert transport.run(Command(("echo", "here"))).text == "here\n"


@pytest.mark.parametrize("script", ["exit 1", "echo nonsense", "echo", "kill -9 $$"])
def test_a_tailscale_program_that_fails_is_no_answer(sshd: Sshd, tmp_path: Path, script: str) -> None:
    stub(tmp_path, script)
    entry = replace(sshd.entry(), node_id=NODE_ID, dns_name=DNS_NAME)
    with pytest.raises(Unreachable):
        TailscaleTransport(entry, {**sshd.environment, "PATH": f"{tmp_path}:/bin"}, sockets=()).run(TRUE)


def test_without_tailscale_at_all_it_is_named(sshd: Sshd, tmp_path: Path) -> None:
    entry = replace(sshd.entry(), node_id=NODE_ID, dns_name=DNS_NAME)
    with pytest.raises(ToolError) as caught:
        TailscaleTransport(entry, {"PATH": str(tmp_path)}, sockets=(tmp_path / "no.sock",)).run(TRUE)
    assert "tailscale" in caught.value.detail


def stub(folder: Path, script: str) -> None:
    program = folder / "tailscale"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_where_tailscale_ssh_answers_no_key_is_needed(net: Tailnet, odd: OddHost) -> None:
    odd.lets_in_without_key = True
    net.shows(peer(sshHostKeys=[odd.key.export_public_key().decode().strip()]))
    with net.reach(odd.entry, {"HOME": str(odd.folder)}) as transport:
        assert transport.run(Command(("anything",))).status == 0

    assert odd.logins == []


def test_where_tailscale_ssh_wants_a_key_all_the_same_it_is_offered(net: Tailnet, odd: OddHost) -> None:
    net.shows(peer(sshHostKeys=[odd.key.export_public_key().decode().strip()]))
    connect(net.reach, odd.entry, odd.environment)
    assert odd.logins


def test_where_it_does_not_answer_a_key_is_offered_at_once(net: Tailnet, odd: OddHost) -> None:
    connect(net.reach, odd.entry, odd.environment)
    assert odd.logins


# --- the peer, by a pure function -----------------------------------------------------------------


def entry(sshd: Sshd, **fields: Any) -> Any:
    return replace(sshd.entry(), address=None, node_id=NODE_ID, dns_name=DNS_NAME, **fields)


def test_the_first_address_counts_or_the_pinned_one(sshd: Sshd) -> None:
    assert find_peer(entry(sshd), status(peer())) == Peer("127.0.0.1", has_tailscale_ssh=False)
    assert find_peer(replace(entry(sshd), address="::1"), status(peer())).address == "::1"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"Online": False}, "offline"),
        ({"Online": None}, "offline"),
        ({"Expired": True}, "expired"),
        ({"TailscaleIPs": []}, "no address"),
        ({"TailscaleIPs": None}, "no address"),
        ({"TailscaleIPs": ["-oProxyCommand=id"]}, "not in the form"),
    ],
)
def test_a_peer_that_can_not_be_connected_to_is_unreachable_and_told_why(
    sshd: Sshd, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(Unreachable) as caught:
        find_peer(entry(sshd), status(peer(**fields)))
    assert said in caught.value.detail
    assert caught.value.reason == "connect"


@pytest.mark.parametrize("state", ["NoState", "NeedsLogin", "NeedsMachineAuth", "Stopped", "Starting", "", "\x1b[31m"])
def test_a_tailscale_that_does_not_run_is_told_with_its_state(sshd: Sshd, state: str) -> None:
    with pytest.raises(Unreachable) as caught:
        find_peer(entry(sshd), status(peer(), BackendState=state))
    assert (state if state.isalpha() else "not known") in caught.value.detail
    assert caught.value.hint == "tailscale up"


def test_a_tailnet_without_the_peer_is_unreachable(sshd: Sshd) -> None:
    other = peer(ID="nOtherCNTRL", DNSName="other.tail1234.ts.net.")
    for peers in ((), (other,)):
        with pytest.raises(Unreachable):
            find_peer(entry(sshd), status(*peers))


@pytest.mark.parametrize("pinned", [{"node_id": None}, {"dns_name": None}, {"node_id": ""}])
def test_a_host_that_is_pinned_to_no_peer_is_refused(sshd: Sshd, pinned: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        find_peer(replace(entry(sshd), **pinned), status(peer(ID="", DNSName="")))


@pytest.mark.parametrize(
    "garbage", [None, [], "x", 1, {}, {"BackendState": "Running", "Peer": [1]}, {"Peer": {"k": 1}}]
)
def test_an_answer_in_another_form_is_no_answer(sshd: Sshd, garbage: Any) -> None:
    with pytest.raises(Unreachable):
        find_peer(entry(sshd), garbage)


@pytest.mark.parametrize("answer", [b"", b"{", b"[" * 100_000, b"\xff", b"nonsense"])
def test_an_answer_that_is_no_json_is_no_answer(net: Tailnet, sshd: Sshd, answer: bytes) -> None:
    net.answer = answer
    with pytest.raises(Unreachable):
        connect(net.reach, sshd.entry(), sshd.environment)


def test_a_tailscaled_that_refuses_to_answer_is_no_answer(net: Tailnet, sshd: Sshd) -> None:
    net.code = 403
    with pytest.raises(Unreachable) as caught:
        connect(net.reach, sshd.entry(), sshd.environment)
    assert "tailscale up" in caught.value.hint


def test_other_keys_of_the_peer_than_pinned_are_another_machine(sshd: Sshd) -> None:
    stranger = "ssh-ed25519 " + "AAAA" * 10
    with pytest.raises(WrongHost):
        find_peer(entry(sshd), status(peer(sshHostKeys=[stranger])))

    public = (sshd.folder / "host_ed25519.pub").read_text().strip()
    assert find_peer(entry(sshd), status(peer(sshHostKeys=[stranger, public]))).has_tailscale_ssh
