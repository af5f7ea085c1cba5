"""Values that only the host has and that changed since the last apply, compared by keyed fingerprints.

A value whose fingerprint is not known, of then or of now, counts as unchanged.
"""

from collections.abc import Callable, Iterable, Mapping

from platformctl.model.desired import FileChange, Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Observation
from platformctl.model.state import Receipt

Fingerprints = Mapping[str, str]
Kind = Callable[[Release, Receipt, Observation, ServiceName], tuple[Fingerprints, Fingerprints]]
_SHOWN = 16
"""How many digits of a fingerprint a plan shows."""


def variables(
    release: Release, current: Receipt, seen: Observation, service: ServiceName
) -> tuple[Fingerprints, Fingerprints]:
    """Return the fingerprints, at the last apply and now, of changed variables that a service uses.

    The variables are those of the host's env file. Both are empty where the fingerprints of then or of now are not
    known. A variable that was added or removed is in only one of them.
    """
    before, after = current.computed.variables if current.computed else {}, seen.variables
    if not before or not after:
        return {}, {}
    used = release.compose.services[service]
    all_of_them = release.module.env.file in used.env_files
    names = {*before, *after} if all_of_them else set(used.variables)
    differing = sorted(name for name in names if before.get(name) != after.get(name))
    return _those(before, differing), _those(after, differing)


def files(
    release: Release, current: Receipt, seen: Observation, service: ServiceName
) -> tuple[Fingerprints, Fingerprints]:
    """Return the fingerprints, at the last apply and now, of a service's changed files that only the host has.

    They are its secrets, configs and env files. With `on_file_change: ignore` secrets and configs are left out: they
    are mounted, and a container sees their new content.
    """
    then, now = current.host_files, seen.host_files
    is_enough = release.module.on_file_change is FileChange.IGNORE
    ignored = release.compose.services[service].granted if is_enough else {}
    used = ((name, path) for name, path in release.host_files(service).items() if name not in ignored)
    paths = {name: path for name, path in used if path in then and path in now and then[path] != now[path]}
    before, after = ({name: each[path][:_SHOWN] for name, path in paths.items()} for each in (then, now))
    return before, after


def _those(fingerprints: Fingerprints, names: Iterable[str]) -> Fingerprints:
    return {name: fingerprints[name] for name in names if name in fingerprints}
