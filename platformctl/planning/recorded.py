"""The changes of a release when there is only the record of an earlier one to compare it with."""

from collections.abc import Collection, Mapping
from typing import Any

from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Earlier
from platformctl.model.plan import Action, Cause, Change
from platformctl.model.state import ModuleStatus, Receipt
from platformctl.planning.diff import described_change
from platformctl.planning.fields import definitions, described
from platformctl.planning.hiding import Hide
from platformctl.planning.wanted import is_used

Causes = Mapping[ServiceName, tuple[Cause, ...]]


def expected(
    release: Release,
    recorded: ModuleStatus | Receipt | None,
    earlier: Earlier | None,
    hide: Hide,
    there: Collection[ServiceName] | None = None,
    foreign: Collection[ServiceName] = (),
) -> tuple[Change, ...]:
    """Return the changes as far as the record of an earlier release can tell.

    `earlier` is the recorded release itself, where it is known: then the services and fields that differ are told, but
    for `foreign` ones, of which their own module's plan tells. A record alone tells the services that use a file which
    differs, and not which others a changed compose file affects. `there` are the services that were seen to have
    containers, None if nobody looked: a service that has one is recreated and not created. Without a record, and where
    nobody looked, only services of other modules are taken to be there.
    """
    if recorded is not None and recorded.desired == release.digest:
        return ()
    if recorded is None and there is None:
        there = foreign
    main = release.module.runtime.compose_service
    causes: Causes = {main: (Cause.DEFINITION if there and main in there else Cause.MISSING,)}
    if recorded is not None:
        otherwise = _defined_otherwise(release, earlier, foreign) if earlier is not None else {}
        causes = _recorded_causes(release, recorded, otherwise)
    if there is not None:
        wanted = (name for name in release.closure if release.compose.services[name].replicas)
        causes = {**causes, **{name: (Cause.MISSING,) for name in wanted if name not in there}}
    then = {"desired": recorded.desired} if recorded is not None else {}
    return tuple(
        _change(release, name, causes[name], earlier, then, hide) for name in release.closure if name in causes
    )


def _change(
    release: Release,
    service: ServiceName,
    causes: tuple[Cause, ...],
    earlier: Earlier | None,
    then: Mapping[str, Any],
    hide: Hide,
) -> Change:
    """One change; of a container that is there, what it was is told where the earlier release is known."""
    wanted, desired = release.compose.services[service], {"desired": release.digest}
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] = desired
    action = Action.CREATE if causes == (Cause.MISSING,) else Action.RECREATE
    if action is Action.CREATE:
        after = {**described(wanted, hide), "image": wanted.image or "", **desired}
    elif earlier is not None and service in earlier.compose.services:
        shown, shown_now = definitions(release, earlier, service, hide)
        before = {**shown, "image": earlier.compose.services[service].image or "", **then}
        after = {**shown_now, "image": wanted.image or "", **desired}
    return described_change(release, service, action, causes, before, after, destructive=False)


def _recorded_causes(
    release: Release, recorded: ModuleStatus | Receipt, otherwise: Mapping[ServiceName, Cause]
) -> Causes:
    """Return the causes by service.

    What no service is known to be affected by counts for the module's own: a difference in no file that one uses, or in
    what the compose file says beside services.
    """
    before, after = ({file.path: file.digest for file in files} for files in (recorded.files, release.files))
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    services = {name: release.compose.services[name] for name in release.closure}
    used = {n: {p for p in changed if is_used(p, (*s.mounted, *s.env_files))} for n, s in services.items()}
    causes: dict[ServiceName, tuple[Cause, ...]] = {name: (Cause.FILE_CONTENT,) for name in used if used[name]}
    if not otherwise and (not changed or changed.difference(*used.values())):
        otherwise = {release.module.runtime.compose_service: Cause.DEFINITION}
    for name, cause in otherwise.items():
        causes[name] = (cause,) if cause is Cause.MISSING else (cause, *causes.get(name, ()))
    return causes


def _defined_otherwise(
    release: Release, earlier: Earlier, foreign: Collection[ServiceName]
) -> Mapping[ServiceName, Cause]:
    """Return own services of the closure that the earlier release did not have, or had with another definition."""
    now, then = release.compose.services, earlier.compose.services
    own = [name for name in release.closure if name not in foreign]
    differ = (name for name in own if name not in then or then[name].definition != now[name].definition)
    return {name: Cause.DEFINITION if name in then else Cause.MISSING for name in differ}
