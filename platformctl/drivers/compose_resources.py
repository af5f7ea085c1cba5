"""Networks and volumes: which ones a service needs, and whether those that are there are the ones it asks for.

Compose 2.26 leaves a network or volume as it is, whatever its definition says by now. From 2.31 on it recreates the
network, with every container in it, and asks whether it may destroy the volume. A plan can promise neither.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from platformctl.drivers.compose_settings import drifted, wanted_settings
from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Container, Observation, ResourceSeen

_ELSEWHERE = ("tmpfs", "nfs", "nfs4", "cifs", "smb3")
_ENGINES_OWN = "com.docker.network."
"""Options of a network that an engine adds by itself begin so."""


def networks(release: Release, service: ServiceName) -> Mapping[str, Mapping[str, Any]] | None:
    """What the file declares of the networks a service is in, by the engine's name; None: it is in none that Compose
    attaches, as with any `network_mode`.
    """
    definition = release.compose.services[service].definition
    if "network_mode" in definition:
        return None
    return dict(_named(release, "networks", each) for each in definition.get("networks") or ("default",))


def volumes(release: Release, service: ServiceName) -> Mapping[str, Mapping[str, Any]]:
    """What the file declares of the volumes a service mounts, by the engine's name."""
    mounts = release.compose.services[service].definition.get("volumes") or ()
    sources = (mount["source"] for mount in mounts if mount["type"] == "volume" and mount.get("source"))
    return dict(_named(release, "volumes", source) for source in sources)


def project_folder(release: Release) -> str:
    """Where on the host Compose works for a release."""
    folder = release.module.runtime.compose_file.parent
    return f"{release.host.root}/{folder}" if folder else release.host.root


def bind_sources(release: Release) -> frozenset[str]:
    """What the closure mounts from below the host's root, as paths relative to it."""
    folder = release.module.runtime.compose_file.parent
    services = (release.compose.services[name] for name in release.closure)
    mounts = (mount for service in services for mount in service.definition.get("volumes", ()))
    sources = (str(mount["source"]) for mount in mounts if mount["type"] == "bind")
    places = (posixpath.normpath(posixpath.join(release.host.root, folder, source)) for source in sources)
    root = release.host.root.rstrip("/") + "/"
    return frozenset(place.removeprefix(root) for place in places if place.startswith(root))


def lent_names(release: Release) -> frozenset[str]:
    """The engine's names of volumes that the closure mounts and that may be another project's."""
    mounted = (pair for service in release.closure for pair in volumes(release, service).items())
    return frozenset(name for name, declared in mounted if declared.get("name") or not is_own(declared))


def external_networks(release: Release) -> frozenset[str]:
    """The engine's names of networks that `up` asks for and does not make, those of services beside the closure too."""
    asked = release.compose.brought_by(release.module.runtime.compose_service)
    attached = (pair for service in asked for pair in (networks(release, service) or {}).items())
    return frozenset(name for name, declared in attached if not is_own(declared))


def absent(release: Release, observation: Observation) -> tuple[str, ...]:
    """Networks and volumes that Compose does not make and ends over where they are not there (seen with 2.26.1)."""
    mounted = (pair for service in release.closure for pair in volumes(release, service).items())
    needed = {f"volume {name}" for name, declared in mounted if not is_own(declared)}
    needed |= {f"network {name}" for name in external_networks(release)}
    there = {f"volume {each.name}" for each in observation.lent} | {f"network {n.name}" for n in observation.external}
    return tuple(sorted(needed - there))


def leading_out(release: Release, observation: Observation) -> tuple[str, ...]:
    """Volumes of others that the closure mounts and that lead to a folder or device of the host, or to a plugin's."""
    lent = (volume for volume in observation.lent if volume.name in lent_names(release))
    return tuple(volume.name for volume in lent if _leads_out(volume.definition))


def _leads_out(definition: Mapping[str, Any]) -> bool:
    """Docker's own driver mounts what options say: without any, or over the network, nothing of the host."""
    options = definition["driver_opts"]
    elsewhere = options.get("type") in _ELSEWHERE and "bind" not in options.get("o", "")
    return definition["driver"] != "local" or (bool(options) and not elsewhere)


def is_own(declared: Mapping[str, Any]) -> bool:
    """Whether Compose makes it, if it is not there."""
    return declared.get("external") in (None, False, "false")


def made_with(release: Release) -> Iterator[tuple[str, str]]:
    """Networks and volumes that `up` makes where they are not there, as `network` or `volume` and the name.

    Those of every service of the file, but for services that only another profile brings (seen with Compose 2.26.1).
    """
    for name in sorted(release.compose.brought_by(release.module.runtime.compose_service)):
        yield from (("network", each) for each in _own(networks(release, name) or {}))
        yield from (("volume", each) for each in _own(volumes(release, name)))


