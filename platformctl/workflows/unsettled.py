"""What became of an apply whose end nobody saw, told by comparing what runs with its plan. It only asks."""

from collections.abc import Iterable, Mapping, Set
from contextlib import suppress

from platformctl.errors import InvalidInput, Locked, Refusal
from platformctl.model.command import Command
from platformctl.model.desired import HostEntry, Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, RepoPath, ServiceName
from platformctl.model.observed import Container
from platformctl.model.plan import Action, Operation, Place, Plan, PlannedFile, Remove, Run
from platformctl.model.policy import TrustRoots
from platformctl.session import HostSession
from platformctl.store.host import HostLayout
from platformctl.store.journal import Journal
from platformctl.store.placed import placed, read_placed
from platformctl.trust.plan_codec import decode_plan
from platformctl.workflows.desire import commit_of, planned_release
from platformctl.workflows.parts import Parts
from platformctl.workflows.signed import read_envelope

_OTHER = PlannedFile(RepoPath.parse("other"), Digest.of(b""), 0)
"""Stands for what is no file, or can not be read: it equals nothing that a plan leaves."""


def applied_plan(parts: Parts, session: HostSession, entry: HostEntry, digest: Digest) -> Plan | None:
    """Return the plan that was applied, from the host or this clone; None if neither has it.

    It is believed because its digest is the journal's.
    """
    answer = session.ask(Command(("cat", "--", HostLayout(entry.root).blob(digest)), timeout=30))
    if answer.status == 0 and Digest.of(answer.stdout) == digest:
        return decode_plan(answer.stdout)
    for path in sorted((parts.platform / "plans").glob("*.json")):
        with suppress(Refusal):
            sealed = read_envelope(path)
            if sealed.digest == digest:
                return decode_plan(sealed.payload)
    return None


def what_became(
    parts: Parts, roots: TrustRoots, session: HostSession, entry: HostEntry, plan: Plan | None, journal: Journal
) -> tuple[str, str]:
    """Compare the containers and files on the host with the plan: all of it, none, or something between.

    Returns `applied`, `not_applied` or `needs_person`, and why. If containers look the same before and after, files or
    the journal decide. Raises what `_release` raises, rather than look at somebody else's containers.
    """
    if not journal.begun:
        return "not_applied", "no step had begun"
    if plan is None:
        return "needs_person", "the plan is neither here nor on the host; compare by hand with platformctl status"
    release = _release(parts, roots, plan)
    driver = parts.driver_of(release.module)
    containers = driver.read_watch(session.ask(driver.watch(release.module.runtime.project)), entry)
    now, files = _now(containers, driver.one_shots(release)), _files(session, entry, plan)
    known = (change for change in plan.changes if change.after or change.action is Action.DELETE)
    seen = _Sight(
        unlike_planned=tuple(c.service for c in known if _side(c.after) != now.get(c.service, set())),
        unlike_before=tuple(c.service for c in plan.changes if _side(c.before) != now.get(c.service, set())),
        missing=_other_than(files, (each for step in plan.steps for each in step.do)),
        changed=_other_than(files, (each for step in plan.steps for each in step.undo)),
    )
    events = frozenset((r.detail.get("event", ""), r.detail.get("complaint", "")) for r in journal.records)
    return _outcome(seen, events, only_files=not plan.touched_services)


@dataclass(frozen=True)
class _Sight:
    """What differs on the host from what was planned, and from what was before.

    `unlike_planned` and `unlike_before` are services; `missing` are the files that are not as planned, `changed` those
    that are not as before.
    """

    unlike_planned: tuple[ServiceName, ...]
    unlike_before: tuple[ServiceName, ...]
    missing: tuple[RepoPath, ...]
    changed: tuple[RepoPath, ...]

    @property
    def after(self) -> bool:
        """Whether containers are as planned; they can be as before at the same time."""
        return not self.unlike_planned

    @property
    def before(self) -> bool:
        """Whether containers are as before."""
        return not self.unlike_before


def _outcome(seen: _Sight, events: Set[tuple[str, str]], *, only_files: bool) -> tuple[str, str]:
    """Return the outcome by what is seen and, where that is the same before and after, by the journal."""
    undoing, undone = any(event == "undo" for event, _ in events), ("undone", "") in events
    done = ("done", "") in events and not undoing
    if seen.after and not seen.missing and (not seen.before or done or only_files):
        return "applied", "every service is as planned"
    not_begun = seen.missing and not undoing  # files are placed before containers change
    if seen.before and not seen.changed and (not seen.after or undone or not_begun):
        return "not_applied", "every service runs as before"
    return "needs_person", f"{_between(seen)}; platformctl plan shows the difference"


def _between(seen: _Sight) -> str:
    """Return, for people, what is neither as planned nor as before."""
    if seen.before and seen.changed:
        return f"every service runs as before, but not every file is: {', '.join(seen.changed)}"
    if seen.after and seen.missing:
        return f"every service is as planned, but not every file is: {', '.join(seen.missing)}"
    if seen.before and seen.after:
        return "containers are as planned, but they may be those of before"
    return f"not as planned: {', '.join(seen.unlike_planned)}; not as before: {', '.join(seen.unlike_before)}"


def _files(session: HostSession, entry: HostEntry, plan: Plan) -> Mapping[RepoPath, PlannedFile | None]:
    """Return what lies now where the plan brings files or takes them away."""
    paths = [each.path for step in plan.steps for each in step.do if not isinstance(each, Run)]
    there: dict[RepoPath, PlannedFile | None] = dict.fromkeys(paths, _OTHER)
    for question in placed(HostLayout(entry.root), paths):
        there.update(read_placed(session.ask(question), entry.name))
    return there


def _other_than(there: Mapping[RepoPath, PlannedFile | None], operations: Iterable[Operation]) -> tuple[RepoPath, ...]:
    """Return the paths that are not as the last of these operations on each leaves them."""
    left: dict[RepoPath, PlannedFile | None] = {}
    for each in operations:
        match each:
            case Place(path=path, digest=digest, mode=mode):
                left[path] = PlannedFile(path, digest, mode)
            case Remove(path=path):
                left[path] = None
            case Run():
                pass
    return tuple(path for path, now in there.items() if now != left.get(path, now))


def _release(parts: Parts, roots: TrustRoots, plan: Plan) -> Release:
    """Return the release that the plan brings or takes away: its containers are meant, and some of them may end.

    Raises `Locked` (`unsettled`) if this clone does not have its commit.
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
    """Return image and config hash of every container, by service.

    One that neither runs nor was meant to end and ended well has its state too, and so is like no planned one.
    """
    now: dict[str, set[tuple[object, ...]]] = {}
    for each in containers:
        ended_well = each.service in one_shots and each.state == "exited" and each.exit_code == 0
        state = () if each.running or ended_well else (each.state,)
        if not each.oneoff:
            now.setdefault(each.service, set()).add((each.image_id, each.config_hash, *state))
    return now


def _side(side: Mapping[str, object] | None) -> set[tuple[object, ...]]:
    return {(side["image_id"], side["config_hash"])} if side else set()
