"""Settings of a container under Compose's own keys: as a definition asks for them, and as the engine has them.

Compose's hash covers the definition, not the container: `docker update` and `docker network disconnect` change the
container and not its hash (seen with 2.26.1: `up -d` says Running). Settings that the engine drops because the kernel
does not support them (a memory limit), or fills in by itself, are not compared: a new container would have the same.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from platformctl.model.compose import as_text, truth

Settings = Mapping[str, Any]

HOST_CONFIG = (
    *("RestartPolicy", "Memory", "MemoryReservation", "NanoCpus", "CpuShares", "CpuPeriod", "CpuQuota", "CpusetCpus"),
    *("PidsLimit", "CapAdd", "CapDrop", "Privileged", "ReadonlyRootfs", "MemorySwap", "BlkioWeight", "CpusetMems"),
)
"""The fields of the engine's HostConfig that the compared settings are read from."""
_CONDITIONS = {"none": "no", "any": "always"}
_POLICIES = ("no", "always", "unless-stopped", "on-failure")
_SIZE = re.compile(r"((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?) ?([kmgtp]?)i?b?\Z", re.IGNORECASE)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_LIMITS = ("mem_limit", "mem_reservation", "cpus", "cpu_shares", "cpu_period", "cpu_quota", "blkio_weight")
"""Limits that `docker update` can change but not remove: a seen value of 0 means that the engine could not set it."""


def drifted(wanted: Settings, seen: Settings) -> Mapping[str, tuple[Any, Any]]:
    """Return the wanted and the seen value of each setting that differs; one that was not seen is not compared."""
    return {
        name: (value, seen[name])
        for name, value in wanted.items()
        if name in seen and value != seen[name] and not (name in _LIMITS and not seen[name])
    }


def seen_settings(config: Mapping[str, Any]) -> Settings:
    """Return the settings in an engine's HostConfig.

    Raises `KeyError`, `TypeError` or `ValueError` for something else than an engine's HostConfig.
    """
    policy = config["RestartPolicy"]
    attempts = policy["MaximumRetryCount"]
    return {
        "restart": (policy["Name"] or "no") + (f":{attempts}" if attempts else ""),
        "mem_limit": int(config["Memory"]),
        "mem_reservation": int(config["MemoryReservation"]),
        "cpus": _cpus(int(config["NanoCpus"]) / 1e9),
        "cpu_shares": int(config["CpuShares"]),
        "cpu_period": int(config["CpuPeriod"]),
        "cpu_quota": int(config["CpuQuota"]),
        "cpuset": str(config["CpusetCpus"]),
        "pids_limit": max(int(config["PidsLimit"] or 0), 0),
        "cap_add": _capabilities(config["CapAdd"] or ()),
        "cap_drop": _capabilities(config["CapDrop"] or ()),
        "privileged": bool(config["Privileged"]),
        "read_only": bool(config["ReadonlyRootfs"]),
        "memswap_limit": int(config["MemorySwap"]),
        "blkio_weight": int(config["BlkioWeight"]),
        "cpuset_mems": str(config["CpusetMems"]),
    }


def wanted_settings(definition: Mapping[str, Any]) -> Settings:
    """Return the settings that a definition asks for, without those whose value has a form that is not known here."""
    deploy = _mapping(definition.get("deploy"))
    resources = _mapping(deploy.get("resources"))
    limits, reservations = _mapping(resources.get("limits")), _mapping(resources.get("reservations"))
    found = {
        "restart": _restart(definition.get("restart"), deploy.get("restart_policy")),
        "mem_limit": _size(limits.get("memory") or definition.get("mem_limit")),
        "mem_reservation": _size(reservations.get("memory") or definition.get("mem_reservation")),
        "cpus": _decimal(limits.get("cpus") or definition.get("cpus")),
        "cpu_shares": _whole(definition.get("cpu_shares")),
        "cpu_period": _whole(definition.get("cpu_period")),
        "cpu_quota": _whole(definition.get("cpu_quota")),
        "cpuset": str(definition.get("cpuset") or ""),
        "pids_limit": _whole(limits.get("pids") or definition.get("pids_limit")),
        "cap_add": _capabilities(definition.get("cap_add") or ()),
        "cap_drop": _capabilities(definition.get("cap_drop") or ()),
        "privileged": truth(definition.get("privileged", False)),
        "read_only": truth(definition.get("read_only", False)),
        "blkio_weight": _whole(_mapping(definition.get("blkio_config")).get("weight")),
        "cpuset_mems": "",
    }
    found["memswap_limit"] = _swap(definition.get("memswap_limit"), found["mem_limit"])
    return {name: value for name, value in found.items() if value is not None}


def _restart(restart: Any, policy: Any) -> str | None:
    """Return the restart policy as `name` or `name:attempts`, None for an unknown form.

    As in Compose, `deploy.restart_policy` wins over `restart`.
    """
    if isinstance(policy, Mapping):
        name, attempts = str(policy.get("condition", "")), policy.get("max_attempts") or 0
    else:
        name, _, attempts = str(restart or "no").partition(":")
    name = _CONDITIONS.get(name, name)
    if name not in _POLICIES or not str(attempts or 0).isdecimal():
        return None
    return f"{name}:{attempts}" if int(attempts or 0) else name


def _size(value: Any) -> int | None:
    """Return a size in bytes, as Docker reads it: every unit is a power of 1024. None for an unknown form.

    A fraction that is not in quotes is no limit for Compose (seen with 2.26.1 and 5.6.1).
    """
    if isinstance(value, int | float):
        return value if isinstance(value, int) else 0
    fits = _SIZE.match(str(value or "0").strip())
    bytes_ = float(fits[1]) * 1024 ** _UNITS[fits[2].lower()] if fits else math.inf
    return int(bytes_) if math.isfinite(bytes_) else None


def _swap(value: Any, memory: Any) -> int | None:
    """Return the limit of memory and swap together in bytes: -1 for unlimited, None for an unknown form.

    Where only memory is limited, the engine allows as much swap again; nobody can say how much that is where the
    form of that limit is unknown.
    """
    if str(value) == "-1":
        return -1
    limit = _size(value)
    if limit or limit is None:
        return limit
    return None if memory is None else 2 * int(memory)


def _decimal(value: Any) -> str | None:
    try:
        return _cpus(float(value or 0))
    except (TypeError, ValueError):
        return None


def _cpus(value: float) -> str:
    return "" if not value else f"{value:.3f}".rstrip("0").rstrip(".")


def _whole(value: Any) -> int | None:
    text = as_text(value or 0)
    return max(int(text), 0) if re.fullmatch(r"-?[0-9]{1,15}", text) else None


def _capabilities(names: Iterable[str]) -> list[str]:
    return sorted({str(name).upper().removeprefix("CAP_") for name in names})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