def _own(declared: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    return (name for name, each in declared.items() if is_own(each))


def are_own(release: Release) -> bool:
    """Whether Compose makes every network and volume of the closure under a name that no other project has."""
    services = release.closure
    declared = [each for name in services for each in (networks(release, name) or {}).values()]
    declared += [each for name in services for each in volumes(release, name).values()]
    return all(is_own(each) and not each.get("name") for each in declared)


def network_of(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a network looks like that Compose makes as declared."""
    flags = {flag: _truth(declared.get(flag)) for flag in ("internal", "attachable", "enable_ipv6")}
    subnets = sorted(str(each["subnet"]) for each in _pools(declared) if each.get("subnet"))
    return {**_resource(declared, "bridge"), **flags, "subnets": subnets}


def volume_of(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a volume looks like that Compose makes as declared."""
    return _resource(declared, "local")


def _resource(declared: Mapping[str, Any], driver: str) -> Mapping[str, Any]:
    pairs = {field: _pairs(declared.get(field)) for field in ("driver_opts", "labels")}
    return {"driver": str(declared.get("driver") or driver), **pairs}


def _named(release: Release, section: str, key: str) -> tuple[str, Mapping[str, Any]]:
    declared = (release.compose.document.get(section) or {}).get(key) or {}
    external = declared.get("external")
    elsewhere = (external.get("name") if isinstance(external, Mapping) else None) or key
    default = f"{release.module.runtime.project}_{key}" if is_own(declared) else elsewhere
    return str(declared.get("name") or default), declared


def lost_networks(release: Release, observation: Observation, container: Container) -> tuple[str, ...]:
    """Networks that are gone, or others by now, for a container that was made for them: it can not be started again."""
    own = {network.name: network.id for network in observation.networks}
    others = {network.name: network.id for network in observation.external if network.id}
    needed = (networks(release, container.service) or {}).items()
    there = {name: own if is_own(declared) else others for name, declared in needed}
    known = {name: seen for name, seen in there.items() if seen is own or name in seen}
    return tuple(sorted(name for name, seen in known.items() if _is_lost(container, name, seen)))


def _is_lost(container: Container, name: str, there: Mapping[str, str]) -> bool:
    if name not in container.networks:
        return container.running and name not in there
    return container.networks[name] not in ("", there.get(name))


def drift(release: Release, observation: Observation, container: Container) -> Mapping[str, tuple[Any, Any]]:
    """What was changed by hand on a container: what its definition asks for and what the engine has, by field.

    A paused container is one too: `up` can not start it, and replaces it where it is told to (seen with 2.26.1).
    """
    wanted = _comparable(wanted_settings(release.compose.services[container.service].definition), observation)
    paused = {"state": ("running", container.state)} if container.state == "paused" else {}
    attached = networks(release, container.service)
    if attached is None:
        return {**drifted(wanted, container.settings), **paused}
    lost = lost_networks(release, observation, container)
    aliases = sorted(_aliases(release, container))
    there = [f"{name}:{alias}" for name, found in container.aliases.items() for alias in found]
    found = drifted(
        {**wanted, "networks": sorted(set(attached).difference(lost)), "aliases": aliases},
        {
            **container.settings,
            "networks": sorted(set(container.networks).difference(lost)),
            "aliases": [alias for alias in aliases if alias in there],
        },
    )
    return {**found, **paused}


def _comparable(wanted: Mapping[str, Any], observation: Observation) -> Mapping[str, Any]:
    """Without the limit of swap where the kernel has none: the engine says -1 of each container with a limit then."""
    known = observation.identity.swap_limit
    return wanted if known else {name: value for name, value in wanted.items() if name != "memswap_limit"}


def _aliases(release: Release, container: Container) -> Iterator[str]:
    """The names that a container is to be found by in the networks that it is in, `network:name` each.

    Engines add names by themselves, so one more is nobody's doing. In the engine's own network there are none.
    """
    asked = release.compose.services[container.service].definition.get("networks") or {"default": {}}
    for key, options in asked.items():
        name, _ = _named(release, "networks", key)
        if name in container.aliases and name != "bridge":
            names = (container.service, *((options or {}).get("aliases") or ()))
            yield from (f"{name}:{alias}" for alias in dict.fromkeys(names))


def contradictions(release: Release, observation: Observation) -> tuple[str, ...]:
    """Where networks and volumes of the closure are there with another definition, in words without option values."""
    seen_networks = {network.name: network for network in observation.networks}
    seen_volumes = {volume.name: volume for volume in observation.volumes}
    found: dict[str, None] = {}
    for service in release.closure:
        for name, declared in (networks(release, service) or {}).items():
            if is_own(declared) and name in seen_networks:
                found.update(dict.fromkeys(_network_differs(declared, seen_networks[name])))
        for name, declared in volumes(release, service).items():
            if is_own(declared) and name in seen_volumes:
                found.update(dict.fromkeys(_differs("volume", declared, seen_volumes[name], driver="local")))
    return tuple(found)


def _network_differs(declared: Mapping[str, Any], seen: ResourceSeen) -> Iterator[str]:
    yield from _differs("network", declared, seen, driver="bridge")
    for flag in ("internal", "attachable", "enable_ipv6"):
        wanted = _truth(declared.get(flag))
        if wanted != seen.definition[flag] and (flag in declared or flag != "enable_ipv6"):
            yield f"network {seen.name}: {flag} is {_truth(seen.definition[flag])}, wanted {wanted}".lower()
    subnets = sorted(str(each["subnet"]) for each in _pools(declared) if each.get("subnet"))
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


def _pools(declared: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    pools = (declared.get("ipam") or {}).get("config") or ()
    return [pool for pool in pools if isinstance(pool, Mapping)]


def _pairs(value: Any) -> Mapping[str, str]:
    """A mapping of names to text, from a mapping or from `NAME=value` items, as Compose hands it to the engine."""
    if isinstance(value, Mapping):
        return {str(key): _text(item) for key, item in value.items()}
    return {key: text for key, _, text in (str(item).partition("=") for item in value or ())}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _truth(value: Any) -> bool:
    return str(value).lower() == "true"
