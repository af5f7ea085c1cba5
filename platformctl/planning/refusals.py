"""Reasons on a host not to plan a release: an apply would fail, or touch what belongs to others."""

from collections.abc import Iterable, Mapping

from platformctl.drivers.interface import Driver
from platformctl.errors import PolicyViolation
from platformctl.model.desired import Release
from platformctl.model.finding import LINKED_MOUNT, SHARED_VOLUME
from platformctl.model.names import ServiceName
from platformctl.model.observed import Observation
from platformctl.model.plan import Action, Change, Plan


def refuse_taken_names(release: Release, observation: Observation, changes: Iterable[Change]) -> None:
    """Raise `PolicyViolation` when another container has the name of one that the plan makes.

    It may have been made by hand, in another project, or for a service that had another name.
    """
    made = (change.service for change in changes if change.action in (Action.CREATE, Action.RECREATE))
    wanted = {name: service for service in made for name in release.container_names(service)}
    there = (c for c in observation.containers if not (c.config_hash and c.service == wanted.get(c.name)))
    taken = sorted({*observation.taken, *(container.name for container in there)} & wanted.keys())
    if taken:
        raise PolicyViolation(
            "another container has the name of one of ours",
            detail=", ".join(f"{release.host.name}: {name} (service {wanted[name]})" for name in taken),
            hint="rename or remove it on the host: docker rename, docker rm",
            reason="name-taken",
            host=release.host.name,
        )


def refuse_obstacles(
    release: Release, observation: Observation, driver: Driver, changes: Iterable[Change], *, ran_before: bool
) -> None:
    """Raise `PolicyViolation` for what would keep the host from bringing the release up.

    A plan that touches no container brings nothing up, and meets no obstacle. What `ran_before` on the host does not
    need a newer engine.
    """
    if not any(change.action.touches_container for change in changes):
        return
    _refuse_absent(release, observation, driver)
    _refuse_unreadable(release, observation, driver)
    if not ran_before:
        _refuse_beyond_engine(release, observation, driver)


def _refuse_absent(release: Release, observation: Observation, driver: Driver) -> None:
    """Raise `PolicyViolation` when an external network or volume does not exist."""
    absent = driver.absent(release, observation)
    if absent:
        raise PolicyViolation(
            "a network or volume that is not ours to make is not there",
            detail=f"{release.host.name}: {', '.join(absent)} (external in {release.module.runtime.compose_file})",
            hint="apply first what makes it, or make it on the host: docker network create, docker volume create",
            reason="external-missing",
            file=release.module.runtime.compose_file,
            host=release.host.name,
        )


def _refuse_unreadable(release: Release, observation: Observation, driver: Driver) -> None:
    """Raise `PolicyViolation` when an env file that the host's Compose reads is missing.

    It may read those of all services of the file.
    """
    missing = driver.unreadable(release, observation)
    if missing:
        raise PolicyViolation(
            "an env file of another service is not on the host",
            detail=f"{release.host.name}: {', '.join(missing)}: its Compose reads those of all services of the file",
            hint="apply first the module that brings it, or write `required: false` beside its path",
            reason="env-file-missing",
            file=release.module.runtime.compose_file,
            host=release.host.name,
        )


def _refuse_beyond_engine(release: Release, observation: Observation, driver: Driver) -> None:
    """Raise `PolicyViolation` when the host's engine does not know a setting: it would ignore or refuse it."""
    found = driver.beyond_engine(release, observation)
    if found:
        raise PolicyViolation(
            "the host's engine does not know what the file asks for",
            detail="\n".join(found),
            hint="upgrade Docker Engine on the host, or take the setting out of the file",
            reason="engine-too-old",
            file=release.module.runtime.compose_file,
            host=release.host.name,
        )


def refuse_contradictions(release: Release, observation: Observation, driver: Driver) -> None:
    """Raise `PolicyViolation` when a network or volume exists with another definition than the release has."""
    found = driver.contradictions(release, observation)
    if found:
        raise PolicyViolation(
            "a network or volume is there with another definition",
            detail="\n".join(f"{release.host.name}: {each}" for each in found),
            hint="declare it by another key in the compose file, or remove the one that is there by hand",
            reason="other-definition",
            file=release.module.runtime.compose_file,
            host=release.host.name,
        )


def refuse_linked(release: Release, observation: Observation) -> None:
    """Raise `PolicyViolation` when a mounted path is a link on the host or lies below one.

    A container that can write to a folder could leave a link there, and a later release would mount what it leads to.
    """
    if observation.linked:
        raise PolicyViolation(
            "a mounted path is a link on the host",
            detail=f"{release.host.name}: {', '.join(observation.linked)}: what it leads to was not judged",
            hint=f"look where it leads; mount that path itself, or waive {LINKED_MOUNT} for {release.module.id}",
            reason=LINKED_MOUNT,
            file=release.module.runtime.compose_file,
            host=release.host.name,
        )


def refuse_leading_out(release: Release, observation: Observation, driver: Driver) -> None:
    """Raise `PolicyViolation` when a volume that may be another project's leads to the host's own files."""
    found = driver.leading_out(release, observation)
    if found:
        raise PolicyViolation(
            "a volume leads to what policy did not judge",
            detail=f"{release.host.name}: {', '.join(sorted(found))}: made elsewhere, with options of its own",
            hint=f"mount a volume of this project, or waive {SHARED_VOLUME} for {release.module.id}",
            reason=SHARED_VOLUME,
            file=release.module.runtime.compose_file,
            host=release.host.name,
        )


def refuse_foreign(plan: Plan, owners: Mapping[ServiceName, str], done: frozenset[ServiceName]) -> None:
    """Raise `PolicyViolation` when the plan would change a service that another module names.

    One-shots in `done` run again with every `up` of a service that waits for them; that is not counted as a change.
    """
    again = {change.service for change in plan.changes if change.action is Action.START} & done
    changed = (c.service for c in plan.changes if c.action is not Action.KEEP and c.service not in again)
    foreign = {name: owners[name] for name in changed if owners.get(name, plan.module) != plan.module}
    if foreign:
        told = ", ".join(f"{service} (of module {owner})" for service, owner in foreign.items())
        raise PolicyViolation(
            "the plan would change another module's service",
            detail=f"module {plan.module} would also change {told}",
            hint=f"apply that one first: platformctl plan {min(foreign.values())}",
            host=plan.host.name,
        )
