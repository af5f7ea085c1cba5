"""What a pull request tries with the comment that shows its plan: speak for us, call people, hide, load a picture.

A plan is full of words from modules and hosts. The comment is read as a forge would read it, by a parser of CommonMark
that lets HTML through, and then nothing of theirs may stand outside of code.
"""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from platformctl.model import plan as model
from platformctl.model.names import ModuleId
from platformctl.model.reports import NotPlanned, PlannedModule, PlanReport
from platformctl.model.secret import Secret
from platformctl.redaction import Redactor
from platformctl.render import markdown
from tests.contracts.reports import REPORTS, report
from tests.trust.workshop import a_change, a_plan, some_digest

MARK = "PWNED"
WORDS = {
    "ends a fence": f"```\n{MARK}\n```",
    "ends a longer fence": f"a\n``````````\n{MARK}",
    "ends a fence of tildes": f"~~~\n{MARK}",
    "ends the block": f"</code></summary></details>\n\n{MARK}",
    "ends a span": f"` `` {MARK} ``` ` @all",
    "calls people": f"@everyone {MARK}",
    "calls people by entity": f"&#64;everyone {MARK} &commat;all",
    "a picture": f'<img src="https://example.org/?{MARK}">',
    "a script": f"<script>{MARK}</script>",
    "a link": f"[{MARK}](https://example.org)",
    "a hidden marker": f"<!-- {MARK} -->",
    "a heading": f"\n\n# {MARK}\n\n",
    "a table": f"\n| {MARK} | b |\n|---|---|\n| c | d |\n",
    "a verdict": f"\n\n**Plan: 0 to change** {MARK}\n",
    "a blank line": f"\n\n    \n{MARK}",
    "a line separator": f"a\u2028\u2028# {MARK}",
    "a carriage return": f"a\r\r# {MARK}\r```\r",
    "an escape": f"\\` \\< \\@ {MARK}",
}
OURS = {"p", "strong", "details", "summary", "code", "pre", "br"}


class Read(HTMLParser):
    """What a forge makes of a comment: every tag with its attributes, and the text that is in no code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[tuple[str, str | None]] = set()
        self.text = ""
        self._in_code = 0
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(attrs)
        self._in_code += tag in ("code", "pre")

    def handle_endtag(self, tag: str) -> None:
        self._in_code -= tag in ("code", "pre")

    def handle_comment(self, data: str) -> None:
        self.tags.append("!--")

    def handle_data(self, data: str) -> None:
        self.text += "" if self._in_code else data


def is_harmless(text: str) -> bool:
    read = Read(text)
    return set(read.tags) <= OURS and read.attributes <= {("class", "language-diff")} and "@" not in read.text


@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("words", WORDS)
def test_words_of_others_stand_in_code_alone(kind: str, words: str) -> None:
    text = markdown.render(report(kind, WORDS[words]), Redactor())

    assert is_harmless(text)
    assert MARK not in Read(text).text


@given(st.text(alphabet="`~|<>@&#*_[]()!-=\\/\"'\n\r\t aA1:\u2028\x1b", max_size=60))
def test_no_mixture_of_signs_gets_out_of_code(words: str) -> None:
    assert is_harmless(markdown.render(report("Plan", words), Redactor()))
    assert is_harmless(markdown.render(report("Show", words), Redactor()))


def test_the_watch_for_what_is_not_in_code_sees_it() -> None:
    seen = Read(f"<summary>{WORDS['calls people']}</summary>\n\n{WORDS['a picture']}\n\n{WORDS['a hidden marker']}")

    assert MARK in seen.text
    assert "@" in seen.text
    assert {"img", "!--"} <= set(seen.tags)


def test_a_secret_is_found_before_its_signs_are_escaped() -> None:
    secret = "p@ss|w<rd`s"
    text = markdown.render(report("Plan", f"x {secret} y"), Redactor([Secret(secret)]))

    assert secret not in text
    assert "p&#64;ss" not in text
    assert "[redacted]" in text


# --- length ---------------------------------------------------------------------------------------


def planned(name: str, services: int, words: str = "it differs") -> PlannedModule:
    changes = tuple(replace(a_change(f"s{number}", model.Action.RECREATE), reason=words) for number in range(services))
    plan = a_plan(module=ModuleId(name), changes=changes)
    return PlannedModule(name, some_digest(name), f".platform/plans/{name}.json", True, plan, {})


def test_everything_is_shown_while_there_is_room() -> None:
    text = markdown.render(PlanReport(plans=(planned("big", 200), planned("small", 1))), Redactor())

    assert text.count("recreate s") == 201
    assert "more line" not in text


def test_a_module_that_is_too_long_is_cut_alone_and_says_where_the_rest_is() -> None:
    text = markdown.render(PlanReport(plans=(planned("big", 3000), planned("small", 5))), Redactor())

    assert len(text) <= markdown.LIMIT
    assert "more lines: <code>platformctl show .platform/plans/big.json</code>" in text
    assert "platformctl show .platform/plans/small.json" not in text
    assert "recreate s4 " in text.rpartition("<details>")[2]
    assert len(text) > markdown.LIMIT * 0.9


def test_of_more_modules_than_anybody_reads_the_number_is_told() -> None:
    text = markdown.render(PlanReport(plans=tuple(planned(f"m{number}", 1) for number in range(73))), Redactor())

    assert text.count("<details>") == markdown.MODULES
    assert "23 more modules not shown here" in text


@pytest.mark.parametrize("words", ["`" * 5000, "@" * 5000, "<&>" * 3000, "a\n" * 1000, "x" * 9000])
@pytest.mark.parametrize("limit", [markdown.LIMIT, 44_000])
def test_no_words_make_a_comment_that_a_forge_refuses(words: str, limit: int) -> None:
    plans = tuple(replace(planned(f"m{number}", 3, words), path=words) for number in range(60))
    failed = tuple(replace(report("Plan", words).failed[0], module=words) for _ in range(9))
    this = PlanReport(plans=plans, failed=failed, warnings=(words,) * 9, index=words)
    text = markdown.render(this, Redactor(), limit)

    assert isinstance(failed[0], NotPlanned)
    assert len(text) <= limit
    assert is_harmless(text)
    assert text.count("<details>") == text.count("</details>") == markdown.MODULES


@pytest.mark.parametrize("kind", REPORTS)
def test_no_report_is_longer_than_a_forge_takes(kind: str) -> None:
    assert len(markdown.render(report(kind, "word\n" * 15_000), Redactor())) <= markdown.LIMIT
