"""Where a repository is, what its refs name, and which of them is trusted."""

from pathlib import Path

import pytest

from platformctl.errors import ApprovalMismatch, InvalidInput, ToolError
from platformctl.gitinfo import Repository
from tests.gitinfo.folders import Environment, commit, git


def test_a_repository_is_found_from_any_of_its_folders(repository: Repository, folder: Path) -> None:
    assert repository.root == folder.resolve()


def test_a_folder_without_a_repository_is_refused_with_the_way_out(tmp_path: Path, environment: Environment) -> None:
    with pytest.raises(InvalidInput) as caught:
        Repository.discover(tmp_path, environment)
    assert "git init" in caught.value.hint


def test_a_repository_before_its_first_commit_is_refused(tmp_path: Path, environment: Environment) -> None:
    git(tmp_path, environment, "init", "-q")
    repository = Repository.discover(tmp_path, environment)
    for ask in (repository.head, lambda: repository.trusted_ref(None)):
        with pytest.raises(InvalidInput, match="no such commit") as caught:
            ask()
        assert "commit first" in caught.value.hint


def test_without_the_git_program_it_is_a_tool_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        Repository.discover(folder, {"PATH": str(tmp_path / "empty")})
    assert caught.value.hint == "install git"


def test_refs_name_commits(repository: Repository, folder: Path, environment: Environment) -> None:
    first = repository.head()
    git(folder, environment, "tag", "-a", "-m", "v", "v1")
    second = commit(folder, environment)
    assert (repository.head(), repository.resolve("v1"), repository.resolve("HEAD~1")) == (second, first, first)
    assert repository.resolve("main") == repository.resolve(second) == second


@pytest.mark.parametrize(
    "ref",
    [
        "--upload-pack=touch x",
        "-h",
        "",
        "gone",
        "HEAD --all",
        "HEAD\n",
        ":/first",
        "HEAD:compose",
        "main..HEAD",
        "0" * 40,
    ],
)
def test_what_names_no_commit_is_refused(repository: Repository, ref: str) -> None:
    with pytest.raises(InvalidInput):
        repository.resolve(ref)


def test_the_branch_is_told_and_none_when_there_is_none(
    repository: Repository, folder: Path, environment: Environment
) -> None:
    assert repository.branch() == "refs/heads/main"
    git(folder, environment, "checkout", "-q", "--detach")
    assert repository.branch() == ""


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://user:token@forge.example/a/b.git", "https://forge.example/a/b.git"),
        ("https://token@forge.example/a/b.git", "https://forge.example/a/b.git"),
        ("https://user:to@ken@forge.example/a", "https://forge.example/a"),
        ("ssh://git@forge.example:22/a", "ssh://forge.example:22/a"),
        ("https://forge.example/@scope/b", "https://forge.example/@scope/b"),
        ("git@forge.example:a/b.git", "git@forge.example:a/b.git"),
    ],
)
def test_where_origin_is_comes_without_credentials(
    repository: Repository, folder: Path, environment: Environment, url: str, told: str
) -> None:
    assert repository.origin_url() == ""
    git(folder, environment, "remote", "add", "origin", url)
    assert repository.origin_url() == told


def test_trust_comes_from_head_only_where_there_is_no_remote(
    repository: Repository, folder: Path, environment: Environment
) -> None:
    # given no remote
    assert repository.trusted_ref(None) == repository.head()
    # when any remote appears, also one that is not origin
    git(folder, environment, "remote", "add", "upstream", "https://forge.example/a")
    # then HEAD serves no more
    with pytest.raises(ApprovalMismatch) as caught:
        repository.trusted_ref(None)
    assert caught.value.reason == "trust_ref_missing"
    assert "git remote set-head origin -a" in caught.value.hint


def test_trust_comes_from_where_origin_points(folder: Path, environment: Environment, tmp_path: Path) -> None:
    # given a clone that is ahead of its origin
    git(tmp_path, environment, "clone", "-q", str(folder), "clone")
    clone = Repository.discover(tmp_path / "clone", environment)
    merged = clone.head()
    commit(clone.root, environment)
    # then
    assert clone.head() != merged
    assert clone.trusted_ref(None) == merged
    # and a local branch of that name does not take its place
    git(clone.root, environment, "branch", "origin/HEAD", "HEAD")
    assert clone.trusted_ref(None) == merged


def test_a_trusted_ref_can_be_named_and_must_be_there(
    repository: Repository, folder: Path, environment: Environment
) -> None:
    first = repository.head()
    commit(folder, environment)
    assert repository.trusted_ref(first) == first
    with pytest.raises(ApprovalMismatch) as caught:
        repository.trusted_ref("gone")
    assert caught.value.reason == "trust_ref_missing"


def test_a_tag_that_somebody_pushed_is_not_taken_for_the_trusted_branch(
    folder: Path, environment: Environment, tmp_path: Path
) -> None:
    """Git takes a tag before a branch, and brings along tags of what it fetches."""
    # given a clone, and a branch with a tag that is called as the clone calls the trusted branch
    git(tmp_path, environment, "clone", "-q", str(folder), "clone")
    clone = Repository.discover(tmp_path / "clone", environment)
    merged = clone.resolve("refs/remotes/origin/main")
    git(folder, environment, "checkout", "-q", "-b", "topic")
    pushed = commit(folder, environment)
    git(folder, environment, "tag", "origin/main")
    # when it fetches
    assert clone.trusted_ref("origin/main") == merged
    git(clone.root, environment, "fetch", "-q")
    # then
    assert clone.resolve("origin/main") == pushed
    for ref in ("origin/main", "origin/main~0", "origin/main^{commit}"):
        with pytest.raises(ApprovalMismatch) as caught:
            clone.trusted_ref(ref)
        assert caught.value.reason == "trust_ref_missing"
        assert "refs/tags/origin/main" in caught.value.detail
        assert "--trust-ref refs/remotes/origin/main" in caught.value.hint
    for ref in ("refs/remotes/origin/main", "refs/remotes/origin/main^{commit}", merged, "HEAD"):
        assert clone.trusted_ref(ref) == merged
    assert clone.trusted_ref(None) == merged


def test_a_repository_that_git_can_not_read_is_not_taken_for_one_without_remotes(
    repository: Repository, folder: Path
) -> None:
    with (folder / ".git/config").open("a") as config:
        config.write("[broken\n")
    with pytest.raises(ToolError):
        repository.trusted_ref(None)
