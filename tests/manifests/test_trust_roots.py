"""The allow-list and the policy are read as designed; what names no machine or rules nothing is refused."""

from typing import Any

import pytest
import yaml

from platformctl.errors import InvalidInput
from platformctl.manifests.load import InvalidManifest, read_hosts, read_policy
from platformctl.model.desired import Strategy
from platformctl.model.finding import Finding
from platformctl.model.forge import ForgeAddress, ForgeKind, ForgeRepository, ForgeUrl
from platformctl.model.names import HostName, ModuleId, RepoPath
from platformctl.model.policy import ApprovalRule, ForgeRule, Policy, RollbackRule, Waiver

PIN = "0f6c2a9b4d1e4e7f8a3b5c6d7e8f9a0b"
KEY = "SHA256:" + "q7Zt" * 10 + "c3Q"
SSH = {
    "transport": "ssh",
    "address": "100.64.0.7",
    "user": "agent",
    "root": "/opt/platform",
    "host_key": [KEY],
    "machine_id": PIN,
}


def host_findings(entry: dict[str, Any]) -> tuple[Finding, ...]:
    with pytest.raises(InvalidManifest) as caught:
        read_hosts(yaml.safe_dump({"hosts": {"rs2000": entry}}).encode(), ".platform/hosts.yaml")
    return caught.value.findings


def test_p60_hosts_are_read_by_name() -> None:
    # given
    local = {"transport": "local", "root": "/opt/p", "engine_id": "ABCD:EFGH", "allow_root": True}
    text = yaml.safe_dump({"hosts": {"rs2000": {**SSH, "labels": {"env": "prod"}}, "here": local}}).encode()
    # when
    hosts = read_hosts(text, ".platform/hosts.yaml")
    # then
    assert set(hosts) == {"rs2000", "here"}
    assert (hosts["rs2000"].user, hosts["rs2000"].port, hosts["rs2000"].host_key) == ("agent", 22, (KEY,))  # type: ignore[index]
    assert (hosts["here"].allow_root, hosts["here"].address) == (True, None)  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"user": "root"}, "hosts.rs2000.user"),
        ({"user": "-l"}, "hosts.rs2000.user"),
        ({"user": ...}, "hosts.rs2000"),
        ({"address": ...}, "hosts.rs2000"),
        ({"address": "-oProxyCommand=x"}, "hosts.rs2000.address"),
        ({"address": "agent@10.0.0.1"}, "hosts.rs2000.address"),
        ({"host_key": ...}, "hosts.rs2000"),
        ({"host_key": []}, "hosts.rs2000.host_key"),
        ({"host_key": ["MD5:aa:bb"]}, "hosts.rs2000.host_key.0"),
        ({"host_key": KEY}, "hosts.rs2000.host_key"),
        ({"machine_id": ...}, "hosts.rs2000"),
        ({"machine_id": "none"}, "hosts.rs2000.machine_id"),
        ({"root": "/"}, "hosts.rs2000.root"),
        ({"root": "opt"}, "hosts.rs2000.root"),
        ({"root": "/opt/../etc"}, "hosts.rs2000.root"),
        ({"root": "/opt/"}, "hosts.rs2000.root"),
        ({"root": "//opt"}, "hosts.rs2000.root"),
        ({"port": 0}, "hosts.rs2000.port"),
        ({"transport": "telnet"}, "hosts.rs2000.transport"),
        ({"transport": ...}, "hosts.rs2000"),
        ({"allow_root": True}, "hosts.rs2000.allow_root"),
    ],
)
def test_a_host_that_could_not_be_recognised_is_refused(change: dict[str, Any], field: str) -> None:
    entry = {key: value for key, value in {**SSH, **change}.items() if value is not ...}
    assert [finding.field for finding in host_findings(entry)] == [field]


def test_a_local_host_has_no_address_user_or_key() -> None:
    findings = host_findings({**SSH, "transport": "local"})
    assert {finding.field.rpartition(".")[2] for finding in findings} == {"address", "user", "host_key"}


