"""The files of a pipeline: accepted by the checkers, written once, and never over what somebody changed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from platformctl.model.forge import ForgeKind
from platformctl.pipelines.files import Pipeline, files, is_as_written
from tests.cli.test_pipeline import PRIVILEGED
from tests.forges.fake_forge import REPOSITORY, TOKEN, Pull, running
from tests.pipelines.runner import PROGRAMS, Job, Runner
from tests.platform_repo import WEB, PlatformRepo

ROOT = Path(__file__).parents[2]
OURS = Pipeline(ForgeKind.FORGEJO, "main", ".", "requirements/forge.txt", actions="actions")
KINDS = [Pipeline(kind, "main", "platformctl[forge]==0.1.0") for kind in ForgeKind]
by_kind = pytest.mark.parametrize("pipeline", KINDS, ids=lambda pipeline: pipeline.kind.value)


def written(folder: Path, pipeline: Pipeline) -> list[Path]:
    paths = []
    for name, text in files(pipeline).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        paths.append(path)
    return paths


def told(*words: str | Path) -> str:
    done = subprocess.run((PROGRAMS / words[0], *words[1:]), cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


# --- checkers -------------------------------------------------------------------------------------


def test_this_repositorys_own_files_are_what_ci_init_writes() -> None:
    assert {name: (ROOT / name).read_text() for name in files(OURS)} == files(OURS)


@by_kind
def test_zizmor_finds_nothing(tmp_path: Path, pipeline: Pipeline) -> None:
    words = ("zizmor", "--offline", "--no-progress", "--config", ".zizmor.yml", "--persona", "pedantic")

    assert told(*words, *written(tmp_path, pipeline)) == ""


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    path = tmp_path / ".github/workflows/x.yml"
    path.parent.mkdir(parents=True)
    path.write_text(
        "on: pull_request_target\njobs:\n  a:\n    runs-on: x\n    steps:\n"
        "      - run: echo ${{ github.event.pull_request.title }}\n"
    )

    assert "template-injection" in told("zizmor", "--offline", "--no-progress", "--config", ".zizmor.yml", path)


@by_kind
def test_the_schemas_of_workflows_and_actions_are_kept(tmp_path: Path, pipeline: Pipeline) -> None:
    """GitHub's, as check-jsonschema ships them. Of what Forgejo adds to them nothing is used."""
    paths = written(tmp_path, pipeline)
    workflows = [path for path in paths if path.parent.name == "workflows"]
    actions = [path for path in paths if path.name == "action.yml"]

    assert len(workflows) + len(actions) == len(paths)
    assert told("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows) == ""
    assert told("check-jsonschema", "--builtin-schema", "vendor.github-actions", *actions) == ""


def scripts(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """Every `run:` block by where it stands."""
    for path in paths:
        definition: dict[str, Any] = yaml.load(path.read_text(), yaml.BaseLoader)
        jobs = definition.get("jobs", {"": definition.get("runs")})
        for name, job in jobs.items():
            for step in job["steps"]:
                if "run" in step:
                    yield f"{path.parent.name}/{path.name} {name} {step['name']}", step["run"]


def test_shellcheck_has_nothing_to_say_to_any_run_block(tmp_path: Path) -> None:
    blocks = dict(scripts(written(tmp_path, OURS)))
    for number, (_, text) in enumerate(sorted(blocks.items())):
        (tmp_path / f"{number}.sh").write_text(f"#!/usr/bin/env bash\nset -eo pipefail\n{text}")

    assert len(blocks) > 10
    assert told("shellcheck", "--enable=quote-safe-variables", *sorted(tmp_path.glob("*.sh"))) == ""


def test_no_run_block_holds_an_expression(tmp_path: Path) -> None:
    assert [place for place, text in scripts(written(tmp_path, OURS)) if "${{" in text] == []


@by_kind
def test_every_action_of_others_is_pinned_and_no_secret_is_where_forks_are(tmp_path: Path, pipeline: Pipeline) -> None:
    for path in written(tmp_path, pipeline):
        definition = yaml.load(path.read_text(), yaml.BaseLoader)
        for name, job in definition.get("jobs", {"": definition.get("runs")}).items():
            for step in job["steps"]:
                uses = step.get("uses", "./")
                assert uses.startswith("./") or len(uses.rpartition("@")[2]) == 40
            if name == "plan":
                assert "secrets." not in str(job)
                assert "PLATFORMCTL_RUNNER" not in str(job)


# --- ci init --------------------------------------------------------------------------------------


@pytest.fixture
def repo(tmp_path: Path) -> PlatformRepo:
    return PlatformRepo.create(tmp_path)


def test_both_forges_get_their_files_and_a_second_run_changes_nothing(repo: PlatformRepo) -> None:
    first = repo.run("ci", "init", "--json", expect=0).json["details"]
    second = repo.run("ci", "init", "--json", expect=0).json["details"]

    assert {".forgejo/workflows/plan.yml", ".github/workflows/apply.yml"} < set(first)
    assert ".github/actions/platformctl/action.yml" in first
    assert set(first.values()) == {"written"}
    assert set(second.values()) == {"unchanged"}
    assert 'branches: ["main"]' in (repo.root / ".forgejo/workflows/plan.yml").read_text()


def test_an_edited_file_is_kept_and_said_so_until_it_is_to_be_replaced(repo: PlatformRepo) -> None:
    repo.run("ci", "init", expect=0)
    path = repo.root / ".forgejo/workflows/plan.yml"
    edited = path.read_text().replace("docker", "my-runner")
    path.write_text(edited)

    kept = repo.run("ci", "init", expect=0)
    assert path.read_text() == edited
    assert "1 edited and kept, --overwrite replaces them" in kept.stdout
    replaced = repo.run("ci", "init", "--overwrite", "--json", expect=0).json["details"]
    assert replaced[".forgejo/workflows/plan.yml"] == "overwritten: edited by hand"
    assert is_as_written(path.read_text())


def test_a_file_of_somebody_else_is_kept(repo: PlatformRepo) -> None:
    path = repo.write(".github/workflows/plan.yml", "on: push\n")
    repo.run("ci", "init", expect=0)

    assert path.read_text() == "on: push\n"


def test_a_file_that_only_became_old_is_brought_up_to_date(repo: PlatformRepo) -> None:
    repo.run("ci", "init", "--branch", "trunk", expect=0)
    details = repo.run("ci", "init", "--json", expect=0).json["details"]

    assert details[".forgejo/workflows/plan.yml"] == "brought up to date"
    assert details[".forgejo/actions/publish/action.yml"] == "unchanged"


@pytest.mark.parametrize(
    "words",
    [
        *(("--branch", text) for text in ("a b", "a'b", "a]", "${{ secrets.X }}", "a\nb", "-x", "$(id)")),
        *(("--from", text) for text in ("x; id", "'", "@A'B")),
        ("--requirements", "a b"),
    ],
)
def test_words_that_would_mean_something_else_in_a_workflow_are_refused(
    repo: PlatformRepo, words: tuple[str, str]
) -> None:
    repo.run("ci", "init", *words, expect=2)

    assert not (repo.root / ".forgejo").exists()


def test_links_are_not_written_through(repo: PlatformRepo, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (repo.root / ".forgejo").symlink_to(tmp_path / "elsewhere")
    repo.run("ci", "init", expect=3)

    assert list((tmp_path / "elsewhere").rglob("*")) == []


@pytest.mark.thorough
def test_what_the_action_installs_is_pinned_and_has_the_templates_too(repo: PlatformRepo, tmp_path: Path) -> None:
    """From this checkout, with the hashes of requirements/forge.txt; needs a package index."""
    (action,) = [path for path in written(tmp_path / "files", OURS) if path.match("platformctl/action.yml")]
    install = dict(scripts([action]))[f"{action.parent.name}/action.yml  Install"]
    given = {"FROM": str(ROOT), "REQUIREMENTS": str(ROOT / OURS.requirements), "RUNNER_TEMP": str(tmp_path)}
    passed_on = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("PIP_")}
    subprocess.run(("bash", "-eo", "pipefail", "-c", install), env={**passed_on, **given}, check=True)
    program = tmp_path / "platformctl/bin/platformctl"
    subprocess.run((program, "ci", "init"), cwd=repo.root, env=dict(repo.environment), check=True, capture_output=True)

    assert (repo.root / ".forgejo/workflows/plan.yml").is_file()


# --- the action -----------------------------------------------------------------------------------

WORKFLOW = """
jobs:
  only:
    steps:
      - uses: actions/checkout@{sha}
        with: {{ref: main, fetch-depth: 0, persist-credentials: false}}
      - run: git remote set-head origin main
      - id: it
        uses: ./.forgejo/actions/platformctl
        with:
          arguments: |
            {arguments}
"""


def a_stage(folder: Path) -> "Stage":
    """A repository with one good module and one that policy refuses, and the runner that works for it."""
    repo = PlatformRepo.create(folder)
    repo.run("ci", "init", "--from", "installed", expect=0)
    repo.add_module("web", WEB, host="local")
    repo.add_module("bad", PRIVILEGED | {"services": {"bad": PRIVILEGED["services"]["web"]}}, host="local")
    origin = repo.folder / "origin.git"
    repo.git("init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    repo.git("remote", "add", "origin", str(origin))
    repo.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    return repo, Runner(repo.folder, origin, "https://forge.example", token=TOKEN)


Stage = tuple[PlatformRepo, Runner]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """For tests that change no module."""
    return a_stage(tmp_path_factory.mktemp("stage"))


def ran(repo: PlatformRepo, runner: Runner, *words: str) -> Job:
    text = WORKFLOW.format(sha="0" * 40, arguments=("\n" + " " * 12).join(words))
    repo.write(".forgejo/workflows/test.yml", text)
    repo.commit("test")
    repo.git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")
    return runner.run(".forgejo/workflows/test.yml", "only", "push", {}, "main")


@pytest.mark.parametrize(
    ("words", "code", "changes"),
    [
        (
            (
                "plan",
                "web",
                "--offline",
            ),
            "1",
            "true",
        ),
        (("exit-codes",), "0", "false"),
    ],
)
def test_a_plan_with_changes_is_green_and_says_so(
    stage: Stage, words: tuple[str, ...], code: str, changes: str
) -> None:
    repo, runner = stage
    job = ran(repo, runner, *words)

    assert job.succeeded, job
    assert job.outputs["it"] == {"exit_code": code, "changes": changes}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("validate",), "::error title=platformctl validate::4 POLICY_VIOLATION touched: no"),
        (
            (
                "plan",
                "nope",
                "--offline",
            ),
            "::error title=platformctl plan::65 INVALID_INPUT",
        ),
        (
            (
                "apply",
                "nope",
                "--approved-sha=x",
            ),
            "::error title=platformctl apply::2 USAGE",
        ),
        (("--frobnicate",), "::2 USAGE"),
    ],
)
def test_anything_else_is_red_with_its_reason(stage: Stage, words: tuple[str, ...], told: str) -> None:
    repo, runner = stage
    job = ran(repo, runner, *words)

    assert not job.succeeded
    assert told in str(job)


