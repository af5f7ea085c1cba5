"""The door of YAML: what comes in as values, with lines, and what is refused, with a line and a way out."""

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from platformctl.errors import InvalidInput
from platformctl.manifests.yaml_events import Limits
from platformctl.manifests.yaml_text import COMPOSE_LIMITS, Document, parse


def compose(text: str) -> Document:
    return parse(text.encode(), "compose.yaml", limits=COMPOSE_LIMITS, as_compose=True)


def refusal(text: bytes | str, **options: object) -> InvalidInput:
    raw = text.encode() if isinstance(text, str) else text
    with pytest.raises(InvalidInput) as caught:
        parse(raw, "module.yaml", **options)  # type: ignore[arg-type]
    assert caught.value.file == "module.yaml"
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("22:22", "22:22"),
        ("010", 10),
        ("0o10", 8),
        ("0x1f", 31),
        ("-3", -3),
        ("1_000", "1_000"),
        ("2027-01-31", "2027-01-31"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("'true'", "true"),
        ("null", None),
        ("~", None),
        ("", None),
        ("# only a comment", None),
        ("---\na: 1\n...\n", {"a": 1}),
        ("a: []\nb: {}\r\n", {"a": [], "b": {}}),
        ("<<", "<<"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    assert parse(text.encode(), "f").value == value


@pytest.mark.parametrize(("text", "value"), [("010", 8), ("-026", -22), ("08", 8), ("0o26", 22), ("'026'", "026")])
def test_a_compose_file_has_the_octals_that_compose_reads(text: str, value: object) -> None:
    assert compose(text).value == value


def test_every_path_has_the_line_of_its_key_or_item() -> None:
    # given
    text = b"# comment\na:\n  b:\n    - one\n    - two\n  c: |\n    text\n    more\nd: {e: 1,\n  f: 2}\n"
    # when
    document = parse(text, "f")
    # then
    assert document.lines == {"": 2, "a": 2, "a.b": 3, "a.b.0": 4, "a.b.1": 5, "a.c": 6, "d": 9, "d.e": 9, "d.f": 10}


def test_a_path_that_is_not_there_has_the_line_of_what_contains_it() -> None:
    document = parse(b"a: 1\nb:\n  c: 1\n", "f")
    assert (document.line_of("b.d.e"), document.line_of("z")) == (2, 1)


@pytest.mark.parametrize(
    ("text", "summary", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "a key is written twice", 3),
        ("a: 1\n'a': 3\n", "a key is written twice", 2),
        ("a:\n\tb: 1\n", "a tab is used for indentation", 2),
        ("a: [1\nb: 2", "the file is not valid YAML", 2),
        ("a: 1\n---\nb: 2\n", "the file holds more than one document", 2),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "YAML tags are not allowed", 2),
        ("a: !!str 22\n", "YAML tags are not allowed", 1),
        ("!k a: 1\n", "YAML tags are not allowed", 1),
        ("a: 1\nb: !reset null\n", "!reset is not supported", 2),
        ("a: 1\nb: !override [1]\n", "!override is not supported", 2),
        ("%YAML 1.1\n---\na: 1\n", "YAML directives are not allowed", 1),
        ("%TAG ! tag:evil,2000:\n---\na: 1\n", "YAML directives are not allowed", 1),
        ("a: &x 1\n", "anchors and aliases are not allowed here", 1),
        ("a: *x\n", "anchors and aliases are not allowed here", 1),
        ("a: 1\n<<: {b: 2}\n", "merge keys are not allowed here", 2),
        ("1: a\n", "a key is not text", 1),
        ("true: a\n", "a key is not text", 1),
        ("? [a, b]\n: c\n", "a key is not text", 1),
        ("a: .inf\n", "a number is out of range", 1),
        ("a: .nan\n", "a number is out of range", 1),
        ("a: 1e999\n", "a number is out of range", 1),
        ("a: " + "9" * 5000, "a number is out of range", 1),
        ("\ufeffa: 1\n", "the file holds a character that can not be seen", 1),
        ("a: 1\nb: 2 # \u2028c: 3\n", "the file holds a character that can not be seen", 2),
        ("a: 1 # \u0085b: 2\n", "the file holds a character that can not be seen", 1),
        ("a: '\u202e1'\n", "the file holds a character that can not be seen", 1),
        ("a: 1\rb: 2\n", "the file holds a character that can not be seen", 1),
        ("a: 1\n\x1b[31m\n", "the file holds a character that can not be seen", 2),
        ("a: 1\n\0\n", "the file holds a character that can not be seen", 2),
        ('a: "\\0"\n', "a value holds a NUL character", 1),
        ("[" * 100, "the file is nested too deeply", 1),
        ("a: 1\n" + "- " * 100, "the file is not valid YAML", 2),
    ],
)
def test_what_a_reviewer_could_not_see_or_mean_is_refused_with_its_line(text: str, summary: str, line: int) -> None:
    error = refusal(text)
    assert (error.summary, error.line) == (summary, line)


