"""Somebody who may propose a manifest wants the reader to run, hang, grow, crash or show something else than it reads.

Work is bounded by counting: a process may use this much memory and CPU time, whatever the machine's speed.
"""

import subprocess
import sys

import pytest

from platformctl.errors import InvalidInput
from platformctl.manifests.load import InvalidManifest, read_module
from platformctl.manifests.yaml_text import COMPOSE_LIMITS, MANIFEST_LIMITS, parse
from platformctl.model.names import RepoPath

PATH = RepoPath("modules/web/module.yaml")
MEBIBYTE = 1 << 20
ROOM = COMPOSE_LIMITS.size

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {k0: x}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [" + ", ".join([f"*a{n - 1}"] * 8) + f"]\n  k{n}: x\n" for n in range(1, 25)
)
WIDE_MERGES = (
    "a: &a {" + ", ".join(f"k{n}: x" for n in range(2000)) + "}\n" + "".join(f"b{n}: {{<<: *a}}\n" for n in range(1900))
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 1900))

HOSTILE = {
    "billion laughs": LAUGHS,
    "merge-key bomb": MERGES,
    "many wide merges": WIDE_MERGES,
    "a chain of aliases": CHAIN,
    "open brackets": "[" * 100_000,
    "open braces": "{" * 100_000,
    "open braces with keys": "{a: " * 100_000,
    "dashes": "- " * 100_000,
    "question marks": "? " * 100_000,
    "nested by indentation": "".join(" " * n + f"k{n}:\n" for n in range(1800)),
    "many small values": "[" + ",".join(["[]"] * (ROOM // 4)) + "]",
    "many keys": "".join(f"k{n}: x\n" for n in range(ROOM // 12)),
    "many anchors": "".join(f"- &a{n} x\n" for n in range(ROOM // 14)),
    "one long plain scalar": "a: " + "x" * (ROOM - 10),
    "one long number": "a: " + "9" * (ROOM - 10),
    "one long hexadecimal number": "a: 0x" + "f" * (ROOM - 10),
    "almost a number": "a: " + "1" * (ROOM - 11) + "e",
    "one long quoted scalar": 'a: "' + "\\x41" * (ROOM // 4 - 10) + '"',
    "one long key": "x" * (ROOM - 10) + ": 1",
    "a long key with a question mark": "? " + "x" * (ROOM - 10),
    "one folded scalar": "a: >\n" + "  x\n" * (ROOM // 4 - 10),
    "blank lines": "a:\n" + "\n" * (ROOM - 10) + " b: 1",
    "comments": "#\n" * (ROOM // 2 - 10),
    "flow without an end": "[" + "a, " * (ROOM // 3 - 10),
    "quotes without an end": "'" * (ROOM - 11),
    "colons": "a: b: " * (ROOM // 6),
    "escapes": "\\" * (ROOM - 10),
    "percent signs": "%" * (ROOM - 10),
    "tags": "!" * (ROOM - 10),
    "a long key above many values": "? " + "x" * MEBIBYTE + "\n: [" + "a, " * 90_000 + "]\n",
    "long keys above many values": "".join(" " * n + "x" * 1000 + f"{n}:\n" for n in range(60))
    + " " * 60
    + "["
    + "a, " * 90_000
    + "]\n",
    "a long key in many places": "a: &a {? " + "x" * MEBIBYTE + " : b}\nb: [" + "*a, " * 1900 + "]\n",
    "documents": "---\n" * (ROOM // 4 - 10),
}

PROGRAM = """
import resource, sys
from platformctl.errors import InvalidInput
from platformctl.manifests.yaml_text import COMPOSE_LIMITS, parse

text = sys.stdin.buffer.read()
parse(b"warm: up", "f")
began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
soft = int(began) + 3
resource.setrlimit(resource.RLIMIT_CPU, (soft, soft))
if sys.platform == "linux":
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
try:
    document = parse(text, "f", limits=COMPOSE_LIMITS, as_compose=True)
except InvalidInput as error:
    print(error.summary)
else:
    print("read", len(document.lines) <= COMPOSE_LIMITS.nodes + 1)
"""


MODULE_PROGRAM = """
import resource, sys
from platformctl.manifests.load import MOST_FINDINGS, InvalidManifest, read_module
from platformctl.model.names import RepoPath

text = sys.stdin.buffer.read()
soft = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 3
resource.setrlimit(resource.RLIMIT_CPU, (soft, soft))
try:
    read_module(text, RepoPath("modules/web/module.yaml"))
except InvalidManifest as error:
    print(len(error.findings) <= MOST_FINDINGS)
"""

UNFIT = {
    "many unknown keys": "".join(f"metadatb{n}: x\n" for n in range(9_900)),
    "many items": "spec:\n  depends_on: [" + ", ".join(f"m{n}" for n in range(19_000)) + "]\n",
    "many wrong variables": "spec: {env: {set: {" + ", ".join(f"V{n}: 1" for n in range(9_900)) + "}}}\n",
    "long unknown keys": "".join("? " + "x" * 50_000 + f"{n}\n: y\n" for n in range(20)),
    "almost a path": "spec: {runtime: {compose_file: " + "a/" * 500_000 + "}}\n",
    "almost an address": "spec: {canary: {url: 'http://" + "a." * 500_000 + "@'}}\n",
    "almost a line": "metadata: {description: '" + "a" * 1_000_000 + "'}\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_within_the_size_limit_keeps_the_reader_busy(name: str) -> None:
    # given a process with 3 seconds of CPU time (a kernel's limit, not a clock's) and a gibibyte of memory
    text = HOSTILE[name].encode()
    assert len(text) <= ROOM
    # when
    ended = subprocess.run([sys.executable, "-c", PROGRAM], input=text, capture_output=True, check=False, timeout=120)
    # then it was read or refused in words, and not killed
    assert ended.returncode == 0, ended.stderr.decode()[-500:]
    assert ended.stdout.strip()


@pytest.mark.parametrize("name", UNFIT)
def test_no_manifest_that_does_not_fit_keeps_the_reader_busy(name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", MODULE_PROGRAM],
        input=UNFIT[name].encode(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert ended.stdout == b"True\n", ended.stderr.decode()[-500:]


@pytest.mark.parametrize("name", ["billion laughs", "many wide merges", "many small values"])
def test_what_grows_when_it_is_expanded_is_refused_as_too_many(name: str) -> None:
    with pytest.raises(InvalidInput, match="too many"):
        parse(HOSTILE[name].encode(), "f", limits=COMPOSE_LIMITS, as_compose=True)


@pytest.mark.parametrize("name", ["a chain of aliases", "open brackets", "open braces with keys"])
def test_what_would_exhaust_the_stack_is_refused_as_too_deep(name: str) -> None:
    with pytest.raises(InvalidInput, match="nested too deeply"):
        parse(HOSTILE[name].encode(), "f", limits=COMPOSE_LIMITS, as_compose=True)


def test_a_file_of_ten_megabytes_is_refused_before_it_is_looked_at() -> None:
    # given ten megabytes that are not even text: whoever looked would complain of that
    text = b"\xff" * (10 * MEBIBYTE)
    # then
    with pytest.raises(InvalidManifest) as caught:
        read_module(text, PATH)
    assert "too large" in caught.value.detail


def test_a_merge_key_bomb_is_only_as_large_as_what_it_says() -> None:
    value = parse(MERGES.encode(), "f", limits=COMPOSE_LIMITS, as_compose=True).value
    assert value["a24"] == {f"k{n}": "x" for n in range(25)}


def test_a_manifest_as_large_as_allowed_is_still_read() -> None:
    text = b"a: 1\n" + b"#" * (MANIFEST_LIMITS.size - 5)
    assert parse(text, "f").value == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch /tmp/owned']",
        "a: !!python/name:os.system",
        "a: !<tag:yaml.org,2002:python/object/new:os.system> [x]",
        "? !!python/tuple [a]\n: b",
    ],
)
def test_running_code_by_a_tag(text: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read_module(text.encode(), PATH)
    assert {finding.rule for finding in caught.value.findings} == {"yaml"}


def small(line: str) -> bytes:
    """A manifest that is fine but for `line`."""
    return (
        "apiVersion: platform/v1\nkind: Module\nmetadata: {id: web}\n"
        "spec:\n  host: rs2000\n  runtime: {orchestrator: docker-compose, compose_file: compose.yaml}\n" + line
    ).encode()


def test_a_manifest_that_hides_nothing_is_read() -> None:
    assert read_module(small("  # on the allow-list\n"), PATH).host == "rs2000"


@pytest.mark.parametrize(
    "line",
    [
        "  # harmless\u2028  delivery: verify\n",
        "  # harmless\u0085  delivery: verify\n",
        "  # harmless\r  delivery: verify\n",
        "  # harmless \u202e yfirev :yreviled\n",
        "  # harmless \x1b[2K\x1b[1A\n",
        "  # harmless \x08\x08\x08\n",
        "  # harmless \ufeff\n",
    ],
)
def test_showing_a_reviewer_another_text_than_the_parser_sees(line: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read_module(small(line), PATH)
    assert (caught.value.findings[0].rule, caught.value.line) == ("yaml", 7)


@pytest.mark.parametrize(
    "line",
    [
        "---\nspec: {host: other}\n",
        "spec: {host: other}\n",
        "  host: other\n",
        "  ? host\n  : other\n",
        '  "h\\u006fst": other\n',
    ],
)
def test_saying_a_thing_twice_so_that_readers_disagree(line: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read_module(small(line), PATH)
    assert {finding.rule for finding in caught.value.findings} == {"yaml"}


@pytest.mark.parametrize("name", ["../x", "a/b", "web\n", "", ".", "WEB", "-x", "\u0661", "a" * 64])
def test_p27_an_id_that_would_reach_the_file_system(name: str) -> None:
    with pytest.raises(InvalidManifest):
        read_module(f"metadata: {{id: {name!a}}}".replace("'", '"').encode(), PATH)
