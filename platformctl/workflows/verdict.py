"""What became of an apply whose end nobody saw: what runs is compared with what its plan says. It only asks."""

from collections.abc import Iterable, Mapping, Set
from contextlib import suppress

from platformctl.errors import InvalidInput, Locked, Refusal
from platformctl.model.command import Command
from platformctl.model.desired import HostEntry, Release, TrustRoots
from platformctl.model.names import Digest, ServiceName
from platformctl.model.observed import Container
from platformctl.model.plan import Action, Plan
from platformctl.session import HostSession
from platformctl.store.host import HostLayout
from platformctl.store.journal import Journal
from platformctl.trust.plan_codec import decode_plan
from platformctl.workflows.desire import commit_of, planned_release
from platformctl.workflows.parts import Parts
from platformctl.workflows.signed import read_envelope


def planned(parts: Parts, session: HostSession, entry: HostEntry, digest: Digest) -> Plan | None:
    """The plan that was applied, from the host or this clone; believed because its digest is the journal's."""
    answer = session.ask(Command(("cat", "--", HostLayout(entry.root).blob(digest)), timeout=30))
    if answer.status == 0 and Digest.of(answer.stdout) == digest:
        return decode_plan(answer.stdout)
    for path in sorted((parts.platform / "plans").glob("*.json")):
        with suppress(Refusal):
            sealed = read_envelope(path)
            if sealed.digest == digest:
                return decode_plan(sealed.payload)
    return None


def judge(
    parts: Parts, roots: TrustRoots, session: HostSession, entry: HostEntry, plan: Plan | None, journal: Journal
) -> tuple[str, str]:
    """Compare what runs with what was planned: all of it, none of it, or something between.

    Where only files differ, containers look the same before and after: then the journal alone can tell. Raises what
    `_release` raises: nobody else's containers are looked at instead.
    """
    events = [(record.detail.get("event"), record.detail.get("complaint")) for record in journal.records]
    if not journal.begun:
        return "not_applied", "no step had begun"
    if plan is None:
        return "needs_person", "the plan is neither here nor on the host; compare by hand with platformctl status"
    release = _release(parts, roots, plan)
    driver = parts.driver_of(release.module)
    containers = driver.read_watch(session.ask(driver.watch(release.module.runtime.project)), entry)
    now = _now(containers, driver.one_shots(release))
    known = (change for change in plan.changes if change.after or change.action is Action.DELETE)
    after = all(_side(change.after) == now.get(change.service, set()) for change in known)
    before = all(_side(change.before) == now.get(change.service, set()) for change in plan.changes)
    done, undone = ("done", "") in events, ("undone", "") in events
    if after and (not before or (done and not undone)):
        return "applied", "every service is as planned"
    if before and (not after or undone):
        return "not_applied", "every service runs as before"
    if before and after:
        return (
            "needs_person",
            "containers are as planned, their files may not be; platformctl plan shows the difference",
        )
    return "needs_person", "some services are as planned and some are not; platformctl plan shows the difference"


def _release(parts: Parts, roots: TrustRoots, plan: Plan) -> Release:
    """The release that the plan brings or takes away: it says which containers are meant, and which of them may end.

    Raises `Locked` (`unsettled`) where this clone does not have its commit.
    """
    for commit in (plan.source_sha, commit_of(plan)):
        try:
            parts.repository.resolve(commit)
        except InvalidInput as missing:
            raise Locked(
                "an apply can not be settled from this clone",
                detail=f"{plan.host.name}: {plan.module}: this clone lacks commit {commit}",
                hint="git fetch, then platformctl recover",
                reason="unsettled",
                host=plan.host.name,
            ) from missing
    return planned_release(parts, roots, plan.source_sha, plan)


def _now(containers: Iterable[Container], one_shots: Set[ServiceName]) -> Mapping[str, set[tuple[object, ...]]]:
    """What there is of each service. One that does not run, nor was to end and ended well, is like no planned one."""
    now: dict[str, set[tuple[object, ...]]] = {}
    for each in containers:
        ended_well = each.service in one_shots and each.state == "exited" and each.exit_code == 0
        state = () if each.running or ended_well else (each.state,)
        if not each.oneoff:
            now.setdefault(each.service, set()).add((each.image_id, each.config_hash, *state))
    return now


def _side(side: Mapping[str, object] | None) -> set[tuple[object, ...]]:
    return {(side["image_id"], side["config_hash"])} if side else set()
