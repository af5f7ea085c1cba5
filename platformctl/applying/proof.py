"""Observe whether an apply worked: containers, their health for as long as it must hold, images, and the canary."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from platformctl.applying.clock import Clock
from platformctl.applying.hands import Hands
from platformctl.drivers.interface import Driver
from platformctl.errors import OutcomeUnknown, Refusal
from platformctl.model.command import Command, Completed
from platformctl.model.desired import Canary, Health, HostEntry
from platformctl.model.events import Event, HealthSeen, Watching
from platformctl.model.frozen import dataclass
from platformctl.model.observed import Container, ProjectSeen
from platformctl.model.result import CanaryResult, ContainerHealth, Proof

PAUSE = 0.5
"""Seconds between two looks at the containers."""

INTERRUPTED = "interrupted"
"""The reason when somebody asked to stop: it says nothing against a release."""

_WAITING = "waiting"


@dataclass(frozen=True)
class Wish:
    """What must be seen: `services` that run, or ended well, and `absent` ones without a container.

    `images` are image ids by service; `may_change` are the services whose containers were planned to change, `may_come`
    the networks and volumes that may be made, named as in a `ProjectSeen`. `show_logs` is False when the values of
    env.file could not be read, as then nothing could be taken out of a log.
    """

    entry: HostEntry
    project: str
    services: frozenset[str]
    one_shots: frozenset[str]
    may_change: frozenset[str]
    images: Mapping[str, str]
    health: Health
    canary: Canary | None
    absent: frozenset[str] = frozenset()
    may_come: frozenset[str] = frozenset()
    show_logs: bool = True


@dataclass(frozen=True)
class _Before:
    """A container at the first look after the steps: more restarts or a later start count as a restart."""

    restarts: int
    started_at: str


def prove(
    wish: Wish,
    before: ProjectSeen,
    *,
    hands: Hands,
    driver: Driver,
    tell: Callable[[Event], None],
    clock: Clock,
    interrupted: Callable[[], bool],
    first: Completed | None = None,
) -> Proof:
    """Watch until everything held for `stable_for` or something failed, then ask the canary.

    `first` is the answer to `first_look`, if that was asked already.
    """
    tell(Watching("health", wish.health.timeout))
    look = _looker(wish, hands, driver, first)
    verdicts, containers, whole = _settle(wish, look, tell, clock, interrupted)
    healthy = all(verdict.healthy for verdict in verdicts)
    shown = tuple(v if v.healthy else _with_log(v, wish, containers, hands, driver) for v in verdicts)
    return Proof(
        containers=containers,
        health=shown,
        canary=_canary(wish, tell, clock, interrupted) if healthy else CanaryResult.not_run("not healthy"),
        unplanned=unplanned(wish, before, whole or see_whole(wish, hands, driver)),
        wrong_images=_wrong_images(wish, containers),
    )


def first_look(wish: Wish, driver: Driver) -> Command:
    """Return the question to ask once the last step is over."""
    return _look(wish, driver, whole=_hold(wish) <= 0)


def see_whole(wish: Wish, hands: Hands, driver: Driver) -> ProjectSeen:
    """Return what there is of the project now: containers, networks and volumes."""
    return driver.read_whole(hands.ask(driver.watch_whole(wish.project)), wish.entry)


_Seen = tuple[tuple[Container, ...], ProjectSeen | None]
"""Containers and, if networks and volumes were asked for too, the whole project."""


def _looker(wish: Wish, hands: Hands, driver: Driver, first: Completed | None) -> Callable[[bool], _Seen]:
    asked = [first] if first is not None else []

    def look(whole: bool) -> _Seen:
        answer = asked.pop() if asked else hands.ask(_look(wish, driver, whole=whole))
        if whole:
            seen = driver.read_whole(answer, wish.entry)
            return seen.containers, seen
        return driver.read_watch(answer, wish.entry), None

    return look


def _look(wish: Wish, driver: Driver, *, whole: bool) -> Command:
    return driver.watch_whole(wish.project) if whole else driver.watch(wish.project)


def _settle(
    wish: Wish,
    look: Callable[[bool], _Seen],
    tell: Callable[[Event], None],
    clock: Clock,
    interrupted: Callable[[], bool],
) -> tuple[tuple[ContainerHealth, ...], tuple[Container, ...], ProjectSeen | None]:
    """Look until a failure, the end of the wait, or health that held for `stable_for`.

    The look that may be the last one of a healthy apply asks for networks and volumes too, so that nothing more has to
    be asked after it.
    """
    deadline = clock.monotonic() + wish.health.timeout
    first: Mapping[str, _Before] | None = None
    good_since: float | None = None
    told: HealthSeen | None = None
    while True:
        now = clock.monotonic()
        held = now - (now if good_since is None else good_since) >= _hold(wish)
        containers, whole = look(held)
        if first is None:
            first = {c.id: _as_it_was(wish, c) for c in containers}
        verdicts = _verdicts(wish, containers, first)
        if (seen := HealthSeen(tuple(f"{v.service} {v.state}" for v in verdicts))) != told:
            tell(told := seen)
        if any(_is_final(verdict) for verdict in verdicts):
            return verdicts, containers, whole
        if not all(verdict.healthy for verdict in verdicts):
            good_since = None
        elif held:
            return verdicts, containers, whole
        elif good_since is None:
            good_since = now
        if now >= deadline and good_since is None:
            verdicts = tuple(v if v.healthy else replace(v, reason=f"{v.reason} in time") for v in verdicts)
            return verdicts, containers, whole
        if interrupted():
            return tuple(replace(v, healthy=False, reason=INTERRUPTED) for v in verdicts), containers, whole
        clock.wait(PAUSE)


def _as_it_was(wish: Wish, container: Container) -> _Before:
    return _Before(0 if container.service in wish.may_change else container.restarts, container.started_at)


def _hold(wish: Wish) -> int:
    """Return for how many seconds health must hold; one-shots have nothing to hold."""
    return 0 if wish.services <= wish.one_shots else wish.health.stable_for


def _verdicts(wish: Wish, containers: Sequence[Container], first: Mapping[str, _Before]) -> tuple[ContainerHealth, ...]:
    left = sorted({c.service: c.id for c in containers if c.service in wish.absent and not c.oneoff}.items())
    return (
        *(_judge(wish, service, containers, first) for service in sorted(wish.services)),
        *(ContainerHealth(service, id_, "left", healthy=False, reason="is still there") for service, id_ in left),
    )


def _is_final(verdict: ContainerHealth) -> bool:
    """Return whether more waiting can not make it better."""
    return not verdict.healthy and verdict.state != _WAITING


def _judge(wish: Wish, service: str, containers: Sequence[Container], first: Mapping[str, _Before]) -> ContainerHealth:
    """Return the health of a service: that of the worst of its containers."""
    mine = [c for c in containers if c.service == service and not c.oneoff]
    if not mine:
        return ContainerHealth(service, "", "missing", healthy=False, reason="has no container")
    verdicts = [_judge_one(c, c.service in wish.one_shots, first.get(c.id)) for c in mine]
    return max(verdicts, key=lambda verdict: (_is_final(verdict), not verdict.healthy))


def _judge_one(container: Container, one_shot: bool, before: _Before | None) -> ContainerHealth:
    def verdict(state: str, reason: str) -> ContainerHealth:
        return ContainerHealth(container.service, container.id, state, healthy=not reason, reason=reason)

    if before is None:
        return verdict("replaced", "was replaced by another container")
    if container.restarts > before.restarts or container.state == "restarting":
        return verdict("restarting", "was restarted")
    if container.state == "exited":
        done = one_shot and container.exit_code == 0
        return verdict("exited", "" if done else f"exited with status {container.exit_code}")
    if container.state != "running":
        return verdict(container.state, f"is {container.state}")
    if one_shot:
        return verdict(_WAITING, "did not end")
    if container.started_at != before.started_at:
        return verdict("restarting", "was restarted")
    if container.health == "unhealthy":
        return verdict("unhealthy", "is unhealthy")
    return verdict(_WAITING, "did not become healthy") if container.health == "starting" else verdict("running", "")


def _with_log(
    verdict: ContainerHealth, wish: Wish, containers: Sequence[Container], hands: Hands, driver: Driver
) -> ContainerHealth:
    container = next((c for c in containers if c.id == verdict.container), None)
    if container is None or not wish.show_logs:
        return verdict
    try:
        answer = hands.ask(driver.logs(container))
    except (Refusal, OutcomeUnknown):
        return verdict  # a log is worth less than the way back, which is still to come
    return replace(verdict, log=(answer.text + answer.complaint)[-4096:])


def _canary(wish: Wish, tell: Callable[[Event], None], clock: Clock, interrupted: Callable[[], bool]) -> CanaryResult:
    if wish.canary is None:
        return CanaryResult.not_run("none is declared")
    from platformctl.applying import canary  # it imports http.client and ssl, which most applies do without

    local = wish.entry.transport == "local"
    return canary.ask(wish.canary, local=local, tell=tell, clock=clock, interrupted=interrupted)


def unplanned(wish: Wish, before: ProjectSeen, after: ProjectSeen) -> tuple[str, ...]:
    """Return what changed in the project without being planned: services by their containers, and resources.

    One-off containers (`docker compose run`) do not count: no apply makes or replaces one. A network with the same name
    and another id is another network.
    """
    was, now = ({c.id: c.service for c in seen.containers if not c.oneoff} for seen in (before, after))
    changed = {service for mapping in (was, now) for id_, service in mapping.items() if (id_ in was) != (id_ in now)}
    had, has = before.resources, after.resources
    come = has.keys() - had.keys() - wish.may_come
    others = {name for name, id_ in had.items() if has.get(name) != id_}
    return tuple(sorted({*(changed - wish.may_change), *come, *others}))


def _wrong_images(wish: Wish, containers: Sequence[Container]) -> tuple[str, ...]:
    mine = (c for c in containers if c.service in wish.images and not c.oneoff)
    return tuple(sorted({c.service for c in mine if c.image_id != wish.images[c.service]}))
