"""Success is observed: containers, their health for as long as it must hold, their images, and the canary."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from platformctl.applying.clock import Clock
from platformctl.applying.hands import Hands
from platformctl.drivers.interface import Driver
from platformctl.errors import OutcomeUnknown, Refusal
from platformctl.model.desired import Canary, Health, HostEntry
from platformctl.model.events import Event, HealthSeen, Watching
from platformctl.model.observed import Container
from platformctl.model.result import CanaryResult, ContainerHealth, Proof

PAUSE = 0.5
"""Seconds between two looks at the containers."""

INTERRUPTED = "interrupted"
"""The reason when somebody asked to stop: it says nothing against a release."""

_WAITING = "waiting"


@dataclass(frozen=True)
class Wish:
    """What must be seen for a verdict: `services` that run, or ended well, and `absent` ones without a container.

    `images` are image ids by service; `may_change` are the services whose containers were planned to change;
    `show_logs` is False when the values of env.file could not be read, as then nothing could be taken out of a log.
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
    show_logs: bool = True


@dataclass(frozen=True)
class _Before:
    """A container as it was at the first look after the steps: what it may not go beyond."""

    restarts: int
    started_at: str


def prove(
    wish: Wish,
    before: Sequence[Container],
    *,
    hands: Hands,
    driver: Driver,
    tell: Callable[[Event], None],
    clock: Clock,
    interrupted: Callable[[], bool],
) -> Proof:
    """Watch until everything held for `stable_for` or something failed, then ask the canary."""
    tell(Watching("health", wish.health.timeout))
    look = _looker(wish, hands, driver)
    verdicts, containers = _settle(wish, look, tell, clock, interrupted)
    healthy = all(verdict.healthy for verdict in verdicts)
    shown = tuple(v if v.healthy else _with_log(v, wish, containers, hands, driver) for v in verdicts)
    return Proof(
        containers=containers,
        health=shown,
        canary=_canary(wish, tell, clock) if healthy else CanaryResult.not_run("not healthy"),
        unplanned=unplanned(wish, before, containers),
        wrong_images=_wrong_images(wish, containers),
    )


def _looker(wish: Wish, hands: Hands, driver: Driver) -> Callable[[], tuple[Container, ...]]:
    return lambda: driver.read_watch(hands.ask(driver.watch(wish.project)), wish.entry)


def _settle(
    wish: Wish,
    look: Callable[[], tuple[Container, ...]],
    tell: Callable[[Event], None],
    clock: Clock,
    interrupted: Callable[[], bool],
) -> tuple[tuple[ContainerHealth, ...], tuple[Container, ...]]:
    """Look again and again: a failure or an ended wait is final, health only after it held for `stable_for`."""
    deadline = clock.monotonic() + wish.health.timeout
    containers = look()
    first = {c.id: _Before(0 if c.service in wish.may_change else c.restarts, c.started_at) for c in containers}
    good_since: float | None = None
    told: HealthSeen | None = None
    while True:
        now = clock.monotonic()
        verdicts = _verdicts(wish, containers, first)
        if (seen := HealthSeen(tuple(f"{v.service} {v.state}" for v in verdicts))) != told:
            tell(told := seen)
        if any(_is_final(verdict) for verdict in verdicts):
            return verdicts, containers
        if not all(verdict.healthy for verdict in verdicts):
            good_since = None
        elif good_since is None:
            good_since = now
        if good_since is not None and now - good_since >= _hold(wish):
            return verdicts, containers
        if now >= deadline and good_since is None:
            return tuple(v if v.healthy else replace(v, reason=f"{v.reason} in time") for v in verdicts), containers
        if interrupted():
            return tuple(replace(v, healthy=False, reason=INTERRUPTED) for v in verdicts), containers
        clock.wait(PAUSE)
        containers = look()


def _hold(wish: Wish) -> int:
    """One-shots have nothing to hold."""
    return 0 if wish.services <= wish.one_shots else wish.health.stable_for


def _verdicts(wish: Wish, containers: Sequence[Container], first: Mapping[str, _Before]) -> tuple[ContainerHealth, ...]:
    left = sorted({c.service: c.id for c in containers if c.service in wish.absent and not c.oneoff}.items())
    return (
        *(_judge(wish, service, containers, first) for service in sorted(wish.services)),
        *(ContainerHealth(service, id_, "left", healthy=False, reason="is still there") for service, id_ in left),
    )


def _is_final(verdict: ContainerHealth) -> bool:
    """Whether more waiting can not make it better."""
    return not verdict.healthy and verdict.state != _WAITING


def _judge(wish: Wish, service: str, containers: Sequence[Container], first: Mapping[str, _Before]) -> ContainerHealth:
    """The worst of the service's containers speaks for it."""
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
        return verdict  # its last words are worth less than the way back
    return replace(verdict, log=(answer.text + answer.complaint)[-4096:])


def _canary(wish: Wish, tell: Callable[[Event], None], clock: Clock) -> CanaryResult:
    if wish.canary is None:
        return CanaryResult.not_run("none is declared")
    from platformctl.applying import canary  # with it come http.client and ssl, which most applies do without

    return canary.ask(wish.canary, local=wish.entry.transport == "local", tell=tell, clock=clock)


def unplanned(wish: Wish, before: Sequence[Container], after: Sequence[Container]) -> tuple[str, ...]:
    """Services of the project that were not to change and whose containers are not the ones that were there.

    One-off containers (`docker compose run`) are nothing that an apply makes or replaces.
    """
    was, now = ({c.id: c.service for c in containers if not c.oneoff} for containers in (before, after))
    changed = {service for mapping in (was, now) for id_, service in mapping.items() if (id_ in was) != (id_ in now)}
    return tuple(sorted(changed - wish.may_change))


def _wrong_images(wish: Wish, containers: Sequence[Container]) -> tuple[str, ...]:
    mine = (c for c in containers if c.service in wish.images and not c.oneoff)
    return tuple(sorted({c.service for c in mine if c.image_id != wish.images[c.service]}))
