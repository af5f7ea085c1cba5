"""A pull request wants power over the host: every way to write it ends at the judge or before, whatever the syntax."""

import pytest

from platformctl.errors import InvalidInput
from platformctl.model.desired import Environment, InputFile
from platformctl.model.names import RepoPath, VariableName
from tests.policy.judged import DIGEST, denials, findings, release, service, with_environment

SOCKET = "/var/run/docker.sock"

SOCKET_IN_ONE_FILE = {
    "short form": service(f"volumes: ['{SOCKET}:/s']"),
    "read only": service(f"volumes: ['{SOCKET}:/s:ro']"),
    "long form": service(f"volumes: [{{type: bind, source: {SOCKET}, target: /s}}]"),
    "the other name of its folder": service("volumes: ['/run/docker.sock:/s']"),
    "its folder": service("volumes: ['/var/run:/s']"),
    "the other name of the folder": service("volumes: ['/run/:/s']"),
    "dots in the path": service("volumes: ['/var/./run//../run/docker.sock:/s']"),
    "two slashes in front": service("volumes: ['//var/run/docker.sock:/s']"),
    "a way up and down again": service("volumes: ['../../../../../var/run/docker.sock:/s']"),
    "a relative source in the long form": service(
        "volumes: [{type: bind, source: ../../../../var/run/docker.sock, target: /s}]"
    ),
    "another engine": service("volumes: ['/run/containerd/containerd.sock:/s']"),
    "podman": service("volumes: ['/run/user/1000/podman/podman.sock:/s']"),
    "rootless": service("volumes: ['/run/user/1000/docker.sock:/s']"),
    "use_api_socket": service("use_api_socket: true"),
    "use_api_socket in words": service("use_api_socket: 'yes'"),
    "a quoted key": service(f"\"volumes\": ['{SOCKET}:/s']"),
    "an escaped key": service(f"\"\\x76olumes\": ['{SOCKET}:/s']"),
    "an escaped value": service('volumes: ["/var/run/\\x64ocker.sock:/s"]'),
    "a folded value": service("volumes:", "  - >-", f"    {SOCKET}:/s"),
    "an explicit key": service("? volumes", f": ['{SOCKET}:/s']"),
    "flow style": "{services: {web: {image: x, volumes: ['" + SOCKET + ":/s']}}}",
    "an anchor on the value": f"x-path: &path {SOCKET}:/s\n" + service("volumes: [*path]"),
    "an anchor on the list": f"x-all: &all ['{SOCKET}:/s']\n" + service("volumes: *all"),
    "a merge key": f"x-base: &base {{volumes: ['{SOCKET}:/s']}}\n" + service("<<: *base"),
    "a merge key with several sources": f"x-a: &a {{user: '1'}}\nx-b: &b {{volumes: ['{SOCKET}:/s']}}\n"
    + service("<<: [*a, *b]"),
    "a merge inside of a merge": f"x-a: &a {{volumes: ['{SOCKET}:/s']}}\nx-b: &b {{<<: *a}}\n" + service("<<: *b"),
    "another service as the base": f"services:\n  base: &base {{image: x, volumes: ['{SOCKET}:/s']}}\n"
    "  web: {<<: *base}\n",
    "a default": service(f"volumes: ['${{SOCK:-{SOCKET}}}:/s']"),
    "a nested default": service(f"volumes: ['${{A:-${{B-{SOCKET}}}}}:/s']"),
    "a default in two halves": service("volumes: ['${A:-/var/run}/${B:-docker}.sock:/s']"),
    "a default for all of it": service(f"volumes: ['${{MOUNT:-{SOCKET}:/s}}']"),
    "a default in the long form": service(
        f"volumes: [{{type: '${{T:-bind}}', source: '${{S:-{SOCKET}}}', target: /s}}]"
    ),
    "a service it needs": service("depends_on: [db]") + f"  db: {{image: x, volumes: ['{SOCKET}:/s']}}\n",
    "a service it links": service("links: ['db:d']") + f"  db: {{image: x, volumes: ['{SOCKET}:/s']}}\n",
    "the volumes of a service": service("volumes_from: [db]") + f"  db: {{image: x, volumes: ['{SOCKET}:/s']}}\n",
    "the network of a service": service("network_mode: service:db") + f"  db: {{image: x, volumes: ['{SOCKET}:/s']}}\n",
}


@pytest.mark.parametrize("text", SOCKET_IN_ONE_FILE.values(), ids=SOCKET_IN_ONE_FILE)
def test_the_engines_socket_is_found_in_every_syntax(text: str) -> None:
    assert "docker-socket" in denials(text)


