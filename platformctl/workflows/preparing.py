"""Prepare a host before the first mutation: bytes, images and the way back (step 10 of docs/architecture.md)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from platformctl.drivers.interface import Driver
from platformctl.errors import PrepareFailed, StalePlan
from platformctl.model.command import Command, Completed
from platformctl.model.desired import Delivery, HostEntry, InputFile
from platformctl.model.events import Preparing
from platformctl.model.frozen import dataclass
from platformctl.model.names import RepoPath
from platformctl.model.observed import Container, FileSeen, Observation, ProjectSeen
from platformctl.model.plan import Operation, Place, PlannedFile, PlannedImage, Remove, Step, is_own
from platformctl.model.state import HostRecord
from platformctl.session import HostSession
from platformctl.store import host_files
from platformctl.store.host import HostLayout, read_answer
from platformctl.workflows.case import Case
from platformctl.workflows.parts import Parts

_BLOCK = 4096
"""Bytes of disk that a file may take beyond its own size."""


@dataclass(frozen=True)
class Preparation:
    """The commands that prepare a host.

    `staging` brings bytes and keeps the files they will replace; `keeping` names the previous images and asks for the
    containers. The `missing` images are pulled between the two.
    """

    staging: tuple[Command, ...]
    missing: tuple[PlannedImage, ...]
    keeping: Command

    @property
    def with_intent(self) -> tuple[Command, ...]:
        """What can be said after the intent, in one exchange with it."""
        return self.staging if self.missing else (*self.staging, self.keeping)


def preparation(case: Case, driver: Driver, observation: Observation, record: HostRecord) -> Preparation:
    """Return what step 10 needs.

    Raises `PrepareFailed` if the manifest allows no delivery and the host's copy does not match.
    """
    forward = _deliveries(case, lambda step: step.do)
    replaced = sorted({operation.path for operation in forward})
    _require_delivered(case, replaced, observation)
    wanted = {o.digest for o in (*forward, *_deliveries(case, lambda step: step.undo)) if isinstance(o, Place)}
    placed = {operation.digest for operation in forward if isinstance(operation, Place)}
    room = sum(len(file.content) + _BLOCK for file in case.release.files if file.digest in placed)
    contents = [f.content for f in case.release.files if f.digest in wanted or is_own(f.path)]
    layout = HostLayout(case.release.host.root)
    previous = [image.id for image in record.current.images] if record.current else []
    stage = host_files.stage(layout, (case.payload, *contents))
    return Preparation(
        staging=(stage, host_files.keep(layout, replaced, room)) if replaced else (stage,),
        missing=tuple(image for image in case.plan.images if image.id not in observation.image_ids),
        keeping=driver.keep(case.release, previous),
    )


def prepare(
    parts: Parts,
    case: Case,
    session: HostSession,
    driver: Driver,
    observation: Observation,
    needed: Preparation,
    answers: Sequence[Completed],
) -> ProjectSeen:
    """Bring bytes and images to the host, and keep the way back. Failing here touches nothing (`PrepareFailed`).

    `answers` came with the intent. Returns what there is before the first mutation: the containers as they are by now,
    and networks and volumes as in `observation`. Raises `StalePlan` (`changed`) if a file or container changed
    meanwhile.
    """
    host = case.release.host
    staged, *rest = answers
    read_answer(staged, host.name)
    if len(needed.staging) > 1:
        kept, *rest = rest
        _refuse_swapped(observation, host_files.read_kept(kept, host.name))
    for image in needed.missing:
        refuse_interrupted(parts)
        parts.tell(Preparing(f"image {image.ref}"))
        pull = replace(driver.fetch(image), timeout=host.timeouts.pull)
        _succeed(session.ask(pull), f"image {image.ref} can not be pulled", host)
        _succeed(session.ask(driver.has(image)), f"image {image.ref} is not the planned one", host)
    if needed.missing:
        rest = [session.ask(needed.keeping)]
    if driver.read_kept(rest[-1], host) == {container.id for container in observation.containers}:
        return ProjectSeen(observation.containers, observation.resources)
    containers = driver.read_watch(session.ask(driver.watch(case.release.module.runtime.project)), host)
    _refuse_replaced(observation, containers)
    return ProjectSeen(containers, observation.resources)


def refuse_interrupted(parts: Parts) -> None:
    """Raise `Interrupted` if somebody asked to stop: before the first mutation there is nothing to finish or undo."""
    kind = parts.interrupted()
    if kind is not None:
        raise kind("interrupted before anything was touched", hint="plan again, in case this plan was consumed")


def _refuse_swapped(observation: Observation, kept: Mapping[RepoPath, PlannedFile | None]) -> None:
    found = {path: file.digest if file else None for path, file in kept.items()}
    swapped = sorted(seen.path for seen in observation.files if found.get(seen.path, seen.digest) != seen.digest)
    if swapped:
        raise StalePlan("a file changed on the host meanwhile", detail=", ".join(swapped), reason="changed")


def _refuse_replaced(observation: Observation, containers: Sequence[Container]) -> None:
    """Raise `StalePlan` (`changed`) if the containers are not those that the plan was compared with.

    That may be a while ago: images were pulled since, or other plans applied.
    """
    was, now = ({c.id: c.service for c in each if not c.oneoff} for each in (observation.containers, containers))
    if was.keys() != now.keys():
        other = {service for ids in (was, now) for id_, service in ids.items() if (id_ in was) != (id_ in now)}
        raise StalePlan("a container changed on the host meanwhile", detail=", ".join(sorted(other)), reason="changed")


def _deliveries(case: Case, way: Callable[[Step], tuple[Operation, ...]]) -> tuple[Place | Remove, ...]:
    return tuple(o for step in case.plan.steps for o in way(step) if isinstance(o, Place | Remove))


def _require_delivered(case: Case, places: Sequence[RepoPath], observation: Observation) -> None:
    """Raise `PrepareFailed` if files would have to be written although the manifest says `delivery: verify`."""
    if case.release.module.delivery is Delivery.VERIFY and places:
        there = {file.path: file for file in observation.files}
        wanted = {file.path: file for file in case.release.files}
        named = ", ".join(_named(path, wanted.get(path), there.get(path)) for path in places)
        raise PrepareFailed(
            "the host's copy does not match",
            detail=f"{case.plan.host.name}: {named} (spec.delivery is verify)",
            hint=f"bring the host's checkout to commit {case.plan.source_sha}, then plan, or roll back, again",
            host=case.plan.host.name,
        )


def _named(path: RepoPath, wanted: InputFile | None, there: FileSeen | None) -> str:
    """Return a path, followed by both modes if only the mode differs: git shows no such difference in a checkout."""
    if wanted is None or there is None or there.mode is None or there.digest != wanted.digest:
        return str(path)
    return f"{path} has mode {there.mode:o} instead of {wanted.mode:o}"


def _succeed(done: Completed, summary: str, host: HostEntry) -> None:
    if done.status:
        hint = "look at the host, then plan again"
        raise PrepareFailed(summary, detail=done.complaint[-1000:], hint=hint, host=host.name)
