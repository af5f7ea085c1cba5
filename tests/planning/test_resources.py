"""Networks and volumes that are there already, and what a compose file says of them by now."""

from dataclasses import replace

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.model.observed import ResourceSeen
from tests.contracts.releases import a_release
from tests.planning.test_diff import NETWORK, running

COMPOSE = """
services:
  web: {{image: 'web:1', networks: [default], volumes: ['data:/data']}}
  other: {{image: 'web:1', networks: [far]}}
networks: {{default: {network}, far: {{internal: true}}}}
volumes: {{data: {volume}}}
"""
CIFS = "{driver_opts: {type: cifs, o: 'username=ann,password=hunter2'}}"


def found(network: str = "{}", volume: str = "{}", **seen: object) -> tuple[str, ...]:
    """What is said of a file with these definitions on a host where the default ones are."""
    release = a_release(COMPOSE.format(network=network, volume=volume))
    observation = running(COMPOSE.format(network="{}", volume="{}")).observation
    there = replace(NETWORK, definition={**NETWORK.definition, **seen})
    return DockerCompose().contradictions(release, replace(observation, networks=(there,)))


@pytest.mark.parametrize(
    "network",
    [
        "{}",
        "null",
        "{driver: bridge}",
        "{internal: false}",
        "{external: true, internal: true}",
        "{name: another, internal: true}",
    ],
)
def test_the_default_in_other_words_external_ones_and_new_ones_are_no_contradiction(network: str) -> None:
    assert found(network) == ()


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("{internal: true}", "internal is false, wanted true"),
        ("{driver: macvlan}", "its driver is bridge, wanted macvlan"),
        ("{enable_ipv6: true}", "enable_ipv6 is false, wanted true"),
        ("{labels: [tier=back]}", "labels.tier differs"),
        ("{driver_opts: {mtu: 1400}}", "driver_opts.mtu differs"),
        ("{ipam: {config: [{subnet: 10.9.0.0/24}]}}", "its subnet is 172.18.0.0/16, wanted 10.9.0.0/24"),
    ],
)
def test_a_network_with_another_definition_is_told(network: str, said: str) -> None:
    assert found(network) == (f"network shop_default: {said}",)


def test_what_the_engine_adds_by_itself_is_nobodys_wish() -> None:
    assert found(driver_opts={"com.docker.network.enable_ipv4": "true"}) == ()
    assert found(driver_opts={"mtu": "1400"}) == ("network shop_default: driver_opts.mtu differs",)


def test_an_option_that_differs_is_told_without_its_value() -> None:
    said = found(volume=CIFS)

    assert said == ("volume shop_data: driver_opts.o differs", "volume shop_data: driver_opts.type differs")


def test_a_network_of_another_service_is_not_judged() -> None:
    far = ResourceSeen("shop_far", {**NETWORK.definition, "internal": False}, "f" * 64)
    host = running(COMPOSE.format(network="{}", volume="{}"))

    observation = replace(host.observation, networks=(NETWORK, far))
    assert DockerCompose().contradictions(host.release, observation) == ()


BOUND = {"driver": "local", "driver_opts": {"type": "none", "o": "bind", "device": "/srv"}, "labels": {}}


@pytest.mark.parametrize("volume", ["{external: true, name: theirs}", "{external: {name: theirs}}", "{name: theirs}"])
@pytest.mark.parametrize(
    ("there", "leads"),
    [
        (BOUND, True),
        ({**BOUND, "driver_opts": {"type": "nfs", "o": "bind", "device": "/"}}, True),
        ({**BOUND, "driver_opts": {"device": "/dev/sda1", "type": "ext4"}}, True),
        ({**BOUND, "driver": "plugin", "driver_opts": {}}, True),
        ({**BOUND, "driver_opts": {}}, False),
        ({**BOUND, "driver_opts": {"type": "nfs", "o": "addr=192.0.2.1,rw", "device": ":/data"}}, False),
    ],
)
def test_a_volume_of_somebody_else_that_leads_out_is_told(volume: str, there: dict[str, object], leads: bool) -> None:
    release = a_release(COMPOSE.format(network="{}", volume=volume))
    seen = replace(
        running(COMPOSE.format(network="{}", volume="{}")).observation, lent=(ResourceSeen("theirs", there),)
    )

    assert DockerCompose().leading_out(release, seen) == (("theirs",) if leads else ())


def test_a_volume_that_is_not_mounted_is_not_told() -> None:
    release = a_release(COMPOSE.format(network="{}", volume="{}"))
    seen = replace(
        running(COMPOSE.format(network="{}", volume="{}")).observation, lent=(ResourceSeen("theirs", BOUND),)
    )

    assert DockerCompose().leading_out(release, seen) == ()


THEIRS = ResourceSeen("theirs", id="t" * 64)


@pytest.mark.parametrize(
    ("attached", "there", "lost"),
    [
        ({"theirs": "t" * 64}, (THEIRS,), ()),
        ({"theirs": "o" * 64}, (THEIRS,), ("theirs",)),
        ({"theirs": ""}, (THEIRS,), ()),
        ({}, (THEIRS,), ()),
        ({"theirs": "o" * 64}, (ResourceSeen("theirs"),), ()),
        ({"theirs": "o" * 64}, (), ()),
    ],
    ids=["the same", "made anew", "before its first start", "taken out by hand", "in a swarm", "gone"],
)
def test_a_network_of_others_is_lost_when_another_one_has_its_name(
    attached: dict[str, str], there: tuple[ResourceSeen, ...], lost: tuple[str, ...]
) -> None:
    """What is gone is not lost for a new container to find, but refused."""
    compose = COMPOSE.format(network="{external: true, name: theirs}", volume="{}")
    host = running(compose)
    container = replace(host.observation.containers[0], networks=attached)

    assert DockerCompose().lost_networks(host.release, replace(host.observation, external=there), container) == lost


@pytest.mark.parametrize("external", ["{external: {name: theirs}}", "{external: true, name: theirs}"])
def test_what_somebody_else_is_to_make_and_is_not_there_is_told(external: str) -> None:
    release = a_release(COMPOSE.format(network=external, volume="{external: true}"))
    seen = replace(running(COMPOSE.format(network="{}", volume="{}")).observation, external=(), lent=())

    assert DockerCompose().absent(release, seen) == ("network theirs", "volume data")
    there = replace(seen, external=(THEIRS,), lent=(ResourceSeen("data"),))
    assert DockerCompose().absent(release, there) == ()


def test_up_asks_for_networks_of_services_that_it_does_not_start_and_for_no_volumes_of_those() -> None:
    text = "services: {web: {image: 'web:1'}, beside: {image: 'web:1', networks: [n], volumes: ['data:/v']%s}}\n"
    text += "networks: {n: {external: true}}\nvolumes: {data: {external: true}}\n"
    seen = replace(running(COMPOSE.format(network="{}", volume="{}")).observation, external=(), lent=())

    assert DockerCompose().absent(a_release(text % ""), seen) == ("network n",)
    assert DockerCompose().absent(a_release(text % ", profiles: [other]"), seen) == ()


def test_what_is_ours_to_make_is_never_absent() -> None:
    release = a_release(COMPOSE.format(network="{name: theirs, external: 'false'}", volume="{name: data}"))
    seen = replace(running(COMPOSE.format(network="{}", volume="{}")).observation, external=(), lent=())

    assert DockerCompose().absent(release, seen) == ()
