"""Rules about the networks a closure uses: what they would reach of the host's network, and which routes they take.

What Docker does was seen with engine 20.10: it uses an existing bridge with all its physical ports, and makes a subnet
a route of the host, whoever the addresses belong to.
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from platformctl.policy.rules import Candidate, Rule, Sighting, is_off, shown, words
from platformctl.policy.sections import called, used

_HARMLESS_OPTIONS = words("""
    com.docker.network.bridge.enable_icc com.docker.network.bridge.enable_ip_masquerade
    com.docker.network.bridge.host_binding_ipv4 com.docker.network.container_iface_prefix
    com.docker.network.driver.mtu com.docker.network.enable_ipv6
    """)

# Private addresses (RFC 1918, RFC 4193) and those for documentation (RFC 3849): they belong to nobody on the Internet.
_NOBODYS = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "2001:db8::/32")))


def _network_drivers(candidate: Candidate) -> Iterator[Sighting]:
    for name, network in used(candidate, "networks"):
        ipam = network.get("ipam")
        if isinstance(ipam, Mapping) and ipam.get("driver") not in (None, "", "default"):
            yield Sighting(f"networks.{name}.ipam.driver", f"network {shown(name)} has an address driver of its own")
        if network.get("driver") not in (None, "", "bridge", "default"):
            yield Sighting(
                f"networks.{name}.driver", f"network {shown(name)} has the driver {shown(network['driver'])}"
            )


def _host_networks(candidate: Candidate) -> Iterator[Sighting]:
    for name, network in used(candidate, "networks"):
        if called(name, network) == "host":
            yield Sighting(f"networks.{name}", f"network {shown(name)} is the host's own")


def _network_options(candidate: Candidate) -> Iterator[Sighting]:
    for name, network in used(candidate, "networks"):
        options = network.get("driver_opts")
        if not isinstance(options, Mapping):
            options = {} if is_off(options) else {"driver_opts": options}
        for option in options.keys() - _HARMLESS_OPTIONS:
            yield Sighting(f"networks.{name}.driver_opts", f"network {shown(name)} has the option {shown(option)}")


def _subnets(candidate: Candidate) -> Iterator[Sighting]:
    for name, network in used(candidate, "networks"):
        ipam = network.get("ipam")
        pools = ipam.get("config") if isinstance(ipam, Mapping) else None
        for index, pool in enumerate(pools if isinstance(pools, list) else ()):
            subnet = pool.get("subnet") if isinstance(pool, Mapping) else None
            if not is_off(subnet) and not _is_nobodys(subnet):
                place = f"networks.{name}.ipam.config.{index}.subnet"
                yield Sighting(place, f"network {shown(name)} takes the addresses {shown(subnet)}")


def _is_nobodys(subnet: Any) -> bool:
    try:
        wanted = ip_network(str(subnet), strict=False)
    except ValueError:
        return False
    return any(wanted.version == range_.version and wanted.subnet_of(range_) for range_ in _NOBODYS)  # type: ignore[arg-type]


NETWORK_RULES = (
    Rule(
        "network-driver",
        why="it puts the container on the host's own networks",
        instead="leave driver out and publish ports",
        look=_network_drivers,
    ),
    Rule(
        "host-network",
        why="the container sees and reaches what belongs to the host",
        instead="leave it out and publish ports",
        look=_host_networks,
    ),
    Rule(
        "network-options",
        why="an option can put the container on a bridge of the host's own, or take the firewall away",
        instead="leave driver_opts out; mtu, icc and masquerading need no waiver",
        look=_network_options,
    ),
    Rule(
        "network-subnet",
        why="the host would send what is meant for these addresses to the container",
        instead="leave the subnet out, or take one of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or fc00::/7",
        look=_subnets,
    ),
)
