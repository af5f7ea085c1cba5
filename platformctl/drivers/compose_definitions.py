"""Definitions of networks and volumes: what Compose makes of a declaration, and where an existing one differs from it.

Compose 2.26 leaves an existing network or volume as it is when its definition in the file changes. From 2.31 on it
recreates the network, together with every container in it, and asks whether it may destroy the volume. A plan can
promise neither.

The newer Compose compares a hash that it writes as a label on the networks it makes. The hash tells apart definitions
that make the same network: `driver: bridge` is not the same as no driver. No command prints the hash, so it is computed
here as in Compose's source (pkg/compose/hash.go, the same from 2.31.0 to 5.5.0; seen with 5.6.1).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from platformctl.drivers.compose_dependents import number_of
from platformctl.model.compose import as_text, truth
from platformctl.model.names import Digest
from platformctl.model.observed import ResourceSeen

_ENGINES_OWN = "com.docker.network."
"""The prefix of network options that the engine adds by itself."""
_BY_HASH, _BY_KEY = (2, 31, 0), (5, 2, 0)
"""The first version that recreates a changed network, and the first that identifies a network by its key in the file
instead of its name. A version that can not be read is treated as if it were newer than both.
"""
_AS_GO_DOES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def network_of(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the definition, as in `ResourceSeen`, of the network that Compose makes from a declaration."""
    flags = {flag: truth(declared.get(flag)) is True for flag in ("internal", "attachable", "enable_ipv6")}
    return {**_resource(declared, "bridge"), **flags, "subnets": _subnets(declared)}


def volume_of(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the definition, as in `ResourceSeen`, of the volume that Compose makes from a declaration."""
    return _resource(declared, "local")


def _resource(declared: Mapping[str, Any], driver: str) -> Mapping[str, Any]:
    pairs = {field: _pairs(declared.get(field)) for field in ("driver_opts", "labels")}
    return {"driver": str(declared.get("driver") or driver), **pairs}


def network_differs(declared: Mapping[str, Any], seen: ResourceSeen, version: str) -> Iterator[str]:
    """Yield one sentence for each difference between an existing network of the project and its declaration.

    A difference in Compose's hash is reported only where no field differs and Compose's `version` goes by the hash.
    """
    told = tuple(_network_fields(declared, seen))
    yield from told
    if not told and _is_from(_BY_HASH, version):
        yield from network_remade(declared, seen)


def network_remade(declared: Mapping[str, Any], seen: ResourceSeen) -> Iterator[str]:
    """Yield one sentence if the hash on an existing network is not that of its declaration; none if it has no hash."""
    if seen.config_hash not in ("", network_hash(seen.name, declared)):
        yield f"network {seen.name}: it was made from another definition, and Compose would make it anew"


def looks_beside(version: str) -> bool:
    """Whether this Compose also recreates changed networks of services outside the closure.

    From 2.31 to 5.1 it recreates those of all services it loads. True for a version that can not be read.
    """
    number = number_of(version)
    return number < (2,) or _BY_HASH <= number < _BY_KEY


def makes_beside(version: str) -> bool:
    """Whether networks and volumes of services that are not brought up are made too: all of a file are, up to 5.1.

    Seen with 2.26.1, and with 5.6.1 that they are not.
    """
    return number_of(version) < _BY_KEY


def network_moves(key: str, name: str, there: Iterable[ResourceSeen], version: str) -> Iterator[str]:
    """Yield one sentence if the network with the key `key` in the file exists only under another name than `name`.

    Up to 5.1 Compose makes a second network. From 5.2 on it removes the existing one, with containers still in it.
    """
    same = sorted(each.name for each in there if each.key == key)
    if same and name not in same and _is_from(_BY_KEY, version):
        yield f"network {same[0]}: its name is {name} now, and Compose would take it from all that are in it"


def volume_differs(declared: Mapping[str, Any], seen: ResourceSeen) -> Iterator[str]:
    """Yield one sentence for each difference between an existing volume of the project and its declaration."""
    return _differs("volume", declared, seen, driver="local")


def _is_from(first: tuple[int, ...], version: str) -> bool:
    return not (2,) <= number_of(version) < first


def network_hash(name: str, declared: Mapping[str, Any]) -> str:
    """Return the hash that Compose writes as a label on a network `name` that it makes from a declaration."""
    ipam = declared.get("ipam") or {}
    flags = (flag for flag in ("internal", "attachable") if truth(declared.get(flag)))
    families = (family for family in ("enable_ipv4", "enable_ipv6") if declared.get(family) is not None)
    fields = {
        "name": name,
        **_filled(driver=declared.get("driver"), driver_opts=_ordered(declared.get("driver_opts"))),
        "ipam": _filled(
            driver=ipam.get("driver"),
            config=[_pool(pool) for pool in _pools(declared)],
            options=_ordered(ipam.get("options")),
        ),
        **dict.fromkeys(flags, True),
        **_filled(labels=_ordered(declared.get("labels"))),
        **{family: truth(declared[family]) is True for family in families},
    }
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return Digest.of(text.translate(_AS_GO_DOES).encode()).hexadecimal


def _pool(pool: Mapping[str, Any]) -> Mapping[str, Any]:
    places = {key: pool.get(key) for key in ("subnet", "gateway", "ip_range")}
    return _filled(**places, aux_addresses=_ordered(pool.get("aux_addresses")))


def _filled(**fields: Any) -> Mapping[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _ordered(value: Any) -> Mapping[str, str]:
    return dict(sorted(_pairs(value).items()))


def _network_fields(declared: Mapping[str, Any], seen: ResourceSeen) -> Iterator[str]:
    yield from _differs("network", declared, seen, driver="bridge")
    for flag in ("internal", "attachable", "enable_ipv6"):
        wanted = truth(declared.get(flag)) is True
        if wanted != seen.definition[flag] and (flag in declared or flag != "enable_ipv6"):
            told, asked = as_text(seen.definition[flag]), as_text(wanted)
            yield f"network {seen.name}: {flag} is {told}, wanted {asked}"
    subnets = _subnets(declared)
    if subnets and subnets != seen.definition["subnets"]:
        yield f"network {seen.name}: its subnet is {', '.join(seen.definition['subnets'])}, wanted {', '.join(subnets)}"


def _differs(kind: str, declared: Mapping[str, Any], seen: ResourceSeen, *, driver: str) -> Iterator[str]:
    wanted = str(declared.get("driver") or driver)
    if wanted != seen.definition["driver"]:
        yield f"{kind} {seen.name}: its driver is {seen.definition['driver']}, wanted {wanted}"
    for field in ("driver_opts", "labels"):
        asked, has = _pairs(declared.get(field)), seen.definition[field]
        extra = (key for key in has if key not in asked and not key.startswith(_ENGINES_OWN))
        for key in sorted({*extra, *(key for key, value in asked.items() if has.get(key) != value)}):
            yield f"{kind} {seen.name}: {field}.{key} differs"


def _subnets(declared: Mapping[str, Any]) -> list[str]:
    return sorted(str(each["subnet"]) for each in _pools(declared) if each.get("subnet"))


def _pools(declared: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    pools = (declared.get("ipam") or {}).get("config") or ()
    return [pool for pool in pools if isinstance(pool, Mapping)]


def _pairs(value: Any) -> Mapping[str, str]:
    """Return names and texts as Compose passes them to the engine, from a mapping or a list of `NAME=value` items."""
    if isinstance(value, Mapping):
        return {str(key): as_text(item) for key, item in value.items()}
    return {key: text for key, _, text in (str(item).partition("=") for item in value or ())}
