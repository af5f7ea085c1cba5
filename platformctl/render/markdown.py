"""A report for a pull request or a step summary: the summary first, then one collapsed block for each module.

What others wrote stands only in code, where neither mark-up, nor HTML, nor a mention counts: in fences longer than any
run of backticks in them, and in `<code>` with every sign escaped that could end it. It is cleaned before it is escaped,
as a secret could not be recognised behind escapes. What does not fit is cut module by module, and says where the rest
is.
"""

import re
from collections.abc import Sequence
from itertools import accumulate

from platformctl.model.frozen import dataclass
from platformctl.model.reports import NotPlanned, PlannedModule, PlanReport, Report, ShowReport
from platformctl.redaction import Redactor
from platformctl.render import human, plans

LIMIT = 58_000
"""Characters of a text where nobody says how many there may be; forges refuse more than 65,536."""
MODULES = 50
"""How many blocks one text has; of further modules only the number is given."""
_NAME, _WORDS = 64, 128
_COLUMN_SIGNS = {"+": "+", "-": "-", "±": "!", "▸": "!", "~": "!", "!": "!", "✗": "-"}
_ESCAPED = {sign: f"&#{ord(sign)};" for sign in "&<>\"'@|`"} | {"\n": " "}


@dataclass(frozen=True)
class _Block:
    """One module: a line of HTML, the lines that open below it, and the command that shows all of it."""

    summary: str
    lines: tuple[str, ...]
    whole: str

    def within(self, room: int) -> str:
        """Return the block in at most `room` characters, or only its summary if that alone is longer."""
        kept = len(self.lines)
        while (text := self._text(kept)) and len(text) > room and kept:
            kept = max(0, kept - 1 - (len(text) - room) // (max(map(len, self.lines[:kept])) + 1))
        return text

    def _text(self, kept: int) -> str:
        body = _fenced(self.lines[:kept], "diff") if kept else ""
        left = len(self.lines) - kept
        rest = f"{left} more line{'s' * (left != 1)}: {self.whole}\n\n" if left else ""
        return f"<details>\n<summary>{self.summary}</summary>\n\n{body}{rest}</details>\n\n"


def render(report: Report, redactor: Redactor, limit: int = LIMIT) -> str:
    """The report as markdown, cleaned and safe to post, in at most `limit` characters."""
    return _text(report, redactor, limit).rstrip("\n") + "\n"


def _text(report: Report, redactor: Redactor, limit: int) -> str:
    match report:
        case PlanReport():
            return _plan(report, redactor, limit)
        case ShowReport():
            return _show(report, redactor, limit)
        case _:
            return _within(_cleaned(human.render(report), redactor), limit)


def _plan(report: PlanReport, redactor: Redactor, limit: int) -> str:
    changing = [planned for planned in report.plans if planned.plan.has_changes]
    alike = plans.told_together(report)
    blocks = [_failed(each, redactor) for each in report.failed]
    blocks += [_planned(p, redactor) for p in (report.plans if report.long else changing) if p not in alike]
    together = _within(_cleaned("\n".join(plans.upgrades(alike)), redactor), limit // 8) if alike else ""
    end = [f"! {warning}" for warning in report.warnings]
    if changing and not changing[0].plan.speculative:
        end.append(f"next: platformctl approve {report.index or changing[0].path or 'PLAN'}")
    tail = _within(_cleaned("\n".join(end), redactor), limit // 4) if end else ""
    return _joined(f"**{human.plan_summary(report)}**\n\n{together}", blocks, tail, limit)


def _show(report: ShowReport, redactor: Redactor, limit: int) -> str:
    tail = _within(_cleaned("\n".join(human.verify(report.verification)), redactor), limit // 4)
    return _joined(f"**Plan: {plans.counts(report.plan.plan)}**\n\n", [_planned(report.plan, redactor)], tail, limit)


def _planned(planned: PlannedModule, redactor: Redactor) -> _Block:
    this = planned.plan
    told = ", ".join([plans.counts(this), *map(str.lower, plans.marks(this))])
    names = (_code(this.module, redactor), _code(this.host.name, redactor))
    lines = _cleaned("\n".join(human.lines_of(plans.lines(planned, long=False))), redactor)
    whole = f"platformctl show {planned.path or planned.digest}"
    return _Block(f"{names[0]} on {names[1]}: {told}", tuple(map(_in_columns, lines)), _code(whole, redactor, _WORDS))


def _failed(failed: NotPlanned, redactor: Redactor) -> _Block:
    lines = _cleaned("\n".join(human.lines_of(human.error(failed.error))), redactor)
    name = _code(failed.module, redactor)
    whole = _code(f"platformctl plan {failed.module}", redactor, _WORDS)
    return _Block(f"✗ {name}: no plan ({failed.error.exit_code.name})", tuple(map(_in_columns, lines)), whole)


def _joined(head: str, blocks: Sequence[_Block], tail: str, limit: int) -> str:
    """All blocks whole where they fit; else each as much as its fair share of the room."""
    left = len(blocks) - MODULES
    more = f"{left} more module{'s' * (left != 1)} not shown here: see the plans themselves\n\n" if left > 0 else ""
    shown = blocks[:MODULES]
    room = limit - len(head) - len(more) - len(tail)
    shares = _shares([len(block.within(limit)) for block in shown], room)
    return head + "".join(b.within(share) for b, share in zip(shown, shares, strict=True)) + more + tail


def _shares(sizes: Sequence[int], room: int) -> list[int]:
    """Return how much of the room each gets: small ones what they need, the others equal parts of the rest."""
    shares = [0] * len(sizes)
    for done, index in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        shares[index] = min(sizes[index], room // (len(sizes) - done))
        room -= shares[index]
    return shares


def _cleaned(text: str, redactor: Redactor) -> tuple[str, ...]:
    return tuple(redactor.clean(text).splitlines())


def _within(lines: Sequence[str], room: int) -> str:
    """Return a fence around as many lines as there is room for."""
    kept = len(lines)
    while kept and len(_fenced(lines[:kept])) > room - 40:
        kept = kept * 3 // 4
    left = len(lines) - kept
    return _fenced(lines[:kept]) + (f"{left} more line{'s' * (left != 1)} not shown here\n" if left else "")


def _fenced(lines: Sequence[str], language: str = "") -> str:
    text = "\n".join(lines)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}\n\n"


def _code(value: str, redactor: Redactor, longest: int = _NAME) -> str:
    """Return a value as code in a line of HTML."""
    signs = [_ESCAPED.get(sign, sign) for sign in redactor.clean(value)]
    kept = sum(length <= longest for length in accumulate(map(len, signs)))
    return f"<code>{''.join(signs[:kept])}{'…' if kept < len(signs) else ''}</code>"


def _in_columns(line: str) -> str:
    """Return a line as `diff` colours it: with its sign, or one that diff knows for it, in the first column.

    A line of a text has its sign at one place. Whatever else it begins with is a part of the text, which stays.
    """
    if line.startswith(plans.BEFORE_TEXT):
        text = line.removeprefix(plans.BEFORE_TEXT)
        return f"{text[:1]}{plans.BEFORE_TEXT[2:]}{text[1:]}" if text[:1] in ("+", "-", " ") else line
    line = line.removeprefix("  ")
    bare = line.lstrip()
    sign = _COLUMN_SIGNS.get(bare[:1])
    return f"  {line}" if sign is None else f"{sign}{line[: len(line) - len(bare)]}{bare[1:]}"
