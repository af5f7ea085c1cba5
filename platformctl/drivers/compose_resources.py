"""Networks and volumes: which ones services need, and whether the existing ones are as the file declares them."""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from platformctl.drivers.compose_definitions import (
    looks_beside,
    network_differs,
    network_moves,
    network_remade,
    volume_differs,
)
from platformctl.drivers.compose_settings import drifted, wanted_settings
from platformctl.model.compose import is_made
from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Container, Observation

_ELSEWHERE = ("tmpfs", "nfs", "nfs4", "cifs", "smb3")


def networks(release: Release, service: ServiceName) -> Mapping[str, Mapping[str, Any]] | None:
    """Return what the file declares for each network of a service, by the engine's name.

    None for a service with `network_mode`, which Compose attaches to no network of the file.
    """
    if "network_mode" in release.compose.services[service].definition:
        return None
    return dict(_keyed(release, service).values())


def _keyed(release: Release, service: ServiceName) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
    """Return the engine's name and the declaration of each network of a service, by its key in the file.

    Empty for a service with `network_mode`.
    """
    definition = release.compose.services[service].definition
    keys = () if "network_mode" in definition else definition.get("networks") or ("default",)
    return {key: _named(release, "networks", key) for key in keys}


def volumes(release: Release, service: ServiceName) -> Mapping[str, Mapping[str, Any]]:
    """Return what the file declares for each volume that a service mounts, by the engine's name."""
    mounts = release.compose.services[service].definition.get("volumes") or ()
    sources = (mount["source"] for mount in mounts if mount["type"] == "volume" and mount.get("source"))
    return dict(_named(release, "volumes", source) for source in sources)


def other_volumes(release: Release, container: Container) -> tuple[tuple[str, str], ...]:
    """Return the volumes of a container that mounts another volume at their path: the wanted and the seen name of each.

    A volume's name is no part of Compose's hash, so 2.26 leaves the container with the one it has (seen with 2.26.1).
    """
    mounts = release.compose.services[container.service].definition.get("volumes") or ()
    named = (mount for mount in mounts if mount["type"] == "volume" and mount.get("source"))
    wanted = ((_named(release, "volumes", mount["source"])[0], mount.get("target")) for mount in named)
    seen = ((name, container.volumes.get(posixpath.normpath(str(target)))) for name, target in wanted)
    return tuple((name, there) for name, there in seen if there is not None and there != name)


def project_folder(release: Release) -> str:
    """Return the absolute path of the project folder on the host: the one that has the compose file."""
    folder = release.module.runtime.compose_file.parent
    return f"{release.host.root}/{folder}" if folder else release.host.root


def bind_sources(release: Release) -> frozenset[str]:
    """Return the paths below the host's root that the closure bind-mounts, relative to the root."""
    folder = release.module.runtime.compose_file.parent
    services = (release.compose.services[name] for name in release.closure)
    mounts = (mount for service in services for mount in service.definition.get("volumes", ()))
    sources = (str(mount["source"]) for mount in mounts if mount["type"] == "bind")
    places = (posixpath.normpath(posixpath.join(release.host.root, folder, source)) for source in sources)
    root = release.host.root.rstrip("/") + "/"
    return frozenset(place.removeprefix(root) for place in places if place.startswith(root))


def lent_names(release: Release) -> frozenset[str]:
    """Return the engine's names of mounted volumes that may be another project's: external, or with a `name`."""
    mounted = (pair for service in release.closure for pair in volumes(release, service).items())
    return frozenset(name for name, declared in mounted if declared.get("name") or not is_made(declared))


def external_networks(release: Release) -> frozenset[str]:
    """Return the engine's names of the external networks that `up` requires.

    It requires those of all services it loads, also outside the closure.
    """
    asked = release.compose.brought_by(release.module.runtime.compose_service)
    attached = (pair for service in asked for pair in (networks(release, service) or {}).items())
    return frozenset(name for name, declared in attached if not is_made(declared))


def leading_out(release: Release, observation: Observation) -> tuple[str, ...]:
    """Return mounted volumes that may be another project's and lead to a path or device of the host, or to a plugin."""
    lent = (volume for volume in observation.lent if volume.name in lent_names(release))
    return tuple(volume.name for volume in lent if _leads_out(volume.definition))


def _leads_out(definition: Mapping[str, Any]) -> bool:
    """Whether a volume may lead to files of the host outside Docker's own storage.

    With the driver `local` it does so only by its options, and not if they mount a file system in memory or on the
    network. With any other driver it may.
    """
    options = definition["driver_opts"]
    elsewhere = options.get("type") in _ELSEWHERE and "bind" not in options.get("o", "")
    return definition["driver"] != "local" or (bool(options) and not elsewhere)


