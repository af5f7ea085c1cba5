"""From causes to actions: what happens to each service, and what a recreated service does to the others."""

from collections.abc import Mapping

from platformctl.drivers.interface import Driver
from platformctl.model.desired import FileChange, Release
from platformctl.model.names import ServiceName
from platformctl.model.observed import Observation
from platformctl.model.plan import Action, Cause, is_seen_by_compose
from platformctl.planning.causes import environment_differs, files_differ, inlined_configs
from platformctl.planning.drifted import hash_differs
from platformctl.planning.wanted import Wanted


def spread(wanted: Wanted, causes: dict[ServiceName, tuple[Cause, ...]]) -> None:
    """Add to `causes` what follows from the other services' actions.

    Services that are recreated with another one get `DEPENDENCY`. When any container is touched, `up` runs, and with it
    one-shots run again: those that nothing else touches get `UNHEALTHY`.
    """
    for service in wanted.release.closure:
        for dependent in _dragged(wanted, service, causes[service]):
            if wanted.is_none(dependent):
                continue
            if Cause.MISSING not in causes[dependent] and Cause.DEPENDENCY not in causes[dependent]:
                causes[dependent] = (*causes[dependent], Cause.DEPENDENCY)
    if any(action_of(wanted, *each).touches_container for each in causes.items()):
        for service in wanted.driver.one_shots(wanted.release) & set(wanted.release.closure):
            if not wanted.is_none(service) and not action_of(wanted, service, causes[service]).touches_container:
                causes[service] = (*causes[service], Cause.UNHEALTHY)


def _dragged(wanted: Wanted, service: ServiceName, causes: tuple[Cause, ...]) -> tuple[ServiceName, ...]:
    """Return the services that are recreated with `service`; none unless it is recreated or created.

    Those that need it are, if Compose does that, and those that borrow from it always, even when it is new.
    """
    if action_of(wanted, service, causes) not in (Action.RECREATE, Action.CREATE):
        return ()
    with_it = (name for name, action in _dependents(wanted, service, causes).items() if action is Action.RECREATE)
    return (*with_it, *wanted.driver.borrowers(wanted.release, service))


def _dependents(wanted: Wanted, service: ServiceName, causes: tuple[Cause, ...]) -> Mapping[ServiceName, Action]:
    """Return what Compose does to services that need `service` when it recreates it by itself.

    Empty where Compose does not see the causes and is forced to recreate the service.
    """
    differs = hash_differs(wanted, service, wanted.observation.of(service))
    if action_of(wanted, service, causes) is Action.RECREATE and is_seen_by_compose(causes, hash_differs=differs):
        return wanted.driver.dependents(wanted.release, service, wanted.observation.identity.compose_version)
    return {}


def started_again(wanted: Wanted, causes: Mapping[ServiceName, tuple[Cause, ...]]) -> frozenset[ServiceName]:
    """Return the services that are only stopped and started again because one they need is recreated."""
    asked = (_dependents(wanted, service, causes[service]).items() for service in wanted.release.closure)
    started = {name for each in asked for name, action in each if action is Action.START and not wanted.is_none(name)}
    return frozenset(name for name in started if not action_of(wanted, name, causes[name]).touches_container)


def action_of(wanted: Wanted, service: ServiceName, causes: tuple[Cause, ...]) -> Action:
    """Return the action that its causes mean for a service."""
    if wanted.is_none(service):
        return Action.DELETE if causes else Action.KEEP
    asking = tuple(cause for cause in causes if cause is not Cause.FILE_CONTENT or _needs_new(wanted, service))
    if not asking:
        return Action.UPDATE if causes else Action.KEEP
    if Cause.MISSING in asking:
        return Action.CREATE
    return Action.START if set(asking) <= {Cause.UNHEALTHY, Cause.NEW_VOLUME} else Action.RECREATE


def _needs_new(wanted: Wanted, service: ServiceName) -> bool:
    """Whether changed files need a new container of the service.

    With `on_file_change: ignore` only env files and inlined configs do.
    """
    if environment_differs(wanted, service) or inlined_configs(wanted, service):
        return True
    return wanted.release.module.on_file_change is not FileChange.IGNORE and files_differ(wanted, service)


def done(release: Release, observation: Observation, driver: Driver) -> frozenset[ServiceName]:
    """Return the one-shots of the closure whose containers ended with status 0.

    They run again only because `up` runs, unless something differs. One that an undo put back without running it has
    not ended.
    """
    one_shots = driver.one_shots(release).intersection(release.closure)
    ended = {each: {(c.state, c.exit_code) for c in observation.of(each)} for each in one_shots}
    return frozenset(each for each, states in ended.items() if states == {("exited", 0)})