def test_an_argument_is_one_line_whatever_it_holds(stage: Stage) -> None:
    repo, runner = stage
    job = ran(repo, runner, "plan", "$(touch pwned) `touch pwned`; touch pwned", "", "--offline")

    assert not job.succeeded
    assert not (job.workspace / "pwned").exists()


def test_a_fork_gets_its_plan_and_can_not_write(tmp_path: Path) -> None:
    repo, runner = a_stage(tmp_path)
    with running(ForgeKind.FORGEJO) as forge:
        repo.git("rm", "-rq", "modules/bad")
        repo.commit("topic")
        repo.git("push", "--quiet", "origin", "HEAD:refs/heads/main", "HEAD:refs/heads/topic")
        forge.pulls[7] = Pull("mallory", repo.head)
        runner.server, runner.secrets = forge.url, {"PLATFORMCTL_SSH_KEY": "not for forks"}
        head = {"sha": repo.head, "repo": {"full_name": f"mallory/{REPOSITORY.partition('/')[2]}"}}
        event = {"pull_request": {"number": 7, "head": head}}
        job = runner.run(".forgejo/workflows/plan.yml", "plan", "pull_request", event, "topic")

        assert job.succeeded, job
        assert "1 to create" in job.summary
        assert forge.asked == []
        assert "not for forks" not in "".join(p.read_text("latin-1") for p in job.workspace.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("approved_sha", text) for text in ("main", "a" * 39, "a" * 40 + "\n--exit-zero-on-success", "$(id)")),
        *(("plan_digest", text) for text in ("../../x", "sha256:" + "a" * 64, "")),
        *(("host", text) for text in ("a b", "../x")),
        *(("pull_request", text) for text in ("7\n--approval=x", "0", "-1")),
    ],
)
def test_what_is_typed_to_start_an_apply_is_an_id_or_a_number(stage: Stage, name: str, value: str) -> None:
    _, runner = stage
    runner.variables = {"PLATFORMCTL_RUNNER": "trusted"}
    good = {"approved_sha": "a" * 40, "plan_digest": "b" * 64, "host": "rs2000", "pull_request": "7"}
    event = {"inputs": {**good, name: value}}
    job = runner.run(".forgejo/workflows/apply.yml", "apply", "workflow_dispatch", event, "main")

    assert job.steps[0].code == 2
    assert f"{name} is not" in job.steps[0].text
    assert {step.name for step in job.steps[1:]} == {"Forget the keys"}


