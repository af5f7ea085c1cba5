"""What must be on the host before the first mutation, and what must be seen after the last: steps 10 to 12."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from platformctl.applying.proof import Wish
from platformctl.applying.run import Apply
from platformctl.drivers.interface import Driver
from platformctl.errors import (
    PrepareFailed,
    Refusal,
    StalePlan,
)
from platformctl.model.command import Command
from platformctl.model.desired import Delivery, ModuleKind, Release, Strategy
from platformctl.model.events import Preparing
from platformctl.model.names import RepoPath, ServiceName
from platformctl.model.observed import Observation
from platformctl.model.plan import OWN_FOLDER, Action, Operation, Place, Plan, Remove, Step
from platformctl.model.secret import Secret
from platformctl.model.state import HostRecord, Receipt
from platformctl.session import HostSession
from platformctl.workflows.case import Case
from platformctl.workflows.desire import release_at
from platformctl.workflows.parts import Parts


def learn_secrets(parts: Parts, release: Release, session: HostSession) -> bool:
    """Read the values of env.file into memory, for the sink alone; False when that can not be done."""
    if release.module.env.file is None:
        return True
    answer = session.ask(Command(("cat", "--", f"{release.host.root}/{release.module.env.file}"), timeout=30))
    if answer.status or answer.truncated:
        return False
    parts.learn(Secret(value) for value in _values(answer.text))
    return True


_ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?[^\s=:#'"]+[ \t]*[=:][ \t]*(?:(["'])((?:\\.|(?!\1).)*)\1|([^\n]*))""",
    re.MULTILINE | re.DOTALL,
)


def _values(text: str) -> Iterator[str]:
    """Every value of an env file: as it stands, without its quotes, and without a comment behind it."""
    for _, quoted, bare in _ASSIGNMENT.findall(text):
        yield from filter(None, (quoted, bare.strip(), bare.partition(" #")[0].strip(), bare.strip(" \t'\"")))


def prepare(
    parts: Parts, case: Case, session: HostSession, driver: Driver, observation: Observation, record: HostRecord
) -> None:
    """Step 10: bytes and images are on the host, the way back too; failing here touches nothing (`PrepareFailed`)."""
    parts.tell(Preparing("files"))
    forward = _deliveries(case, lambda step: step.do)
    replaced = {operation.path for operation in forward}
    _require_delivered(case, replaced)
    wanted = {o.digest for o in (*forward, *_deliveries(case, lambda step: step.undo)) if isinstance(o, Place)}
    contents = [f.content for f in case.release.files if f.digest in wanted or f.path.startswith(OWN_FOLDER + "/")]
    kept = session.stage((case.payload, *contents), sorted(replaced))
    found = {path: file.digest if file else None for path, file in kept.items()}
    swapped = sorted(seen.path for seen in observation.files if found.get(seen.path, seen.digest) != seen.digest)
    if swapped:
        raise StalePlan("a file changed on the host meanwhile", detail=", ".join(swapped), reason="changed")
    for image in case.plan.images:
        if image.id not in observation.image_ids:
            parts.tell(Preparing(f"image {image.ref}"))
            _succeed(session, driver.fetch(image), f"image {image.ref} can not be pulled")
            _succeed(session, driver.has(image), f"image {image.ref} is not the planned one")
    previous = record.current
    if previous is not None:
        for run in driver.keep(case.release, {image.ref: image.id for image in previous.images}):
            _succeed(session, Command(run.argv, timeout=run.timeout), "a previous image can not be kept")


def _deliveries(case: Case, way: Callable[[Step], tuple[Operation, ...]]) -> tuple[Place | Remove, ...]:
    return tuple(o for step in case.plan.steps for o in way(step) if isinstance(o, Place | Remove))


def _require_delivered(case: Case, places: set[RepoPath]) -> None:
    """With `delivery: verify` nothing is written: the host's own copy must match already."""
    if case.release.module.delivery is Delivery.VERIFY and places:
        raise PrepareFailed(
            "the host's copy does not match",
            detail=f"{case.plan.host.name}: {', '.join(sorted(places))} (spec.delivery is verify)",
            hint="bring the host's checkout to the planned commit, then plan again",
            host=case.plan.host.name,
        )


def _succeed(session: HostSession, command: Command, summary: str) -> None:
    done = session.ask(command)
    if done.status:
        raise PrepareFailed(summary, detail=done.complaint[-1000:], hint="look at the host, then plan again")


def make_run(
    parts: Parts, case: Case, session: HostSession, driver: Driver, previous: Receipt | None, show_logs: bool
) -> Apply:
    """Steps 11 to 13, ready to begin."""
    module = case.release.module
    wish = Wish(
        entry=case.release.host,
        project=module.runtime.project,
        services=frozenset(case.plan.closure),
        one_shots=driver.one_shots(case.release),
        may_change=frozenset(case.plan.touched_services),
        images={c.service: str(c.after["image_id"]) for c in case.plan.changes if c.after},
        health=module.health,
        canary=module.canary,
        show_logs=show_logs,
    )
    back = _wish_for_nothing(wish, case.plan) if previous is None else _wish_for(parts, case, wish, driver, previous)
    interrupted: Callable[[], bool] = lambda: parts.interrupted() is not None  # noqa: E731
    return Apply(
        case.verified,
        wish,
        back,
        leave=module.rollback is Strategy.NONE or not case.plan.rollback.ready,
        hands=session,
        driver=driver,
        tell=parts.tell,
        clock=parts.clock,
        interrupted=interrupted,
    )


def _wish_for_nothing(wish: Wish, plan: Plan) -> Wish:
    """After the undo of a first deploy: what it created is gone, what was there runs as before."""
    created = frozenset(change.service for change in plan.changes if change.action is Action.CREATE)
    images = {str(c.service): str(c.before["image_id"]) for c in plan.changes if c.before}
    return replace(wish, services=wish.services - created, absent=created, images=images, canary=None)


def _wish_for(parts: Parts, case: Case, wish: Wish, driver: Driver, previous: Receipt) -> Wish:
    """After the undo of a later one: the previous release, as its receipt names it, by its own manifest's standards.

    A job is put back without being run again, so that nothing is asked of it.
    """
    services = frozenset(map(ServiceName, previous.closure))
    job = {case.release.module.runtime.compose_service} if case.release.module.kind is ModuleKind.JOB else set()
    back = replace(
        wish,
        services=services - job,
        absent=wish.services - services,
        images={c.service: str(c.image_id) for c in previous.containers},
        canary=None,
    )
    try:
        then = release_at(parts, case.roots, previous.source_sha, case.plan.module)
    except Refusal:
        return back  # this clone does not have that commit: health by today's standards, and no canary
    return replace(back, one_shots=driver.one_shots(then), health=then.module.health, canary=then.module.canary)