def test_a_duplicate_key_names_both_lines() -> None:
    error = refusal("a: 1\nspec: 2\nspec: 3\n")
    assert error.line == 3
    assert error.detail == "the key spec is already on line 2"


def test_bytes_that_are_not_utf_8_are_refused_with_their_line() -> None:
    error = refusal(b"a: 1\nb: caf\xe9\n")
    assert (error.summary, error.line) == ("the file is not UTF-8", 2)


def test_a_message_never_repeats_a_value() -> None:
    error = refusal("password: hunter2: hunter3\n")
    assert "hunter" not in f"{error.summary}{error.detail}{error.hint}"


def test_merge_keys_follow_the_merge_rule() -> None:
    # given a written key, an earlier and a later source
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 0\nd: {<<: *b, <<x: 1}\n"
    # when
    value = compose(text).value
    # then written keys win over merged ones, earlier sources over later ones
    assert value["c"] == {"x": 0, "y": 1, "z": 2}
    assert value["d"] == {"y": 2, "z": 2, "<<x": 1}


def test_a_merge_of_a_merge_brings_what_that_one_brought() -> None:
    text = "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n"
    assert compose(text).value["c"] == {"x": 1, "y": 2}


def test_a_quoted_merge_key_is_a_key_like_others() -> None:
    assert compose("a: {'<<': {x: 1}}\n").value == {"a": {"<<": {"x": 1}}}


def test_what_an_alias_brings_in_has_the_line_where_it_was_written() -> None:
    document = compose("a: &a\n  x: 1\nb: *a\nc:\n  <<: *a\n")
    assert (document.lines["b"], document.lines["b.x"], document.lines["c.x"]) == (3, 2, 2)


def test_an_alias_is_a_value_of_its_own() -> None:
    # given
    value = compose("a: &a [1]\nb: *a\n").value
    # when
    value["a"].append(2)
    # then
    assert value["b"] == [1]


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("a: *b\n", "an alias stands for nothing"),
        ("a: &a [*a]\n", "an alias stands for nothing"),
        ("a: &a 1\nb: &a [*a]\n", "an alias stands for nothing"),
        ("a: &a 1\nb: {<<: *a}\n", "a merge key needs mappings"),
        ("a: {<<: [{x: 1}, [y]]}\n", "a merge key needs mappings"),
        ("a: {<<: {x: 1}, <<: {y: 1}}\n", "a key is written twice"),
    ],
)
def test_aliases_and_merges_without_a_meaning_are_refused(text: str, summary: str) -> None:
    with pytest.raises(InvalidInput, match=summary):
        compose(text)


def test_limits_hold_at_their_edge() -> None:
    limits = Limits(size=100, depth=2, nodes=4, aliases=0)
    assert parse(b"[[], 1, 2]", "f", limits=limits).value == [[], 1, 2]
    assert refusal("[[], 1, 2, 3]", limits=limits).summary == "the file holds too many values"
    assert refusal("[[[[]]]]", limits=limits).summary == "the file is nested too deeply"
    assert refusal("#" * 101, limits=limits).summary == "the file is too large"


def outcome(text: bytes) -> str:
    """Whether bytes gave a value with its lines, or a refusal; anything else is raised."""
    try:
        document = parse(text, "f", limits=COMPOSE_LIMITS, as_compose=True)
    except InvalidInput as error:
        return f"refused in {error.file}"
    return "value" if document.lines[""] else "no line"


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b'a: "\\ud800"')
@example("a: \ufffe".encode())
@example(b"a: !<tag:yaml.org,2002:int> x")
@example(b"? ")
def test_no_bytes_bring_anything_but_a_value_or_a_refusal(text: bytes) -> None:
    assert outcome(text) in ("value", "refused in f")


@given(st.text(alphabet="ab:-[]{}&*<>|?!%#'\"\\ \n\t,0.~", max_size=60))
def test_no_text_of_yaml_s_own_signs_brings_anything_but_a_value_or_a_refusal(text: str) -> None:
    assert outcome(text.encode()) in ("value", "refused in f")


def test_without_libyaml_nothing_is_read() -> None:
    # given a PyYAML whose C half is missing
    program = (
        "import sys; sys.modules['yaml._yaml'] = None\n"
        "from platformctl.manifests.yaml_text import parse\n"
        "from platformctl.errors import ToolError\n"
        "try: parse(b'a: 1', 'f')\n"
        "except ToolError as error: print(error.summary)\n"
    )
    # when
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    # then
    assert told.stdout == "PyYAML was built without libyaml\n"
