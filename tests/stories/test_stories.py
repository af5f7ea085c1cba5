"""Every `*.txt` of this folder is run: see `story` for how they are written."""

from pathlib import Path

import pytest

from tests.lab import Host
from tests.lab.client import SSH_CONFIG
from tests.platform_repo import PROGRAM, PlatformRepo
from tests.stories import story

HERE = Path(__file__).parent
STORIES = {path.stem: path.read_text() for path in sorted(HERE.glob("*.txt"))}
OF_A_HOST = [name for name, text in STORIES.items() if story.needs_host(text)]
OFFLINE = [name for name in STORIES if name not in OF_A_HOST]


def tell(name: str, repo: PlatformRepo, **more: str) -> None:
    """Run a story to its end, or to the first step that goes another way."""
    path = f"{PROGRAM.parent}:{repo.environment['PATH']}"
    environment = {**repo.environment, "PATH": path, "MODULES": str(HERE.parents[1] / "modules"), **more}
    for step in story.steps(STORIES[name]):
        if differs := story.run(step, repo.root, environment):
            pytest.fail(f"{name}.txt {differs}", pytrace=False)


@pytest.mark.parametrize("name", OFFLINE)
def test_the_story_needs_no_host_and_is_true(name: str, tmp_path: Path) -> None:
    tell(name, PlatformRepo.empty(tmp_path, {}))


@pytest.mark.lab
@pytest.mark.parametrize("name", OF_A_HOST)
def test_the_story_of_a_host_is_true(name: str, tmp_path: Path, host: Host) -> None:
    tell(
        name,
        PlatformRepo.empty(tmp_path, {"rs2000": host}),
        ADDRESS=host.address,
        FINGERPRINT=host.host_key_fingerprints[0],
        HOST=host.name,
        SSH_CONFIG=str(host.key_path.parent / SSH_CONFIG),
    )


@pytest.mark.parametrize(
    "told",
    [
        pytest.param("$ echo one; echo two\none\n", id="a line is missing"),
        pytest.param("$ echo one\none\ntwo\n", id="a line is too many"),
        pytest.param("$ echo one\non\n", id="a line goes on"),
        pytest.param("$ echo one >&2; exit 3\none\n", id="the exit code is another"),
        pytest.param("$ printf 'one\\ntwo\\n'\none…\n", id="any text ends with its line"),
    ],
)
def test_a_story_that_is_not_true_fails(told: str, tmp_path: Path) -> None:
    (step,) = story.steps(told)

    assert story.run(step, tmp_path, {"PATH": "/usr/bin:/bin"})


def test_a_true_story_may_leave_out_what_varies(tmp_path: Path) -> None:
    told = ("# Narration.", "$ for word in one two three four; do", "> echo $word; done", "o…", "…", "four", "? 0", "")
    (step,) = story.steps("\n".join(told))

    assert story.run(step, tmp_path, {"PATH": "/usr/bin:/bin"}) == ""


def test_a_line_that_belongs_to_no_command_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1"):
        story.steps("one\n$ echo one\none\n")
