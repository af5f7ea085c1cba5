"""What must be seen after the last step of a plan, and after its undo: steps 11 to 13 of docs/architecture.md."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from platformctl.applying.proof import Wish
from platformctl.applying.run import Apply
from platformctl.drivers.interface import Driver
from platformctl.errors import Refusal
from platformctl.model.command import Command
from platformctl.model.desired import ModuleKind, Release, Strategy
from platformctl.model.names import ServiceName
from platformctl.model.plan import Action, Plan
from platformctl.model.secret import Secret
from platformctl.model.state import Receipt
from platformctl.session import HostSession
from platformctl.workflows.case import Case
from platformctl.workflows.desire import release_at
from platformctl.workflows.parts import Parts


def learn_secrets(parts: Parts, release: Release, session: HostSession) -> bool:
    """Teach the sink the values of the host's env file, kept in memory only; return False if that fails."""
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


_VARIABLE = re.compile(r"\$\{\w+(?::?[-+?])?|\}|\$\w+")
"""What Compose replaces by another value or by a default."""


def _values(text: str) -> Iterator[str]:
    """Yield every value of an env file: as it stands, without its quotes, and without a comment after it.

    What stands around variables in it is yielded too.
    """
    for _, quoted, bare in _ASSIGNMENT.findall(text):
        whole = (quoted, bare.strip(), bare.partition(" #")[0].strip(), bare.strip(" \t'\""))
        yield from filter(None, (*whole, quoted.replace("\\t", "\t"), *_VARIABLE.split(quoted or bare.strip())))


def make_run(
    parts: Parts, case: Case, session: HostSession, driver: Driver, previous: Receipt | None, show_logs: bool
) -> Apply:
    """Return the run of a plan and its undo, ready to begin: steps 11 to 13.

    `previous` is the receipt of the release that the undo brings back, None for a first apply.
    """
    module = case.release.module
    wish = replace(wish_of(case.release, case.plan, driver), show_logs=show_logs)

    def back() -> Wish:
        if previous is None:
            return _wish_for_nothing(wish, case.plan)
        return _wish_for(parts, case, wish, driver, previous)

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


def wish_of(release: Release, plan: Plan, driver: Driver) -> Wish:
    """Return what must be seen when a plan for `release` was carried out."""
    none = frozenset(name for name in release.closure if release.compose.services[name].replicas == 0)
    wish = Wish(
        entry=release.host,
        project=release.module.runtime.project,
        services=frozenset(plan.closure) - none,
        absent=none,
        one_shots=driver.one_shots(release),
        may_change=frozenset(plan.touched_services),
        images={c.service: str(c.after["image_id"]) for c in plan.changes if c.after},
        health=release.module.health,
        canary=release.canary,
        may_come=driver.makes(release),
    )
    if release.gone:
        removed = frozenset(change.service for change in plan.changes if change.action is Action.DELETE)
        wish = replace(wish, services=frozenset(), absent=removed, canary=None, may_come=frozenset())
    return wish


def _wish_for_nothing(wish: Wish, plan: Plan) -> Wish:
    """After the undo of a first apply: what it created is gone, what was there runs as before."""
    created = frozenset(change.service for change in plan.changes if change.action is Action.CREATE)
    images = {str(c.service): str(c.before["image_id"]) for c in plan.changes if c.before}
    return replace(wish, services=wish.services - created, absent=created, images=images, canary=None)


def _wish_for(parts: Parts, case: Case, wish: Wish, driver: Driver, previous: Receipt) -> Wish:
    """Return what must be seen after the undo of a later apply: the previous release, as its receipt names it.

    It is judged by its own manifest's standards. A job is put back without being run again, so nothing is asked of it.
    What had no container then has none, and what stays has the image it has now.
    """
    services = frozenset(map(ServiceName, previous.closure)).intersection(c.service for c in previous.containers)
    stays = {change.service for change in case.plan.changes if change.keeps_container}
    job = {case.release.module.runtime.compose_service} if case.release.module.kind is ModuleKind.JOB else set()
    back = replace(
        wish,
        services=services - job,
        absent=wish.services - services,
        images={c.service: str(c.image_id) for c in previous.containers if c.service not in stays}
        | {service: image for service, image in wish.images.items() if service in services & stays},
        canary=None,
    )
    try:
        then = release_at(parts, case.roots, previous.source_sha, case.plan.module)
    except Refusal:
        return back  # this clone does not have that commit: health by today's standards, and no canary
    return replace(
        back,
        one_shots=driver.one_shots(then),
        health=then.module.health,
        canary=then.canary,
        may_come=wish.may_come | driver.makes(then),
    )
