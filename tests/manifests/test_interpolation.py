"""Variables are read as Compose reads them, or not at all."""

import itertools
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platformctl.errors import InvalidInput
from platformctl.manifests.interpolation import MAXIMUM_DEPTH, MAXIMUM_LENGTH, mentioned, resolve

VARIABLES = {"SET": "value", "EMPTY": ""}

READ_AS_COMPOSE_READS_THEM = [
    ("plain text", "plain text"),
    ("$SET", "value"),
    ("${SET}", "value"),
    ("$SET-more", "value-more"),
    ("${SET}}", "value}"),
    ("$$SET", "$SET"),
    ("$$${SET}", "$value"),
    ("$$$$SET", "$$SET"),
    ("$", "$"),
    ("price: 5$", "price: 5$"),
    ("$ SET", "$ SET"),
    ("$1", "$1"),
    ("$(command)", "$(command)"),
    ("${UNSET:-default}", "default"),
    ("${UNSET-default}", "default"),
    ("${UNSET-}", ""),
    ("${EMPTY:-default}", "default"),
    ("${EMPTY-default}", ""),
    ("${SET:-default}", "value"),
    ("${UNSET:-${SET}}", "value"),
    ("${UNSET:-${ALSO_UNSET:-inner}} outer", "inner outer"),
    ("${UNSET:-a:-b}", "a:-b"),
    ("${UNSET:-a}b}", "ab}"),
    ("${UNSET:-$$SET}", "$SET"),
    ("${SET:+other}", "other"),
    ("${EMPTY:+other}", ""),
    ("${EMPTY+other}", "other"),
    ("${UNSET+other}", ""),
    ("${SET:?error}", "value"),
    ("${EMPTY?error}", ""),
]

NOT_A_FORM_OF_COMPOSE = ["${", "${SET", "${}", "${1}", "${A B}", "${SET:}", "${SET:x}", "${SET!}", "${ SET}", "${é}"]


@pytest.mark.parametrize(("written", "resolved"), READ_AS_COMPOSE_READS_THEM)
def test_each_form_resolves_as_compose_resolves_it(written: str, resolved: str) -> None:
    assert resolve(written, VARIABLES) == (resolved, ())


@pytest.mark.parametrize("written", NOT_A_FORM_OF_COMPOSE)
def test_a_form_compose_does_not_take_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match="not written as Compose reads it"):
        resolve(written, VARIABLES)


@pytest.mark.parametrize("written", ["$UNSET", "${UNSET}", "${UNSET:?error}", "${UNSET?error}", "${EMPTY:-$UNSET}"])
def test_a_name_without_value_or_default_is_reported_and_resolves_to_nothing(written: str) -> None:
    assert resolve(written, VARIABLES) == ("", ("UNSET",))


def test_an_empty_required_variable_is_reported() -> None:
    assert resolve("${EMPTY:?must not be empty}", VARIABLES) == ("", ("EMPTY",))


def test_a_name_is_reported_once_and_names_stand_in_the_order_of_their_use() -> None:
    assert resolve("$B $A $B", {})[1] == ("B", "A")


def test_a_default_that_is_not_used_needs_nothing() -> None:
    assert resolve("${SET:-$UNSET}", VARIABLES) == ("value", ())


def test_a_value_that_holds_a_dollar_is_not_resolved_again() -> None:
    assert resolve("$A", {"A": "$B", "B": "reached"}) == ("$B", ())


@pytest.mark.parametrize("written", ["$A\u017f/var/run/docker.sock", "${\u212a}", "${A\u017f:-x}"])
def test_a_letter_compose_would_fold_into_the_name_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput):
        resolve(written, {"A": "./data"})


def test_a_bare_brace_inside_a_variable_is_refused_because_versions_of_compose_differ() -> None:
    with pytest.raises(InvalidInput):
        resolve("${UNSET:-{a}}", {})


def test_nesting_is_bounded() -> None:
    deepest = "${A:-" * MAXIMUM_DEPTH + "x" + "}" * MAXIMUM_DEPTH

    assert resolve(deepest, {}) == ("x", ())
    with pytest.raises(InvalidInput):
        resolve("${A:-" + deepest + "}", {})


def test_what_many_uses_of_a_long_value_add_up_to_is_bounded() -> None:
    with pytest.raises(InvalidInput):
        resolve("$A" * 1000, {"A": "x" * (MAXIMUM_LENGTH // 500)})


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(InvalidInput) as refusal:
        resolve("hunter2${", {})

    assert "hunter2" not in f"{refusal.value} {refusal.value.detail} {refusal.value.hint}"


def test_every_name_that_could_matter_is_mentioned() -> None:
    assert mentioned("$A ${B:-${C}} $$D $${E} ${A:+$F}") == ("A", "B", "C", "F")


@given(st.text(alphabet="${}:-?+Aab \n", max_size=40))
def test_any_text_resolves_or_is_refused(written: str) -> None:
    try:
        resolved, unset = resolve(written, {"A": "value"})
    except InvalidInput:
        return
    assert isinstance(resolved, str)
    assert set(unset) <= set(mentioned(written))


def compose_resolves(values: list[str], folder: Path) -> list[str | None]:
    """Ask Compose itself; None stands for a value that it refuses. One call serves all that it takes."""
    answers: list[str | None] = [None] * len(values)
    pending = [list(range(len(values)))]
    while pending:
        batch = pending.pop()
        resolved = _ask_compose([values[index] for index in batch], folder)
        if resolved is not None:
            for index, answer in zip(batch, resolved, strict=True):
                answers[index] = answer
        elif len(batch) > 1:
            pending += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
    return answers


def _ask_compose(values: list[str], folder: Path) -> list[str] | None:
    services = {"web": {"image": "x", "labels": {f"l{index}": value for index, value in enumerate(values)}}}
    (folder / "compose.json").write_text(json.dumps({"services": services}))
    answer = subprocess.run(
        ["docker", "compose", "-f", "compose.json", "config", "--format", "json"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **VARIABLES},
        capture_output=True,
        check=False,
    )
    if answer.returncode:
        return None
    labels = json.loads(answer.stdout)["services"]["web"]["labels"]
    return [labels[f"l{index}"].replace("$$", "$") for index in range(len(values))]


def _compose_is_missing() -> bool:
    docker = shutil.which("docker")
    return (
        docker is None
        or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode != 0
    )


@pytest.mark.skipif(
    _compose_is_missing(), reason="docker compose is not installed, so there is nothing to compare with"
)
def test_compose_itself_resolves_every_accepted_value_in_the_same_way(tmp_path: Path) -> None:
    pieces = ["$", "$$", "{", "}", "${", "SET", "EMPTY", "UNSET", ":-", "-", ":+", "+", "a", ":", " "]
    short = ["".join(words) for words in itertools.product(pieces, repeat=2)]
    dice = random.Random(7)
    long = ["".join(dice.choices(pieces, k=dice.randint(3, 9))) for _ in range(1500)]
    ours = {value: _resolve_or_refuse(value) for value in [*short, *long, *dict(READ_AS_COMPOSE_READS_THEM)]}
    accepted = [value for value, resolved in ours.items() if resolved is not None]

    theirs = dict(zip(accepted, compose_resolves(accepted, tmp_path), strict=True))

    assert {value: ours[value] for value in accepted} == theirs


def _resolve_or_refuse(value: str) -> str | None:
    try:
        return resolve(value, VARIABLES)[0]
    except InvalidInput:
        return None
