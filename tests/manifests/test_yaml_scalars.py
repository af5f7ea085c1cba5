"""Plain scalars have in a compose file the value that Compose gives a label or a variable for them.

The table is what `docker compose config` said of each, Compose 2.26.1 and 5.6.1 alike.
"""

import json
from pathlib import Path

import pytest

from platformctl.errors import InvalidInput
from platformctl.manifests.compose import read_compose
from platformctl.model.compose import as_text, truth
from platformctl.model.names import RepoPath, ServiceName

SAID = json.loads((Path(__file__).parents[1] / "data/compose_scalars.json").read_text())


def label(value: str) -> object:
    text = f"services:\n  web:\n    image: web:1\n    labels:\n      it: {value}\n"
    model = read_compose(text.encode(), RepoPath("compose.yaml"), {})
    return model.services[ServiceName("web")].definition["labels"]["it"]


def test_each_scalar_is_what_compose_makes_of_it() -> None:
    assert {written: as_text(label(written)) for written in SAID} == SAID


@pytest.mark.parametrize("quoted", ["'1_000'", '"2024-01-01"', "'0b11'", "'1.0'"])
def test_what_is_quoted_stays_as_it_is_written(quoted: str) -> None:
    assert label(quoted) == quoted[1:-1]


@pytest.mark.parametrize("key", ["2024-01-01", "1_000", "0b11", "1.5"])
def test_a_key_that_compose_takes_for_no_text_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="a key is not text"):
        label(f"{{{key}: x}}")


@pytest.mark.parametrize("text", ["1" * 41, "1_" * 30, "0x" + "f" * 4000, "1e999"])
def test_a_number_that_is_too_long_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="a number is out of range"):
        label(text)


@pytest.mark.parametrize(
    ("word", "meant"),
    [*[(word, True) for word in ("true", "yes", "on", "y", "Yes", "TRUE")],
     *[(word, False) for word in ("false", "no", "off", "n", "N")],
     *[(word, None) for word in ("1", "0", "t", "", "none")]],
)  # fmt: skip
def test_a_flag_is_told_by_the_words_that_compose_knows(word: str, meant: bool | None) -> None:
    assert truth(word) is meant


@pytest.mark.parametrize(
    ("scale", "count"),
    [("2", 2), ("'2'", 2), ("0x2", 2), ("1_0", 10), ("0b10", 2), ("2.0", 2), ("1e0", 1), ("'+2'", 2), ("'010'", 10),
     ("010", 8), ("00", 0)],
)  # fmt: skip
@pytest.mark.parametrize("key", ["scale: {}", "deploy: {{replicas: {}}}"])
def test_the_number_of_containers_is_the_one_that_compose_reads(key: str, scale: str, count: int) -> None:
    text = f"services: {{web: {{image: web:1, {key.format(scale)}}}}}"

    assert read_compose(text.encode(), RepoPath("compose.yaml"), {}).services[ServiceName("web")].replicas == count
