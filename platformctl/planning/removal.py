"""Plan to remove what is left of a module whose manifest is gone: its containers and nothing else."""

from collections.abc import Mapping

from platformctl.drivers.interface import Driver
from platformctl.errors import PolicyViolation
from platformctl.model.desired import NOTHING, Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Container, Observation, Source
from platformctl.model.plan import Action, Bystander, Change, Plan, Rollback, is_own
from platformctl.model.state import HostRecord, ModuleStatus, Receipt
from platformctl.planning.besides import bystanders
from platformctl.planning.build import Circumstances, assemble, missing_for_return, observed_as, recorded_as


def build_removal(
    release: Release,
    observation: Observation,
    record: HostRecord,
    driver: Driver,
    circumstances: Circumstances,
    kept: Mapping[ServiceName, str],
) -> Plan:
    """Return the plan that removes what `release`, the last one applied, has left on the host as it was seen.

    `kept` has the services that stay because another module names or needs them, with the id of that module. Raises
    `PolicyViolation` when no receipt is recorded, or the recorded compose file is not on the host any more.
    """
    current = record.current
    if current is None or current.desired == NOTHING:
        raise PolicyViolation(
            "there is nothing to remove",
            detail=f"{release.host.name} has no receipt of module {release.module.id}",
            hint="platformctl stray list shows containers that belong to no module",
            reason="nothing-recorded",
            host=release.host.name,
        )
    services = tuple(map(ServiceName, current.closure))
    changes = tuple(_change(release, observation, service, kept) for service in services)
    return assemble(
        release,
        circumstances,
        driver,
        (),
        observed=observed_as(observation),
        speculative=release.source_dirty or observation.source is not Source.LIVE,
        files=(),
        images=(),
        closure=services,
        changes=changes,
        steps=driver.removal(release, changes, observation, current),
        rollback=_rollback(observation, current),
        untouched=(*bystanders(release, observation), *_left(release, observation, current)),
    )


def build_removal_offline(release: Release, status: ModuleStatus, driver: Driver, circumstances: Circumstances) -> Plan:
    """Return a speculative plan from recorded state: which services would be removed, without steps."""
    services = tuple(dict.fromkeys(ServiceName(container.service) for container in status.containers))
    return assemble(
        release,
        circumstances,
        driver,
        (),
        observed=recorded_as(status),
        speculative=True,
        files=(),
        images=(),
        closure=services,
        changes=tuple(_described(release, service, Action.DELETE, None, "") for service in services),
        steps=(),
        rollback=Rollback(ready=True, to=status.last_apply_sha, reason="not checked"),
    )


def _change(
    release: Release, observation: Observation, service: ServiceName, kept: Mapping[ServiceName, str]
) -> Change:
    container = next(iter(observation.of(service)), None)
    if service in kept:
        return _described(release, service, Action.KEEP, container, f"module {kept[service]} needs it")
    if container is None:
        return _described(release, service, Action.KEEP, None, "it has no container")
    return _described(release, service, Action.DELETE, container, "")


def _described(
    release: Release, service: ServiceName, action: Action, container: Container | None, reason: str
) -> Change:
    """Return a change of a removal. It does not have the container's state, which makes no difference to a removal."""
    before = None
    if container is not None:
        before = {
            "config_hash": container.config_hash,
            "image": container.image_ref,
            "image_id": container.image_id,
        }
    return Change(
        address=f"{release.module.id}.{service}",
        service=service,
        action=action,
        causes=(),
        before=before,
        after=before if action is Action.KEEP else None,
        destructive=action is Action.DELETE,
        reason=reason or "its module is gone",
    )


def _rollback(observation: Observation, current: Receipt) -> Rollback:
    gone = missing_for_return(observation, current)
    reason = f"gone from the host: {', '.join(gone)}" if gone else "the release that is removed is on the host"
    return Rollback(ready=not gone, to=current.source_sha, reason=reason)


def _left(release: Release, observation: Observation, current: Receipt) -> tuple[Bystander, ...]:
    """Return what stays on the host and belongs to no module then: volumes, the env file and delivered files."""
    volumes = (Bystander("volume", volume.name, "its data stays") for volume in observation.volumes)
    secrets = [release.module.env.file] if release.module.env.file else []
    return (
        *volumes,
        *(Bystander("file", path, "the operator's own, with values that stay") for path in secrets),
        *(Bystander("file", f.path, "it was delivered") for f in current.files if not is_own(f.path)),
    )