def test_the_engines_socket_is_found_in_what_env_set_says() -> None:
    module = with_environment(Environment({VariableName("MOUNT"): f"{SOCKET}:/s"}))

    assert "docker-socket" in denials(service("volumes: ['$MOUNT']"), module=module, variables=module.env.set)


ROOT_FILE_SYSTEM = {
    "a named volume with options": service("volumes: [data:/d]")
    + "volumes: {data: {driver: local, driver_opts: {type: none, o: bind, device: /}}}\n",
    "options in capitals": service("volumes: [data:/d]")
    + "volumes: {data: {driver_opts: {TYPE: NONE, O: BIND, DEVICE: /}}}\n",
    "options that pretend to be a network file system": service("volumes: [data:/d]")
    + "volumes: {data: {driver_opts: {type: nfs, o: 'bind,ro', device: ':/'}}}\n",
    "options that pretend to be a tmpfs": service("volumes: [data:/d]")
    + "volumes: {data: {driver_opts: {type: tmpfs, o: rbind, device: /etc}}}\n",
    "a block device": service("volumes: [data:/d]")
    + "volumes: {data: {driver_opts: {type: ext4, device: /dev/sda1}}}\n",
    "another driver": service("volumes: [data:/d]") + "volumes: {data: {driver: anything}}\n",
    "options behind an anchor": "x-o: &o {type: none, o: bind, device: /}\n"
    + service("volumes: [data:/d]")
    + "volumes: {data: {driver_opts: *o}}\n",
    "options in a default": service("volumes: [data:/d]")
    + "volumes: {data: {driver_opts: {type: none, o: '${O:-bind}', device: '${D:-/}'}}}\n",
    "a volume called like a path": service("volumes: [data:/d]") + "volumes: {data: {external: true, name: /etc}}\n",
    "the top": service("volumes: ['/:/host:ro']"),
    "the top by way of dots": service("volumes: ['/opt/..:/host']"),
    "the home folder": service("volumes: ['~:/h']"),
    "somebody's home folder": service("volumes: ['~root/.ssh:/h']"),
    "the kernel's files": service("volumes: ['/proc/sys/kernel:/k']"),
    "the engine's files": service("volumes: ['/var/lib/docker/volumes:/v']"),
    "what holds the root": service("volumes: ['/opt:/opt']"),
    "the root": service("volumes: ['/opt/platform:/p:ro']"),
    "the root by way of dots": service("volumes: ['../..:/p']"),
    "the tool's own folder": service("volumes: ['../../.platformctl:/p']"),
    "the tool's own folder in capitals": service("volumes: ['../../.PlatformCtl/journal:/p']"),
    "the trust roots": service("volumes: ['../../.platform:/p:ro']"),
    "its own compose file": service("volumes: ['.:/here']"),
    "its own compose file, read-only but for the last word": service("volumes: ['.:/here:ro,rw']"),
    "an npipe": service("volumes: [{type: npipe, source: '//./pipe/docker_engine', target: /p}]"),
    "mounts that spread to the host": service("volumes: ['./data:/d:rshared']"),
    "options said twice in two spellings": service("volumes: [data:/d]")
    + "volumes: {data: {driver_opts: {TYPE: none, O: bind, DEVICE: /, type: nfs, o: addr=x, device: ':/x'}}}\n",
    "a place where a link may be put": service("volumes: ['./data:/data', './data/link:/host']"),
    "a place where another service puts a link": service("volumes: ['./data/a/link:/host:ro']", "depends_on: [db]")
    + "  db: {image: x, volumes: ['./data:/data']}\n",
    "a secret's file where a link may be put": service("volumes: ['./data:/data']", "secrets: [s]")
    + "secrets: {s: {file: ./data/secret}}\n",
    "an env file where a link may be put": service("volumes: ['./data:/data']", "env_file: ./data/env"),
}


def test_a_container_rewrites_nothing_that_compose_is_told_by() -> None:
    env_file = with_environment(Environment(file=RepoPath("secrets/cache.env")))
    assert denials(service("volumes: ['../../secrets:/s']"), module=env_file) == {"writable-definition"}
    assert denials(service("volumes: ['../../secrets:/s']")) == set()

    for content in (
        b"services:\n  x: {image: x}\n",
        b'{"name": "x", "services": {}}',
        b'x-a: 1\n"services" :\n  x: {}',
    ):
        neighbour = InputFile(RepoPath("compose/other/stack.yaml"), content, DIGEST)
        assert denials(service("volumes: ['../other:/o']"), files=(neighbour,)) == {"writable-definition"}
        assert denials(service("volumes: ['../other:/o:ro']"), files=(neighbour,)) == set()
    harmless = InputFile(RepoPath("compose/other/proxy.yaml"), b"http:\n  services:\n    x: {}\n", DIGEST)
    assert denials(service("volumes: ['../other:/o']"), files=(harmless,)) == set()


