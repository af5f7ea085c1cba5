"""Addresses that nobody is let ask in a manifest's name: they lead to a machine itself, to its cloud, or to nobody."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_FORBIDDEN = {
    "an unspecified": ("0.0.0.0/8", "::/128"),
    "a link-local": ("169.254.0.0/16", "fe80::/10"),
    "a multicast": ("224.0.0.0/4", "ff00::/8"),
    "a broadcast": ("255.255.255.255/32",),
    # Those of AWS, Google, Alibaba, Azure and Oracle that are not link-local.
    "a metadata": ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
}

_LOOPBACK = {"a loopback": ("127.0.0.0/8", "::1/128")}

_CARRIERS = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""IPv6 addresses that end in the IPv4 address they lead to: mapped (RFC 4291) and NAT64 (RFC 6052)."""


def never_asked(text: str, *, local: bool) -> str:
    """What kind of address that is not asked `text` is, "" for any other one; loopback is asked where it is `local`.

    Raises `ValueError` for what is no address.
    """
    address = _meant(ip_address(text))
    for kind, networks in _FORBIDDEN.items() if local else (_FORBIDDEN | _LOOPBACK).items():
        if any(address in ip_network(network) for network in networks):
            return f"{kind} address, {address}"
    return ""


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, else the address itself."""
    if any(address in carrier for carrier in _CARRIERS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
