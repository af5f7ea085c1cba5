"""The rule that refuses unknown keys of a compose file: those not known to be harmless and not judged by another rule.

The names are those of the Compose specification. A key that a newer Compose adds is unknown until it was judged here.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from platformctl.policy.rules import Candidate, Rule, Sighting, shown, words

_HARMLESS_IN_SERVICE = words("""
    attach blkio_config cap_drop command container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period
    cpu_rt_runtime cpu_shares cpus cpuset depends_on develop dns dns_opt dns_search domainname entrypoint environment
    expose external_links extra_hosts group_add healthcheck hostname init isolation links logging mac_address mem_limit
    mem_reservation mem_swappiness memswap_limit pids_limit platform ports profiles pull_policy pull_refresh_after
    read_only restart scale shm_size stdin_open stop_grace_period stop_signal storage_opt tmpfs tty ulimits working_dir
    """)

_JUDGED_IN_SERVICE = words("""
    annotations build cap_add cgroup cgroup_parent configs credential_spec deploy device_cgroup_rules devices env_file
    extends gpus image ipc label_file labels models network_mode networks oom_kill_disable oom_score_adj pid post_start
    pre_stop privileged provider runtime secrets security_opt sysctls use_api_socket user userns_mode uts volumes
    volumes_from
    """)

SERVICE_KEYS: Final = _HARMLESS_IN_SERVICE | _JUDGED_IN_SERVICE

_FILE_KEYS = words("version name services networks volumes configs secrets include models")
_IN_SERVICE: Final[Mapping[str, frozenset[str]]] = {
    "configs.*": words("source target uid gid mode"),
    "depends_on.*": words("condition restart required"),
    "deploy": words(
        "mode replicas endpoint_mode labels resources restart_policy update_config rollback_config placement"
    ),
    "deploy.resources": words("limits reservations"),
    "deploy.resources.limits": words("cpus memory pids"),
    "deploy.resources.reservations": words("cpus memory generic_resources devices"),
    "env_file.*": words("path required format"),
    "healthcheck": words("test interval timeout retries start_period start_interval disable"),
    "logging": words("driver options"),
    "networks.*": words("""
        aliases driver_opts gw_priority interface_name ipv4_address ipv6_address link_local_ips mac_address priority
        """),
    "ports.*": words("name mode host_ip target published protocol app_protocol"),
    "secrets.*": words("source target uid gid mode"),
    "volumes.*": words("type source target read_only consistency bind volume tmpfs image"),
    "volumes.*.bind": words("propagation create_host_path selinux recursive"),
    "volumes.*.tmpfs": words("size mode"),
    "volumes.*.volume": words("nocopy subpath labels"),
}
_IN_SECTION: Final[Mapping[str, frozenset[str]]] = {
    "networks": words("name driver driver_opts ipam external internal attachable labels enable_ipv4 enable_ipv6"),
    "networks.ipam": words("driver config options"),
    "networks.ipam.config.*": words("subnet ip_range gateway aux_addresses"),
    "volumes": words("name driver driver_opts external labels"),
    "configs": words("name file environment content external labels driver driver_opts template_driver"),
    "secrets": words("name file environment content external labels driver driver_opts template_driver"),
}


def _unknown_keys(candidate: Candidate) -> Iterator[Sighting]:
    yield from _unknown("", candidate.compose.document, _FILE_KEYS)
    for service in candidate.compose.services.values():
        place = f"services.{service.name}"
        yield from _unknown(place, service.definition, SERVICE_KEYS)
        for path, known in _IN_SERVICE.items():
            for inner, mapping in _at(service.definition, path.split("."), place):
                yield from _unknown(inner, mapping, known)
    for path, known in _IN_SECTION.items():
        section, *rest = path.split(".")
        for name, definition in candidate.section(section).items():
            for inner, mapping in _at(definition, rest, f"{section}.{name}"):
                yield from _unknown(inner, mapping, known)


def _at(value: Any, path: list[str], place: str) -> Iterator[tuple[str, Any]]:
    """Yield the values at `path` below `value`, each with its place; `*` stands for every item of a list or mapping."""
    if not path:
        yield place, value
        return
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if path[0] in ("*", key):
            yield from _at(item, path[1:], f"{place}.{key}")


def _unknown(place: str, mapping: Any, known: frozenset[str]) -> Iterator[Sighting]:
    for key in mapping if isinstance(mapping, Mapping) else ():
        if key not in known and not key.startswith("x-"):
            near = get_close_matches(key, known, n=1)
            meant = f", did you mean {near[0]}?" if near else ""
            yield Sighting(f"{place}.{key}" if place else key, f"the key {shown(key)} is not known{meant}")


UNKNOWN_KEY = Rule(
    "unknown-key",
    why="nobody has judged what it gives a container",
    instead="correct the spelling, or prefix notes of your own with x-",
    look=_unknown_keys,
    waivable=False,
)