@pytest.mark.parametrize("text", ROOT_FILE_SYSTEM.values(), ids=ROOT_FILE_SYSTEM)
def test_the_hosts_files_are_out_of_reach(text: str) -> None:
    assert denials(text)


_BRIDGE = "com.docker.network.bridge.name"
_ADDRESSES = "{ipam: {config: [{subnet: 8.8.8.0/24}]}}"
_ALL = "{name: neighbour_data, driver_opts: {type: none, o: bind, device: /}}"
POWER = {
    "privileged": service("privileged: true"),
    "privileged in quotes": service("privileged: 'true'"),
    "privileged in another word": service("privileged: yes"),
    "privileged in capitals": service("privileged: True"),
    "privileged as a number": service("privileged: 1"),
    "privileged by default": service("privileged: '${P:-true}'"),
    "privileged by a merge key": "x-p: &p {privileged: true}\n" + service("<<: *p"),
    "privileged by a quoted merge key": "x-p: &p {privileged: true}\n" + service('"<<": *p'),
    "privileged by extends": service("extends: {service: base}") + "  base: {image: x, privileged: true}\n",
    "privileged by extends of another file": service("extends: {file: other.yaml, service: base}"),
    "extends in a service nobody starts": service() + "  other: {image: x, extends: {file: /etc/x.yaml, service: y}}\n",
    "include": "include: [other.yaml]\n" + service(),
    "include from elsewhere": "include: ['oci://registry.example/x']\n" + service(),
    "a provider": service("provider: {type: sh}"),
    "a provider in a service nobody starts": service() + "  other: {provider: {type: sh}}\n",
    "a hook": service("post_start: [{command: id, privileged: true}]"),
    "a hook at the end": service("pre_stop: [{command: id}]"),
    "a model": service("models: [m]"),
    "a model for nobody": "models: {m: {model: x}}\n" + service(),
    "a volume that looks like a neighbour's": service("volumes: [data:/d]")
    + "volumes: {data: {labels: {com.docker.compose.project: neighbour}}}\n",
    "a network that looks like a neighbour's": service()
    + "networks: {default: {labels: [com.docker.compose.project=neighbour]}}\n",
    "every capability": service("cap_add: [ALL]"),
    "a capability in small letters": service("cap_add: [cap_sys_admin]"),
    "a capability by default": service("cap_add: ['${C:-SYS_ADMIN}']"),
    "no seccomp": service("security_opt: ['seccomp:unconfined']"),
    "no seccomp, with another sign": service("security_opt: [seccomp=unconfined]"),
    "no apparmor": service("security_opt: [apparmor=unconfined]"),
    "no selinux": service("security_opt: ['label:disable']"),
    "new privileges": service("security_opt: ['no-new-privileges:false']"),
    "all paths of the kernel": service("security_opt: [systempaths=unconfined]"),
    "a device": service("devices: ['/dev/kmsg:/dev/kmsg']"),
    "a device in the long form": service("devices: [{source: /dev/sda, target: /dev/sda, permissions: rwm}]"),
    "every device": service("device_cgroup_rules: ['a *:* rwm']"),
    "gpus": service("gpus: all"),
    "a reserved device": service(
        "deploy: {resources: {reservations: {devices: [{driver: cdi, device_ids: [vendor.com/x=y]}]}}}"
    ),
    "the network": service("network_mode: host"),
    "the network by default": service("network_mode: '${N:-host}'"),
    "the network of a stranger": service("network_mode: container:stranger"),
    "the network by another name": service("networks: [front]") + "networks: {front: {external: true, name: host}}\n",
    "the network by an old form": service("networks: [front]") + "networks: {front: {external: {name: host}}}\n",
    "the network by its own name": service("networks: [host]") + "networks: {host: {external: true}}\n",
    "the network as everybody's default": service() + "networks: {default: {external: true, name: host}}\n",
    "the network by a driver": service("networks: [front]") + "networks: {front: {driver: host}}\n",
    "processes": service("pid: host"),
    "processes of a stranger": service("pid: container:stranger"),
    "processes by something that is no text": service("pid: {host: true}"),
    "memory": service("ipc: host"),
    "the name": service("uts: host"),
    "users": service("userns_mode: host"),
    "control groups": service("cgroup: host"),
    "another control group": service("cgroup_parent: /system.slice"),
    "another runtime": service("runtime: anything"),
    "a setting of the kernel": service("sysctls: {kernel.core_pattern: '|/x'}"),
    "a setting of the kernel in a list": service("sysctls: ['kernel.core_pattern=|/x']"),
    "no end by the kernel": service("oom_kill_disable: true"),
    "an end for others": service("oom_score_adj: -1000"),
    "orders for the runtime": service("annotations: {x: y}"),
    "labels from a file": service("label_file: ./labels"),
    "a stranger's volumes": service("volumes_from: ['container:stranger']"),
    "credentials": service("credential_spec: {file: x.json}"),
    "a build": service("build: ."),
    "a key nobody knows": service("host_power: true"),
    "a key in capitals": service("Privileged: true"),
    "a section nobody knows": "plugins: {}\n" + service(),
    "a neighbour's project": "name: neighbour\n" + service(),
    "a container that looks like a neighbour's": service("labels: {com.docker.compose.project: neighbour}"),
    "the same with a list": service("labels: [com.docker.compose.project=neighbour]"),
    "a bridge of the host": service("networks: [front]")
    + "networks: {front: {driver_opts: {com.docker.network.bridge.name: vmbr0}}}\n",
    "no firewall": service()
    + "networks: {default: {driver_opts: {com.docker.network.bridge.gateway_mode_ipv4: routed}}}\n",
    "somebody else's addresses": service() + "networks: {default: {ipam: {config: [{subnet: 8.8.8.0/24}]}}}\n",
    "the whole net": service() + "networks: {default: {ipam: {config: [{subnet: 0.0.0.0/1}]}}}\n",
    "the addresses of the cloud's metadata": service()
    + "networks: {default: {ipam: {config: [{subnet: 169.254.0.0/16}]}}}\n",
    "addresses in a spelling nobody knows": service()
    + "networks: {default: {ipam: {config: [{subnet: 0x08.8.8.0/24}]}}}\n",
    "a plugin for addresses": service() + "networks: {default: {ipam: {driver: anything}}}\n",
    "a log that is a socket of the host": service(
        "logging: {driver: fluentd, options: {fluentd-address: 'unix:///run/docker.sock'}}"
    ),
    "a log that is a socket, in capitals": service(
        "logging: {driver: syslog, options: {syslog-address: 'UNIXGRAM:///run/systemd/notify'}}"
    ),
    "a key of the host for the log": service(
        "logging: {driver: syslog, options: {syslog-tls-key: etc/ssl/private/host.key}}"
    ),
    "a log driver nobody knows": service("logging: {driver: anything}"),
    "a log by default": service("logging: {driver: '${L:-anything}'}"),
    "a key nobody knows inside of a mount": service("volumes: [{type: bind, source: ./d, target: /d, bind: {x: y}}]"),
    "a key nobody knows inside of a network": service("networks: {default: {host_power: true}}"),
    "a key nobody knows inside of a reservation": service("deploy: {resources: {reservations: {host: all}}}"),
    **{
        f"beside it: {what}": service() + f"  other: {{image: x, {section}}}\n" + declared
        for what, section, declared in (
            ("a bridge of the host", "networks: [n]", f"networks: {{n: {{driver_opts: {{{_BRIDGE}: vmbr0}}}}}}\n"),
            ("somebody else's addresses", "networks: [n]", f"networks: {{n: {_ADDRESSES}}}\n"),
            ("the same in words", "networks: [n]", f"networks: {{n: {{external: 'off', {_ADDRESSES[1:]}}}\n"),
            ("a plugin for addresses", "networks: [n]", "networks: {n: {ipam: {driver: anything}}}\n"),
            ("a network plugin", "networks: [n]", "networks: {n: {driver: macvlan}}\n"),
            ("a volume plugin", "volumes: ['vol:/v']", "volumes: {vol: {driver: anything}}\n"),
            ("a neighbour's volume that is all of the host", "volumes: ['vol:/v']", f"volumes: {{vol: {_ALL}}}\n"),
        )
    },
}


