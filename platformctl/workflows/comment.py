"""Say below a pull request what would change: one comment per host, edited in place, stale once a push makes it so.

Our comments are found by a hidden marker, and only among those that our own token wrote: anybody can write a marker.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from platformctl.errors import EXIT_CODES, Usage
from platformctl.forges.interface import Forge
from platformctl.model.forge import ForgeComment, PullRequest
from platformctl.model.frozen import dataclass
from platformctl.model.names import GitSha
from platformctl.model.plan import INDEX_PAYLOAD_TYPE
from platformctl.model.reports import NoteReport, PlannedModule, PlanReport, Report
from platformctl.trust.index import decode_index
from platformctl.workflows.parts import Parts
from platformctl.workflows.result_file import ResultFile, read_result_file
from platformctl.workflows.signed import planned_module, read_envelope, read_plan

LIMIT = 60_000
"""The most characters that we put into a comment; forges refuse more than 65,536."""
_WORDS = 200
"""The most characters of a text, such as a reason, that is quoted above a plan."""
_MARKER = re.compile(r"<!-- platformctl host=([a-z0-9-]{1,63}) commit=([0-9a-f]{40}) -->\r?\n")

Show = Callable[[Report, int], str]
"""A report as text that may be posted, in at most so many characters."""


@dataclass(frozen=True)
class CommentRequest:
    """The pull request to comment on, the plans, and what came of applying them (`--result-file`), if known."""

    number: int
    plans: tuple[Path, ...]
    results: tuple[Path, ...] = ()


def comment(parts: Parts, forge: Forge, request: CommentRequest, show: Show) -> NoteReport:
    """Post or edit the comment of each host that the plans are for, and mark those of older commits as stale."""
    results = [read_result_file(path) for path in request.results]
    by_host: dict[str, list[PlannedModule]] = {}
    for each in _read(parts, request.plans):
        by_host.setdefault(each.plan.host.name, []).append(each)
    there = forge.pull_request(request.number)
    mine = _mine(forge, request.number)
    done = {}
    for host, plans in sorted(by_host.items()):
        body = _body(host, plans, results, there, show)
        done[host] = _put(forge, request.number, mine.pop(host, None), body)
    for host, old in sorted(mine.items()):
        done[host] = _outdate(forge, host, old, there)
    return NoteReport(message=f"✓ #{request.number}: {len(done)} comments looked after", details=done)


def _read(parts: Parts, paths: Iterable[Path]) -> Iterator[PlannedModule]:
    """Yield each plan once, whether it is named itself or listed by an index that lies beside it."""
    seen = set()
    for path in (single for each in paths for single in _singles(each)):
        found = planned_module(read_plan(parts, path))
        if found.digest not in seen:
            seen.add(found.digest)
            yield found


def _singles(path: Path) -> tuple[Path, ...]:
    sealed = read_envelope(path)
    if sealed.payload_type != INDEX_PAYLOAD_TYPE:
        return (path,)
    return tuple(path.parent / Path(entry.path).name for entry in decode_index(sealed.payload).plans)


def _mine(forge: Forge, number: int) -> dict[str, ForgeComment]:
    """Return our comments by host; where a host has several, the oldest, in whatever order the forge lists them."""
    me = forge.myself()
    found: dict[str, ForgeComment] = {}
    for each in _oldest_first(forge.comments(number)):
        marker = _MARKER.match(each.body)
        if marker is not None and each.author == me:
            found.setdefault(marker[1], each)
    return found


def _oldest_first(comments: Iterable[ForgeComment]) -> list[ForgeComment]:
    """Every forge numbers comments as they come."""
    return sorted(comments, key=lambda each: each.id)


def _put(forge: Forge, number: int, old: ForgeComment | None, body: str) -> str:
    if old is None:
        forge.post_comment(number, body)
        return "posted"
    if old.body == body:
        return "unchanged"
    forge.edit_comment(old.id, body)
    return "edited"


def _outdate(forge: Forge, host: str, old: ForgeComment, there: PullRequest) -> str:
    """Replace a comment of an older commit by a note that it is stale.

    Nothing of its plan is kept: nobody is to read that as what would happen.
    """
    marker = _MARKER.match(old.body)
    commit = marker[2] if marker else ""
    if commit in (there.head, there.merge_commit):
        return "unchanged"
    left = f"**Stale**: the plan was made for `{commit[:12]}`. At `{there.head[:12]}` there is none for this host.\n"
    return _put(forge, there.number, old, _head(host, GitSha(commit)) + left)


def _head(host: str, commit: GitSha) -> str:
    return f"<!-- platformctl host={host} commit={commit} -->\n### platformctl: `{host}`\n\n"


def _body(host: str, plans: list[PlannedModule], results: list[ResultFile], there: PullRequest, show: Show) -> str:
    commit = plans[0].plan.source_sha
    stale = next((each.plan.source_sha for each in plans if not _is_of(each, there)), None)
    head = _head(host, stale or commit)
    if stale is not None:
        head += f"**Stale**: made for `{stale[:12]}`, and the pull request is at `{there.head[:12]}`.\n\n"
    digests = {each.digest for each in plans}
    about = [each for each in results if host in each.hosts or each.plan_digest in digests]
    if about:
        head += show(_told(about[-1]), LIMIT // 4) + "\n"
    return head + show(PlanReport(plans=tuple(plans), complete=False), LIMIT - len(head))


def _is_of(planned: PlannedModule, there: PullRequest) -> bool:
    return planned.plan.source_sha in (there.head, there.merge_commit)


def _told(result: ResultFile) -> NoteReport:
    code = result.code
    details = {
        "exit": f"{int(code)} {code.name}: {EXIT_CODES[code].meaning}",
        "host touched": result.mutated,
        "canary": result.canary or "",
        "reason": result.reason,
        "plan": result.plan_digest or "",
    }
    sign = "✓" if result.is_good else "✗"
    return NoteReport(
        message=_cut(f"{sign} {result.command}: {result.outcome}"),
        details={name: _cut(text) for name, text in details.items() if text},
    )


def _cut(text: str) -> str:
    return text if len(text) <= _WORDS else f"{text[:_WORDS]}…"


def note(forge: Forge, title: str, text: str) -> NoteReport:
    """Write `text` into the one open issue with that title that we opened; open one if there is none.

    The text stands in a comment that is edited in place. Raises `Usage` for a text that is longer than a comment may
    be.
    """
    body = f"{_NOTE}\n{text}"
    if len(body) > LIMIT:
        raise Usage("the text is longer than a comment may be", detail=f"{len(text)} characters", hint="cut it")
    me = forge.myself()
    known = [issue.number for issue in forge.issues_by(me) if issue.title == title and issue.author == me]
    number = min(known) if known else forge.open_issue(title, _OPENED)
    ours = (each for each in forge.comments(number) if each.author == me and each.body.startswith(_NOTE))
    mine = _oldest_first(ours)
    done = _put(forge, number, mine[0] if mine else None, body)
    return NoteReport(message=f"✓ #{number}: {done}", details={} if known else {"opened": title})


_NOTE = "<!-- platformctl note -->"
_OPENED = "platformctl opened this issue. What it found last stands in the comment below, which it keeps up to date.\n"
