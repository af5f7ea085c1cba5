"""Values of `env.set` arrive in a container as they were written, through Compose's own reading of an env file."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platformctl.releases.env_files import quoted, read_environment

COMPOSE_PROGRAM = shutil.which("docker")
needs_compose = pytest.mark.skipif(
    COMPOSE_PROGRAM is None
    or subprocess.run([COMPOSE_PROGRAM, "compose", "version"], capture_output=True, check=False).returncode != 0,
    reason="docker compose is not installed here",
)
values = st.text(
    st.one_of(
        st.sampled_from("\\'\"$`{}\n\r\t #=:-xnu0"),
        st.characters(codec="utf-8", exclude_characters="\0"),
    ),
    max_size=12,
)


def as_compose_reads(texts: list[str]) -> list[str]:
    """Each text, quoted in an env file, as a service's environment has it in the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "set.env").write_text(
            "".join(f"V{number}={quoted(text)}\n" for number, text in enumerate(texts)), newline=""
        )
        environment = {f"V{number}": f"${{V{number}}}" for number in range(len(texts))}
        (folder / "compose.yaml").write_text(
            json.dumps({"services": {"a": {"image": "x", "environment": environment}}})
        )
        words = ("docker", "compose", "-f", "compose.yaml", "-p", "a", "--env-file", "set.env", "config")
        done = subprocess.run(
            (*words, "--format", "json"),
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": name},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        read = json.loads(done.stdout)["services"]["a"]["environment"]
    return [read[f"V{number}"].replace("$$", "$") for number in range(len(texts))]


@needs_compose
def test_values_with_quotes_dollars_breaks_and_backslashes_arrive_as_they_are() -> None:
    texts = ["", "plain", "it's", '"', "$X", "${X:-y}", "$$", "`id`", "a\nb", "a\r\nb", "\\", "a\\", "\\\\", "it's\\"]
    texts += ["\\n", "'\\n", "'\\u0041", "'\\$x", "#x", " x ", "a=b", "\t", "ünï☃'", "\u2028'", "\n'\\"]

    assert as_compose_reads(texts) == texts


@needs_compose
@settings(max_examples=6)
@given(st.lists(values, min_size=40, max_size=40))
def test_any_value_arrives_as_it_is(texts: list[str]) -> None:
    assert as_compose_reads(texts) == texts


@given(st.lists(values, max_size=8))
def test_a_file_of_set_variables_is_read_as_it_was_written(texts: list[str]) -> None:
    content = "".join(f"V{number}={quoted(text)}\n" for number, text in enumerate(texts)).encode()

    assert read_environment(content) == {f"V{number}": text for number, text in enumerate(texts)}