@pytest.mark.parametrize("text", POWER.values(), ids=POWER)
def test_no_other_power_over_the_host_is_had(text: str) -> None:
    assert denials(text)


READING = {
    "the applier's environment": service("env_file: /proc/self/environ"),
    "the applier's environment, by way of dots": service("env_file: ../../../../proc/self/environ"),
    "an env file of a service nobody starts": service() + "  other: {image: x, env_file: /proc/self/environ}\n",
    "a home folder": service("env_file: [{path: ~/.aws/credentials, required: false}]"),
    "a secret's file": service("secrets: [s]") + "secrets: {s: {file: /etc/shadow}}\n",
    "a secret's file by default": service("secrets: [s]") + "secrets: {s: {file: '${F:-/etc/shadow}'}}\n",
    "a config's file": service("configs: [c]") + "configs: {c: {file: ../../../../etc/shadow}}\n",
    "a secret from the environment": service("secrets: [s]") + "secrets: {s: {environment: TOKEN}}\n",
    "the allow-list": service("env_file: ../../.platform/hosts.yaml"),
    "the tool's own key": service("secrets: [s]") + "secrets: {s: {file: ../../.platformctl/fingerprint.key}}\n",
    "git's own files": service("volumes: ['../../.git/config:/c:ro']"),
}