def test_the_policy_of_the_design_is_read() -> None:
    # given
    text = b"""
approvals: {required: 1, destructive: 2, per_host: {rs2000: 3}, per_label: {env=prod: 2}, hardware_only: true}
services: {required_labels: [team], forbidden_ports: ["22", "8000-8100"]}
plan: {expires_in: 12h, require_merged: false}
rollback: {preapproved: none, max_age: 7d}
phase: 4
images: {allow: ["ghcr.io/*"], require_digest: true}
sacred_paths: [secrets]
waivers:
  - {module: proxy, rule: docker-socket, reason: "Traefik reads labels", expires: 2027-01-31}
"""
    # when
    policy = read_policy(text, ".platform/policy.yaml")
    # then
    assert policy == Policy(
        approvals=ApprovalRule(1, 2, {HostName("rs2000"): 3}, hardware_only=True, per_label={"env=prod": 2}),
        expires_in=43200,
        require_merged=False,
        rollback=RollbackRule(Strategy.NONE, 604800),
        phase=4,
        images_allow=("ghcr.io/*",),
        require_digest=True,
        sacred_paths=(RepoPath("secrets"),),
        waivers=(Waiver(ModuleId("proxy"), "docker-socket", "Traefik reads labels", "2027-01-31"),),
        required_labels=("team",),
        forbidden_ports=((22, 22), (8000, 8100)),
    )


def test_a_policy_with_the_approvals_alone_has_the_defaults_of_the_design() -> None:
    assert read_policy(b"approvals: {required: 1}", "policy.yaml") == Policy()


FORGE = "kind: forgejo, url: 'https://forge.example/git', repository: platform/infra"


def test_what_a_pull_request_must_show_is_read() -> None:
    text = f"approvals: {{required: 1}}\nforge: {{{FORGE}, reviewers: [ann], checks: [plan / plan]}}"

    forge = read_policy(text.encode(), "policy.yaml").forge

    assert forge == ForgeRule(
        ForgeAddress(ForgeKind.FORGEJO, ForgeUrl("https://forge.example/git"), ForgeRepository("platform/infra")),
        reviewers=("ann",),
        checks=("plan / plan",),
    )


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("reviewers: [], checks: [a]", "forge.reviewers"),
        ("reviewers: [ann], checks: []", "forge.checks"),
        ("reviewers: [ann], checks: [a], reviews: 0", "forge.reviews"),
        ("reviewers: [ann], checks: [a], reviews: 2", "forge.reviews"),
        ("reviewers: [ann, a b], checks: [a]", "forge.reviewers.1"),
        ("reviewers: [ann], checks: [a], token: x", "forge.token"),
    ],
)
def test_a_forge_that_nobody_could_satisfy_or_that_asks_for_nothing_is_refused(more: str, field: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read_policy(f"approvals: {{required: 1}}\nforge: {{{FORGE}, {more}}}".encode(), "policy.yaml")

    assert [finding.field for finding in caught.value.findings] == [field]


@pytest.mark.parametrize(
    "url",
    [
        *("http://forge.example", "https://ann:secret@forge.example", "https://forge.example/?a=b", "//forge.example"),
        *("https://forge.example/", "ftp://forge.example", "http://127.0.0.1.evil.example", "http://localhost@evil"),
        *("https://forge.example/../x#", "https://forge.example:port", "HTTPS://forge.example"),
    ],
)
def test_a_token_is_not_sent_in_the_clear_or_to_two_places(url: str) -> None:
    with pytest.raises(InvalidInput):
        ForgeUrl.parse(url)


@pytest.mark.parametrize("repository", ["a", "a/b/c", "../b", "a/..", "a/b?c", "a/", "a b/c"])
def test_a_repository_is_an_owner_and_a_name(repository: str) -> None:
    with pytest.raises(InvalidInput):
        ForgeRepository.parse(repository)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b"", ""),
        (b"{}", ""),
        (b"approvals: {}", "approvals"),
        (b"approvals: {required: 0}", "approvals.required"),
        (b"approvals: {required: 1, per_host: {a: 0}}", "approvals.per_host.a"),
        (b"approvals: {required: 1, per_label: {prod: 2}}", "approvals.per_label.prod"),
        (b"approvals: {required: 1}\nservices: {forbidden_ports: [22]}", "services.forbidden_ports.0"),
        (b"approvals: {required: 1}\nphase: 6", "phase"),
        (
            b"approvals: {required: 1}\nwaivers: [{module: a, rule: b, reason: c, expires: 2027-02-30}]",
            "waivers.0.expires",
        ),
        (
            b"approvals: {required: 1}\nwaivers: [{module: a, rule: b, reason: '', expires: 2027-02-03}]",
            "waivers.0.reason",
        ),
        (b"approvals: {required: 1}\nwaivers: [{module: a, rule: b, reason: c}]", "waivers.0"),
        (b"approvals: {required: 1}\nsacred_paths: [/etc]", "sacred_paths.0"),
    ],
)
def test_a_policy_that_rules_nothing_or_nonsense_is_refused(text: bytes, field: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read_policy(text, ".platform/policy.yaml")
    assert [finding.field for finding in caught.value.findings] == [field]
