"""The changes of a release when there is only the record of an earlier one to compare it with."""

from collections.abc import Collection, Mapping

from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.plan import Action, Cause, Change
from platformctl.model.state import ModuleStatus, Receipt
from platformctl.planning.diff import described_change
from platformctl.planning.wanted import is_used


def expected(
    release: Release, recorded: ModuleStatus | Receipt | None, there: Collection[ServiceName] | None = None
) -> tuple[Change, ...]:
    """Return the changes as far as the record of an earlier release can tell.

    `there` are the services that were seen to have containers, None if nobody looked: a service that has one is
    recreated and not created. Services that use a file which differs are named. A record does not tell which services a
    changed compose file affects, so that counts for the module's own service.
    """
    if recorded is not None and recorded.desired == release.digest:
        return ()
    main = release.module.runtime.compose_service
    unknown = {main: (Cause.DEFINITION if there and main in there else Cause.MISSING,)}
    causes = _recorded_causes(release, recorded) if recorded is not None else unknown
    if there is not None:
        wanted = (name for name in release.closure if release.compose.services[name].replicas)
        causes = {**causes, **{name: (Cause.MISSING,) for name in wanted if name not in there}}
    return tuple(
        described_change(release, name, action, causes[name], None, {"desired": release.digest}, destructive=False)
        for name in release.closure
        if name in causes
        for action in [Action.CREATE if causes[name] == (Cause.MISSING,) else Action.RECREATE]
    )


def _recorded_causes(release: Release, recorded: ModuleStatus | Receipt) -> Mapping[ServiceName, tuple[Cause, ...]]:
    """Return the causes by service. What no service uses, as the compose file, counts for the module's own service."""
    before, after = ({file.path: file.digest for file in files} for files in (recorded.files, release.files))
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    services = {name: release.compose.services[name] for name in release.closure}
    used = {n: {p for p in changed if is_used(p, (*s.mounted, *s.env_files))} for n, s in services.items()}
    causes: dict[ServiceName, tuple[Cause, ...]] = {name: (Cause.FILE_CONTENT,) for name in used if used[name]}
    if not changed or changed.difference(*used.values()):
        main = release.module.runtime.compose_service
        causes[main] = (Cause.DEFINITION, *causes.get(main, ()))
    return causes