@pytest.mark.parametrize("text", READING.values(), ids=READING)
def test_nothing_outside_of_the_repository_is_read(text: str) -> None:
    assert denials(text)


def test_a_host_has_no_say_in_what_was_judged() -> None:
    assert denials(service("volumes: ['${DATA}/x:/x']")) >= {"unset-variable"}
    assert denials(service("privileged: $P")) >= {"unset-variable"}
    assert denials("services: {web: {image: 'redis:$TAG'}}") == {"image-unresolved"}


@pytest.mark.parametrize("name", ["COMPOSE_FILE", "DOCKER_HOST", "LD_PRELOAD", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_compose_gets_no_orders_from_env_set(name: str) -> None:
    module = with_environment(Environment({VariableName(name): "other.yaml"}))

    assert denials(service(), module=module, variables=module.env.set) == {"compose-variable"}


@pytest.mark.parametrize("name", ["HOME", "PATH", "PWD", "DOCKER_CLI_PLUGIN_SOCKET", "OTEL_RESOURCE_ATTRIBUTES"])
def test_what_compose_is_given_decides_nothing(name: str) -> None:
    """The shell and Docker's command line set these for Compose: its `${HOME:+x}` is x, whatever was judged."""
    module = with_environment(Environment({VariableName(name): ""}))

    assert denials(service(f"volumes: ['./data${{{name}:+/../../../../../etc}}:/d']")) == {"compose-variable"}
    assert denials(service(f"privileged: '${{{name}:-false}}'")) == {"compose-variable"}
    assert denials(service(), module=module, variables=module.env.set) == {"compose-variable"}
    assert denials(service(f"environment: {{A: '${{{name}}}'}}")) == set()


@pytest.mark.parametrize("name", ["COMPOSE_PROJECT_NAME", "DOCKER_SOCKET_LOCATION", "HOME_FOLDER", "DATA_PATH"])
def test_what_compose_is_not_given_may_have_a_default(name: str) -> None:
    assert denials(service(f"container_name: '${{{name}:-cache}}'")) == set()


@pytest.mark.parametrize(
    "text",
    [
        service("volumes: ['$A\u017f/var/run/docker.sock:/s']"),
        service("privileged: !!bool 'true'"),
        service("volumes: !override ['/:/host']"),
        service("privileged: false", "privileged: true"),
        service("user: '1' # \u2028    privileged: true"),
        service() + "---\n" + service("privileged: true"),
        service('volumes: ["/etc\\0:/s"]'),
    ],
    ids=["a folded letter", "a tag", "a merge tag", "a key twice", "a hidden line", "a second document", "a NUL"],
)
def test_what_a_reviewer_and_compose_would_read_differently_is_not_read_at_all(text: str) -> None:
    with pytest.raises(InvalidInput):
        release(text, variables={VariableName("A"): "./data"})


def test_no_finding_repeats_a_value_that_may_be_secret() -> None:
    text = service(
        "environment: {PASSWORD: hunter2}",
        "command: [--password, hunter2]",
        "labels: {com.docker.compose.x: hunter2}",
        "security_opt: ['a hunter2 with spaces']",
        "annotations: {token: hunter2}",
        "privileged: hunter2",
        "build: {args: {TOKEN: hunter2}}",
        "sysctls: {kernel.x: hunter2}",
    )

    said = " ".join(f"{f.message} {f.hint} {f.field}" for f in findings(text))

    assert "hunter2" not in said
