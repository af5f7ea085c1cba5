"""Hosts that are not simply at an address: behind a jump host, by the operator's own ssh, and in a tailnet."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.transports.tailscale.status import SOCKETS
from tests.contracts.tailnet import DNS_NAME, NODE_ID, peer, status
from tests.e2e.witness import running
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo, host_entry

pytestmark = pytest.mark.lab


def through(jump: Host) -> str:
    """Settings of an operator who goes to rs2000 through `jump`, and knows the jump host's key."""
    return f"""
Host rs2000
    ProxyJump jump
Host jump
    HostName {jump.address}
    User {jump.user}
    IdentityFile {jump.key_path}
    UserKnownHostsFile {jump.key_path.with_name("lab_known_hosts")}
"""


def test_a_service_is_applied_through_a_jump_host(tmp_path: Path, hosts: tuple[Host, ...]) -> None:
    host, jump, _ = hosts
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.hosts_file({"rs2000": {**host_entry(host), "transport": "openssh"}})
    repo.add_module("web", WEB)
    (repo.home / ".ssh").mkdir()
    (repo.home / ".ssh/config").write_text(through(jump))

    where = ("--address", host.address, "--transport", "openssh", "--fingerprint", host.host_key_fingerprints[0])
    pinned = repo.run("host", "trust", "new", *where, expect=0).stdout
    assert "transport: openssh" in pinned
    assert host.machine_id in pinned
    repo.run("doctor", "rs2000", expect=0)
    report = repo.deploy("web", expect=9).json

    assert report["applied"] == [{"module": "web", "host": "rs2000", "compose_service": "web"}]
    assert running(host) == {"web": "platformctl-lab/web:1"}
    logins = [line for line in host.sh("cat /var/log/sshd.log").splitlines() if "Accepted publickey" in line]
    assert any(f"from {jump.address} " in line for line in logins)


@pytest.mark.skipif(any(path.exists() for path in SOCKETS), reason="a tailscaled of this machine would be asked")
def test_a_service_is_applied_on_a_peer_of_a_tailnet(tmp_path: Path, host: Host) -> None:
    """Its status is replayed by a program called tailscale; the host is a real one."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    (tmp_path / "status").write_text(json.dumps(status(peer(TailscaleIPs=[host.address], HostName="anything"))))
    program = tmp_path / "bin/tailscale"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec cat {tmp_path}/status\n")
    program.chmod(0o755)
    repo = replace(repo, environment={**repo.environment, "PATH": f"{program.parent}:{repo.environment['PATH']}"})

    where = ("--transport", "tailscale", "--node-id", NODE_ID, "--dns-name", DNS_NAME)
    known = ("--fingerprint", host.host_key_fingerprints[0])
    pinned = repo.run("host", "trust", "peer", *where, *known, expect=0).stdout
    entry = "".join(f"  {line.removeprefix('+ ')}\n" for line in pinned.splitlines() if line.startswith("+ "))
    repo.write(".platform/hosts.yaml", f"hosts:\n{entry}")
    repo.add_module("web", WEB, host="peer")

    assert f'node_id: "{NODE_ID}"' in entry
    repo.run("doctor", "peer", expect=0)
    repo.deploy("web", expect=9)
    assert running(host) == {"web": "platformctl-lab/web:1"}

    (tmp_path / "status").write_text(json.dumps(status(peer(TailscaleIPs=[host.address], Online=False))))
    repo.run("doctor", "peer", expect=69)
    (tmp_path / "status").write_text(json.dumps(status(peer(TailscaleIPs=[host.address], ID="nEvilCNTRL"))))
    repo.run("doctor", "peer", expect=77)