def made_with(release: Release) -> Iterator[tuple[str, str]]:
    """Yield the networks and volumes that `up` makes if they do not exist: `network` or `volume`, and the name.

    They are those of all services of the file, except services that only other profiles enable (seen with Compose
    2.26.1).
    """
    for name in sorted(release.compose.brought_by(release.module.runtime.compose_service)):
        yield from (("network", each) for each in _own(networks(release, name) or {}))
        yield from (("volume", each) for each in _own(volumes(release, name)))


def _own(declared: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    return (name for name, each in declared.items() if is_made(each))


def are_own(release: Release) -> bool:
    """Whether all networks and volumes of the closure are the project's own: none is external or has a `name`."""
    services = release.closure
    declared = [each for name in services for each in (networks(release, name) or {}).values()]
    declared += [each for name in services for each in volumes(release, name).values()]
    return all(is_made(each) and not each.get("name") for each in declared)


def _named(release: Release, section: str, key: str) -> tuple[str, Mapping[str, Any]]:
    declared = (release.compose.document.get(section) or {}).get(key) or {}
    external = declared.get("external")
    elsewhere = (external.get("name") if isinstance(external, Mapping) else None) or key
    default = f"{release.module.runtime.project}_{key}" if is_made(declared) else elsewhere
    return str(declared.get("name") or default), declared


def lost_networks(release: Release, observation: Observation, container: Container) -> tuple[str, ...]:
    """Return the networks a container needs that are gone or were made anew, sorted: it can not be started again.

    An external network is compared only where the observation has its id.
    """
    own = {network.name: network.id for network in observation.networks}
    others = {network.name: network.id for network in observation.external if network.id}
    needed = (networks(release, container.service) or {}).items()
    there = {name: own if is_made(declared) else others for name, declared in needed}
    known = {name: seen for name, seen in there.items() if seen is own or name in seen}
    return tuple(sorted(name for name, seen in known.items() if _is_lost(container, name, seen)))


def _is_lost(container: Container, name: str, there: Mapping[str, str]) -> bool:
    if name not in container.networks:
        return container.running and name not in there
    return container.networks[name] not in ("", there.get(name))


def drift(release: Release, observation: Observation, container: Container) -> Mapping[str, tuple[Any, Any]]:
    """Return what was changed by hand on a container: the wanted and the seen value, by field.

    Being paused counts as changed: `up` can not start a paused container, only a forced one replaces it (seen with
    2.26.1).
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
    """Return `wanted` without the swap limit where the host's kernel can not limit swap.

    There the engine reports -1 for every container with a memory limit.
    """
    known = observation.identity.swap_limit
    return wanted if known else {name: value for name, value in wanted.items() if name != "memswap_limit"}


def _aliases(release: Release, container: Container) -> Iterator[str]:
    """Yield the aliases a container is to have in the networks it is in, each as `network:alias`.

    Engines add aliases by themselves, so only missing ones are compared. The engine's own network, `bridge`, has none.
    """
    asked = release.compose.services[container.service].definition.get("networks") or {"default": {}}
    for key, options in asked.items():
        name, _ = _named(release, "networks", key)
        if name in container.aliases and name != "bridge":
            names = (container.service, *((options or {}).get("aliases") or ()))
            yield from (f"{name}:{alias}" for alias in dict.fromkeys(names))


def contradictions(release: Release, observation: Observation) -> tuple[str, ...]:
    """Return one sentence for each existing network or volume that differs from its declaration.

    They are those of the closure, and networks outside it that Compose would recreate too. No sentence shows the value
    of an option or label.
    """
    found = [told for service in release.closure for told in _contradicting(release, observation, service)]
    return tuple(dict.fromkeys((*found, *_remade_beside(release, observation))))


def _contradicting(release: Release, observation: Observation, service: ServiceName) -> Iterator[str]:
    there = {network.name: network for network in observation.networks}
    version = observation.identity.compose_version
    for key, (name, declared) in _keyed(release, service).items():
        if is_made(declared):
            yield from network_moves(key, name, observation.networks, version)
            if name in there:
                yield from network_differs(declared, there[name], version)
    mounted = volumes(release, service)
    for volume in observation.volumes:
        if volume.name in mounted and is_made(mounted[volume.name]):
            yield from volume_differs(mounted[volume.name], volume)


def _remade_beside(release: Release, observation: Observation) -> Iterator[str]:
    """Yield sentences about changed networks of all services that `up` loads, if Compose would recreate them too."""
    if looks_beside(observation.identity.compose_version):
        there = {network.name: network for network in observation.networks}
        for service in sorted(release.compose.brought_by(release.module.runtime.compose_service)):
            declared = networks(release, service) or {}
            own = (name for name in declared if name in there and is_made(declared[name]))
            yield from (told for name in own for told in network_remade(declared[name], there[name]))
