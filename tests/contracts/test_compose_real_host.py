"""The driver docker-compose on a real host: it answers the three questions, with the hash that docker itself gives."""

import shlex

import pytest

from platformctl.drivers.interface import Question
from platformctl.errors import or_raise
from platformctl.model.command import Command
from platformctl.model.desired import HostEntry, Release
from platformctl.model.names import HostName
from platformctl.transports.ssh import SshTransport
from tests.contracts.compose_driver import DRIVER, FILES, NOW, WEB
from tests.contracts.releases import a_release
from tests.lab import Host


def hash_by_docker(host: Host, release: Release) -> str:
    """What `docker compose` computes for the service web."""
    (up,) = DRIVER.bring_up(release)
    options = shlex.join(up.argv[up.argv.index("-p") : up.argv.index("up")])
    compose = "cat >/tmp/asked.yaml && docker compose -f /tmp/asked.yaml"
    told = host.sh(f"{compose} {options} config --hash '*'", stdin=release.files[0].content)
    return told.split()[1]


def entry_of(host: Host) -> HostEntry:
    return HostEntry(
        HostName("one"),
        "ssh",
        host.root,
        host.address,
        host.port,
        host.user,
        host.host_key_fingerprints,
        host.machine_id,
    )


@pytest.mark.lab
def test_a_real_host_answers_all_three_questions(host: Host) -> None:
    entry = entry_of(host)
    release = a_release(WEB.replace("web:1", "platformctl-lab/web:1"), files=FILES, root=host.root)
    with SshTransport(entry, {"PLATFORMCTL_SSH_KEY": str(host.key_path)}) as transport:
        who = DRIVER.read_identity(transport.run(DRIVER.identify(version=True)), entry)
        question = (Question(release),)
        observed = or_raise(DRIVER.read_look(transport.run(DRIVER.look(question, who)), question, who, NOW)[0])
        containers = DRIVER.read_watch(transport.run(DRIVER.watch("shop")), entry)
        host.docker("network", "create", "--label", "com.docker.compose.project=shop", "shop_default")
        host.docker("volume", "create", "--label", "com.docker.compose.project=shop", "shop_data")
        whole = DRIVER.read_whole(transport.run(DRIVER.watch_whole("shop")), entry)
        again = or_raise(DRIVER.read_look(transport.run(DRIVER.look(question, who)), question, who, NOW)[0])

    assert set(whole.resources) == {"network shop_default", "volume shop_data"}
    assert whole.resources == again.resources, "both looks name the same things alike"
    assert (who.machine_id, who.engine_id, who.user) == (host.machine_id, host.engine_id, host.user)
    assert who.swap_limit == (host.docker("info", "--format", "{{.SwapLimit}}").strip() == "true")
    assert (observed.containers, containers) == ((), ())
    assert observed.hashes == {"web": hash_by_docker(host, release)}, (
        "Compose's own program says what docker makes of it"
    )
    assert observed.images[0].present
    assert observed.images[0].id in observed.image_ids


@pytest.mark.lab
def test_a_real_host_says_the_same_of_its_containers_with_perl_and_without(host: Host) -> None:
    shop = ("run", "-d", "--label", "com.docker.compose.project=shop")
    hostile = ("--label", 'State={"Health": {"Status": "healthy"}}', "--label", 'com.docker.compose.service=\\"]}<Id>&')
    host.docker(*shop, "--name", "plain", "--memory", "64m", "platformctl-lab/sleeper:1")
    host.docker(*shop, "--name", "odd", *hostile, "--cap-drop", "CHOWN", "platformctl-lab/sleeper:1")
    host.docker(*shop, "--name", "checked", "--health-cmd", "true", "platformctl-lab/sleeper:1")
    host.docker("create", *shop[2:], "--name", "never", "--network", "none", "platformctl-lab/sleeper:1")
    entry, watch = entry_of(host), DRIVER.watch("shop")
    with SshTransport(entry, {"PLATFORMCTL_SSH_KEY": str(host.key_path)}) as transport:
        by_perl = DRIVER.read_watch(transport.run(watch), entry)
        without = "mkdir /tmp/bin; ln -s /usr/bin/* /usr/local/bin/* /tmp/bin; rm /tmp/bin/perl; PATH=/tmp/bin"
        by_docker = DRIVER.read_watch(
            transport.run(Command(("sh", "-c", f"{without}; {shlex.join(watch.argv)}"))), entry
        )

    assert by_perl == by_docker
    assert [(c.name, c.state) for c in by_perl] == [
        ("checked", "running"),
        ("never", "created"),
        ("odd", "running"),
        ("plain", "running"),
    ]
    assert [c.health is None for c in by_perl] == [False, True, True, True]
