"""Each rule lets harmless things pass, names what it refuses with its place, and says why and what is safer."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platformctl.errors import InvalidInput
from platformctl.manifests.load import read_policy
from platformctl.model.desired import Canary, Environment, ModuleKind
from platformctl.model.names import RepoPath
from platformctl.model.policy import Policy
from platformctl.policy import RULES, judge
from platformctl.policy.images import allows
from platformctl.policy.keys import SERVICE_KEYS
from tests.policy.judged import (
    COMPOSE_FILE,
    DIGEST,
    MODULE,
    TODAY,
    denials,
    findings,
    release,
    service,
    with_environment,
)

DOCUMENT = Path(__file__).parents[2] / "docs/policy.md"

HARMLESS = {
    "nothing special": service(),
    "a public cache": service(
        "command: [redis-server, --save, '60']",
        "restart: unless-stopped",
        "ports: ['127.0.0.1:6379:6379']",
        "volumes: [data:/data, './redis.conf:/etc/redis.conf:ro', /tmp/scratch]",
        "healthcheck: {test: [CMD, redis-cli, ping], interval: 5s}",
        "environment: {A: b, PASSWORD: '${PASSWORD:-}'}",
        "logging: {driver: json-file, options: {max-size: 10m}}",
        "ulimits: {nofile: 65536}",
        "extra_hosts: ['host.docker.internal:host-gateway']",
        "container_name: cache",
        "deploy: {replicas: 1, resources: {limits: {memory: 1g}}}",
        "x-note: anything",
    )
    + "volumes: {data: }\n",
    "power that is refused in words": service("privileged: false", "devices: []", "oom_kill_disable: false"),
    "the clock, to read": service("volumes: ['/etc/localtime:/etc/localtime:ro', '/etc/timezone:/etc/timezone:ro']"),
    "data below the root": service("volumes: ['/opt/platform/data:/data', '../../cache:/cache']"),
    "its own folder, to read": service("volumes: ['.:/here:ro']"),
    "the network of a service": service("network_mode: service:db") + "  db: {image: x}\n",
    "capabilities of everyday use": service("cap_drop: [ALL]", "cap_add: [CHOWN, net_bind_service, CAP_SETUID]"),
    "more confinement": service("security_opt: ['no-new-privileges:true']", "read_only: true"),
    "the container's own settings": service("sysctls: {net.core.somaxconn: 1024, kernel.shmmax: 1}"),
    "its own namespaces": service("ipc: shareable", "cgroup: private", "network_mode: bridge"),
    "networks": service("networks: [front]")
    + "networks: {front: {external: true}, default: {driver: bridge, internal: true}}\n",
    "a network file system": service("volumes: [data:/d]")
    + "volumes: {data: {driver_opts: {type: nfs, o: 'addr=10.0.0.2,rw', device: ':/export'}}}\n",
    "a tmpfs": service("volumes: [data:/d, {type: tmpfs, target: /t}]", "tmpfs: /run")
    + "volumes: {data: {driver_opts: {type: tmpfs, o: size=1m, device: tmpfs}}}\n",
    "configs and secrets of the repository": service("configs: [c]", "secrets: [s]", "env_file: [a.env]")
    + "configs: {c: {content: text}}\nsecrets: {s: {file: ../../secrets/s}}\n",
    "its own name": "name: cache\n" + service(),
    "addresses of its own": service()
    + "networks: {default: {ipam: {config: [{subnet: 172.28.0.0/16}, {subnet: 'fd00:1::/64'}]}}}\n",
    "options of its own network": service()
    + "networks: {default: {driver_opts: {com.docker.network.driver.mtu: 1450}}}\n",
    "a log on the network": service("logging: {driver: syslog, options: {syslog-address: 'tcp://192.0.2.1:514'}}"),
    "two folders, one in the other, to read": service("volumes: ['./a:/a:ro', './a/b:/b:ro']"),
    "folders whose names begin alike": service("volumes: ['./a:/a', './ab:/b']"),
    "a volume by name": service("volumes: [data:/d]") + "volumes: {data: {external: true, name: shared}}\n",
    "a power of a service nobody starts": service() + "  other: {image: x, privileged: true}\n",
    "a network of others beside it": service()
    + "  other: {image: x, networks: [n, m]}\nnetworks: {n: {internal: true}, m: {external: true, name: host}}\n",
    "a network of a service that another profile has": service()
    + "  other: {image: x, profiles: [p], networks: [n]}\nnetworks: {n: {driver: macvlan}}\n",
    "a volume nobody uses": service() + "volumes: {data: {driver_opts: {type: none, o: bind, device: /}}}\n",
}


@pytest.mark.parametrize(
    ("compose", "denied"),
    [
        (service("logging: {driver: [json-file]}"), {"log-driver"}),
        (service("networks: [n]") + "networks: {n: {labels: true}}\n", set()),
    ],
)
def test_a_value_of_a_form_that_compose_will_refuse_is_judged_all_the_same(compose: str, denied: set[str]) -> None:
    assert denials(compose) == denied


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_what_is_harmless_is_not_refused(text: str) -> None:
    assert denials(text) == set()


def test_a_finding_names_rule_file_line_field_service_reason_and_the_safer_way() -> None:
    found = next(f for f in findings(service("restart: always", "privileged: true")) if f.severity == "deny")

    assert (found.rule, found.file, found.line, found.field) == (
        "privileged",
        COMPOSE_FILE,
        5,
        "services.web.privileged",
    )
    assert "web" in found.message
    assert "root on its host" in found.message
    assert found.hint


def test_all_findings_come_at_once_denials_first() -> None:
    found = findings(service("privileged: true", "pid: host", "volumes: ['/:/host']"))
    severities = [finding.severity for finding in found]

    assert {finding.rule for finding in found} >= {"privileged", "host-namespace", "sensitive-mount", "image-tag"}
    assert severities == sorted(severities)


def test_one_mount_breaks_one_rule() -> None:
    assert denials(service("volumes: ['/var/run/docker.sock:/s']")) == {"docker-socket"}
    assert denials(service("volumes: ['/:/host']")) == {"sensitive-mount"}
    assert denials(service("volumes: ['/srv/media:/media']")) == {"mount-outside-root"}
    assert denials(service("volumes: ['../..:/p']")) == {"platform-root"}
    assert denials(service("volumes: ['../../.platform/x:/p']")) == {"sacred-path"}
    assert denials(service("volumes: ['..:/p']")) == {"writable-definition"}


@pytest.mark.parametrize("root", ["/", "/etc/platform", "/home/agent/platform", "/opt/platform/"])
def test_the_hosts_own_files_stay_sensitive_wherever_the_root_is(root: str) -> None:
    assert denials(service("volumes: ['/usr:/u']"), root=root) == {"sensitive-mount"}
    assert denials(service("volumes: ['./data:/data']"), root="/home/agent/platform") == set()


def test_an_unknown_key_is_refused_with_the_name_that_may_be_meant() -> None:
    found = next(f for f in findings(service("enviroment: {A: b}")) if f.rule == "unknown-key")

    assert "'enviroment'" in found.message
    assert "did you mean environment?" in found.message


@given(st.from_regex(r"[a-z_]{1,20}", fullmatch=True).filter(lambda key: key not in SERVICE_KEYS))
def test_no_key_passes_that_nobody_has_judged(key: str) -> None:
    assert denials(service(f"{key}: true")) >= {"unknown-key"}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "host", "a:b", "/", "no"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "type", "devices"]), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(SERVICE_KEYS)), JSON_VALUES)
def test_no_value_of_any_key_breaks_the_judge(key: str, value: object) -> None:
    try:
        found = findings(f"services: {{web: {{image: x, {key}: {_flow(value)}}}}}")
    except InvalidInput:
        return
    assert all(finding.message for finding in found)


@given(st.sampled_from(["networks", "volumes", "configs", "secrets"]), JSON_VALUES)
def test_no_definition_of_a_section_breaks_the_judge(section: str, value: object) -> None:
    text = f"services: {{web: {{image: x, {section}: [{'one:/x' if section == 'volumes' else 'one'}]}}}}\n"
    try:
        found = findings(text + f"{section}: {{one: {{driver_opts: {_flow(value)}, external: {_flow(value)}}}}}\n")
    except InvalidInput:
        return
    assert all(finding.message for finding in found)


def _flow(value: object) -> str:
    return json.dumps(value)


@pytest.mark.parametrize(
    ("compose_file", "sacred"),
    [
        (".platform/compose.yaml", ()),
        (".GitHub/compose.yaml", ()),
        ("apps/.forgejo/workflows/compose.yaml", ()),
        ("apps/.git/compose.yaml", ()),
        (".platformctl/compose.yaml", ()),
        ("vault/compose.yaml", (RepoPath("Vault"),)),
    ],
)
def test_a_compose_file_under_a_sacred_path_is_refused(compose_file: str, sacred: tuple[RepoPath, ...]) -> None:
    runtime = replace(MODULE.runtime, compose_file=RepoPath(compose_file))

    found = denials(service(), Policy(sacred_paths=sacred), module=replace(MODULE, runtime=runtime))

    assert found == {"sacred-path"}


@pytest.mark.parametrize("path", [".platform/hosts.yaml", ".platformctl/key", "apps/.git/config"])
def test_an_env_file_under_a_sacred_path_is_refused(path: str) -> None:
    assert denials(service(), module=with_environment(Environment(file=RepoPath(path)))) == {"sacred-path"}


def test_a_mount_that_holds_a_sacred_path_is_refused() -> None:
    policy = Policy(sacred_paths=(RepoPath("compose/core/vault/keys"),))

    assert denials(service("volumes: ['./vault:/v:ro']"), policy) == {"sacred-path"}
    assert denials(service("volumes: ['./vault2:/v:ro']"), policy) == set()


@pytest.mark.parametrize(
    ("pattern", "image", "covered"),
    [
        ("*", "ghcr.io/acme/app:1", True),
        ("redis", "redis:7.2", True),
        ("redis", "docker.io/library/redis", True),
        ("docker.io/library/*", "redis:7", True),
        ("library/redis", "redis", True),
        ("redis:7*", "redis:7.2", True),
        ("redis:7*", "redis:8", False),
        ("ghcr.io/acme/*", "ghcr.io/acme/team/app@" + DIGEST, True),
        ("ghcr.io/acme/*", "ghcr.io/acme-evil/app", False),
        ("ghcr.io*", "ghcr.io.evil.example/app", False),
        ("ghcr.io/*", "evil.example/ghcr.io/app", False),
        ("localhost:5000/*", "localhost:5000/app:1", True),
        ("redis", "evil.example/redis", False),
        ("acme/*", "acme.example/app", False),
        ("docker.io/*", "acme/app", True),
        ("docker.io/*", "ACME/app", False),
        ("", "redis", False),
    ],
)
def test_a_pattern_covers_whole_parts_of_an_image_name(pattern: str, image: str, covered: bool) -> None:
    assert allows(pattern, image) is covered


def test_an_image_no_pattern_covers_is_refused() -> None:
    assert denials(service(), Policy(images_allow=("ghcr.io/acme/*",))) == {"image-not-allowed"}
    assert denials(service(), Policy(images_allow=())) == {"image-not-allowed"}
    assert denials(service(), Policy(images_allow=("ghcr.io/*", "redis"))) == set()


def test_a_tag_warns_and_is_refused_where_policy_requires_digests() -> None:
    pinned = f"services: {{web: {{image: 'redis:7@{DIGEST}'}}}}"

    assert "image-tag" in {finding.rule for finding in findings(service())}
    assert denials(service(), Policy(require_digest=True)) == {"image-digest"}
    assert denials(pinned, Policy(require_digest=True)) == set()
    assert "image-tag" not in {finding.rule for finding in findings(pinned)}


@pytest.mark.parametrize("image", ["''", "'-x'", "'a b'", "'redis@sha256:short'", "{a: b}"])
def test_an_image_that_can_not_be_told_is_refused(image: str) -> None:
    assert denials(f"services: {{web: {{image: {image}}}}}") == {"image-unresolved"}


def test_what_is_merely_risky_warns() -> None:
    risky = {finding.rule for finding in findings(service("user: root")) if finding.severity == "warn"}
    careful = service("user: '1000'", "mem_limit: 1g", "healthcheck: {test: [CMD, 'true']}")

    assert risky == {"root-user", "image-tag", "no-health-check", "no-limits"}
    assert {finding.rule for finding in findings(careful)} == {"image-tag"}


def test_a_volume_of_somebody_elses_is_told() -> None:
    for definition in ("{external: true}", "{name: theirs}"):
        text = service("volumes: [data:/d]") + f"volumes: {{data: {definition}}}\n"
        assert "shared-volume" in {finding.rule for finding in findings(text)}


def test_labels_that_policy_asks_for_are_carried_by_every_service() -> None:
    policy = Policy(required_labels=("team", "tier"))
    both = service("labels: {team: a, tier: b}", "depends_on: [db]")

    assert denials(both + "  db: {image: x, labels: [team=a, tier=b]}\n", policy) == set()
    assert denials(both + "  db: {image: x, labels: [team=a]}\n", policy) == {"label-missing"}
    assert denials(both + "  db: {image: x, labels: [team=a, tier]}\n", policy) == {"label-missing"}
    assert denials(service(), policy) == {"label-missing"}


@pytest.mark.parametrize(
    "port",
    [
        *(
            "'22:22'",
            "'127.0.0.1:22:22'",
            "'[::1]:22:22'",
            "'22:80/tcp'",
            "'20-25:20-25'",
            "'0022:80'",
            "'${P:-22}:80'",
        ),
        *("{target: 80, published: 22}", "{target: 80, published: '22'}", "{target: 80, published: 20-30}"),
        *("{target: 80, published: 026}", "{target: 80, published: 0x16}", "{target: 80, published: 2_2}"),
        *("'8080-8090:80'", "'what:ever'", "{target: 80, published: what}", "'8085:80'"),
    ],
)
def test_a_port_that_policy_forbids_is_refused_however_it_is_written(port: str) -> None:
    policy = Policy(forbidden_ports=((22, 22), (8085, 8086)))

    assert denials(service(f"ports: [{port}]"), policy) == {"port-forbidden"}


@pytest.mark.parametrize("port", ["22", "'22'", "'80:22'", "'127.0.0.1::22'", "{target: 22}", "'8000-8084:8000-8084'"])
def test_other_ports_are_left_alone(port: str) -> None:
    assert denials(service(f"ports: [{port}]"), Policy(forbidden_ports=((22, 22), (8085, 8086)))) == set()


def test_a_job_needs_no_health_check() -> None:
    found = findings(service(), module=replace(MODULE, kind=ModuleKind.JOB))

    assert "no-health-check" not in {finding.rule for finding in found}


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        *((f"http://{host}/", True) for host in ("169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]")),
        *(
            (f"http://{host}/", True)
            for host in ("0.0.0.0", "100.100.100.200", "cache.example:99999", "cache.example:x")
        ),
        *((f"https://{host}:8443/up", False) for host in ("cache.example", "10.0.0.7", "[fd00::7]", "127.0.0.1")),
        ("http://localhost:8080/", False),
    ],
)
def test_a_canary_that_could_never_be_asked_is_refused_before_it_takes_a_release_down(url: str, refused: bool) -> None:
    """The host here is this machine, where loopback is good."""
    denied = denials(service(), module=replace(MODULE, canary=Canary(url)))
    assert denied == ({"canary-address"} if refused else set())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_canary_does_not_ask_the_operators_own_machine_for_another_one(host: str) -> None:
    asked = release(service(), module=replace(MODULE, canary=Canary(f"http://{host}/")))
    elsewhere = replace(asked, host=replace(asked.host, transport="ssh"))
    assert [f.rule for f in judge(elsewhere, Policy(), TODAY) if f.severity == "deny"] == ["canary-address"]


def test_every_rule_has_a_name_of_its_own_a_reason_and_a_safer_way() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.why and rule.instead for rule in RULES)


def test_the_document_says_of_every_rule_what_the_rule_says() -> None:
    listed = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    waivers = {rule.id: "warns" if rule.only_warns else "yes" if rule.waivable else "no" for rule in RULES}
    assert sorted(listed) == sorted(f"| `{r.id}` | {waivers[r.id]} | {r.why} | {r.instead} |" for r in RULES)


def test_the_policy_of_the_document_is_one() -> None:
    example = DOCUMENT.read_text().partition("```yaml\n")[2].partition("```")[0]
    policy = read_policy(example.encode(), "docs/policy.md")
    assert (policy.approvals.per_label, policy.forbidden_ports) == ({"env=prod": 2}, ((22, 22), (2375, 2377)))