CHECKOUT = """
jobs:
  only:
    steps:
      - uses: actions/checkout@0
        with: {ref: main, fetch-depth: 0, persist-credentials: false}
"""
MEANWHILE = """
      - name: somebody approves
        run: |
          git clone -q -b platformctl/plans "$(git remote get-url origin)" "$RUNNER_TEMP/other"
          cd "$RUNNER_TEMP/other"
          mkdir -p approvals
          echo approved >approvals/ann.json
          git add approvals
          git -c user.name=ann -c user.email=ann@example.org commit -qm approve
          git push -q origin HEAD
"""
PUBLISH = """
      - uses: ./.forgejo/actions/publish
        with: {files: 'modules/*/module.yaml', folder: plans, token: '${{ secrets.PUSH }}'}
"""


def test_an_approval_that_is_pushed_meanwhile_is_kept(tmp_path: Path) -> None:
    repo, runner = a_stage(tmp_path)
    runner.secrets = {"PUSH": "secret-token"}
    for text in (CHECKOUT + PUBLISH, CHECKOUT + MEANWHILE + PUBLISH):
        repo.write(".forgejo/workflows/test.yml", text)
        manifest = repo.root / "modules/web/module.yaml"
        manifest.write_text(manifest.read_text() + "\n")
        repo.commit("change")
        repo.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
        job = runner.run(".forgejo/workflows/test.yml", "only", "push", {}, "main")
        assert job.succeeded, job
    repo.git("fetch", "--quiet", "origin", "platformctl/plans")

    listed = repo.git("ls-tree", "-r", "--name-only", "FETCH_HEAD").split()
    assert listed == ["approvals/ann.json", "plans/module.yaml"]
    files_left = [path for path in job.workspace.parent.rglob("*") if path.is_file()]
    assert not any(b"secret-token" in path.read_bytes() for path in files_left)
