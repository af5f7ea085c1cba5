"""What git knows is read as it is, and nothing in a repository runs, hides or reaches out because of it."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from platformctl.errors import ApprovalMismatch, InvalidInput, PolicyViolation, ToolError
from platformctl.gitinfo import INPUT_LIMIT, Repository, read_inputs
from platformctl.model.names import GitSha, RepoPath

Environment = Mapping[str, str]


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A person's environment with a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        '[user]\n name = A\n email = a@example.org\n[init]\n defaultBranch = main\n[protocol "file"]\n allow = always\n'
    )
    return {"HOME": str(home), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}


def git(folder: Path, environment: Environment, *words: str, stdin: bytes = b"") -> str:
    ran = subprocess.run(
        ["git", *words], cwd=folder, env=dict(environment), input=stdin, capture_output=True, check=True
    )
    return ran.stdout.decode().strip()


def commit(folder: Path, environment: Environment, message: str = "more") -> GitSha:
    git(folder, environment, "add", "-A")
    git(folder, environment, "commit", "-q", "--allow-empty", "-m", message)
    return GitSha.parse(git(folder, environment, "rev-parse", "HEAD"))


@pytest.fixture
def folder(tmp_path: Path, environment: Environment) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, environment, "init", "-q")
    (folder / "compose").mkdir()
    (folder / "compose/compose.yaml").write_bytes(b"services: {}\n")
    (folder / "compose/run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "compose/run.sh").chmod(0o755)
    (folder / ".gitignore").write_bytes(b"ignored\n")
    commit(folder, environment, "first")
    return folder


@pytest.fixture
def repository(folder: Path, environment: Environment) -> Repository:
    """The repository, found from one of its folders."""
    return Repository.discover(folder / "compose", environment)


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


def test_a_repository_that_git_can_not_read_is_not_taken_for_one_without_remotes(
    repository: Repository, folder: Path
) -> None:
    with (folder / ".git/config").open("a") as config:
        config.write("[broken\n")
    with pytest.raises(ToolError):
        repository.trusted_ref(None)


def test_ancestors_are_known(repository: Repository, folder: Path, environment: Environment) -> None:
    first = repository.head()
    second = commit(folder, environment)
    assert repository.is_ancestor(first, second)
    assert repository.is_ancestor(second, second)
    assert repository.tree(second)
    assert repository.is_ancestor(second, second)
    assert not repository.is_ancestor(second, first)
    assert not repository.is_ancestor(first, GitSha("0" * 40))
    assert not repository.is_ancestor(GitSha("0" * 40), GitSha("0" * 40))


def test_a_tree_lists_every_path_with_its_kind(repository: Repository, folder: Path, environment: Environment) -> None:
    # given
    (folder / "compose/link").symlink_to("/etc/passwd")
    (folder / "täst file").write_bytes(b"x")
    git(folder, environment, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    git(folder, environment, "add", "-A", "--", "compose", "täst file")
    git(folder, environment, "commit", "-q", "-m", "kinds")
    # when
    entries = repository.tree(repository.head())
    # then
    told = {path: (entry.kind, entry.mode) for path, entry in entries.items()}
    assert told == {
        ".gitignore": ("blob", 0o644),
        "compose/compose.yaml": ("blob", 0o644),
        "compose/link": ("symlink", 0o644),
        "compose/run.sh": ("blob", 0o755),
        "sub": ("submodule", 0o644),
        "täst file": ("blob", 0o644),
    }
    assert set(repository.tree(repository.head(), ["compose"])) == {
        path for path in told if path.startswith("compose/")
    }


def test_a_commit_that_this_clone_does_not_have_is_not_blamed_on_git(repository: Repository) -> None:
    with pytest.raises(InvalidInput, match="does not have the commit") as caught:
        repository.tree(GitSha("f" * 40))
    assert caught.value.detail == "f" * 40
    assert caught.value.hint.startswith("git fetch")


def test_the_sizes_of_objects_are_told_whether_they_were_read_or_not(repository: Repository) -> None:
    # given
    entries = repository.tree(repository.head())
    read, unread = entries[RepoPath(".gitignore")].object_id, entries[RepoPath("compose/run.sh")].object_id
    repository.blobs([read])
    # when
    sizes = repository.sizes([read, unread])
    # then
    assert sizes == {read: 8, unread: 10}


def test_the_size_of_an_object_git_misses_is_refused(repository: Repository) -> None:
    with pytest.raises(ToolError, match="misses an object"):
        repository.sizes(["1" * 40])


def test_the_bytes_of_objects_come_in_one_answer(repository: Repository) -> None:
    entries = repository.tree(repository.head())
    contents = repository.blobs(entry.object_id for entry in entries.values())
    assert sorted(contents.values()) == [b"#!/bin/sh\n", b"ignored\n", b"services: {}\n"]
    assert repository.blobs([]) == {}


def test_an_object_that_is_not_there_is_a_tool_error(repository: Repository) -> None:
    with pytest.raises(ToolError, match="misses an object"):
        repository.blobs(["0" * 40])


def test_changed_paths_are_those_that_differ_from_head(
    repository: Repository, folder: Path, environment: Environment
) -> None:
    assert repository.changed_paths() == frozenset()
    # given every way to differ
    (folder / "compose/compose.yaml").write_bytes(b"services: {a: {}}\n")
    (folder / "compose/run.sh").rename(folder / "compose/run now.sh")
    (folder / "new").mkdir()
    (folder / "new/ä\n").write_bytes(b"x")
    (folder / "staged").write_bytes(b"x")
    git(folder, environment, "add", "staged")
    (folder / "ignored").write_bytes(b"x")
    # then
    changed = {"compose/compose.yaml", "compose/run.sh", "compose/run now.sh", "new/ä\n", "staged"}
    assert repository.changed_paths() == changed


def inputs(repository: Repository, *paths: str) -> list[tuple[str, bytes, int]]:
    head = repository.head()
    found = read_inputs(repository, head, [RepoPath.parse(path) for path in paths], repository.tree(head))
    for file in found:
        assert file.digest == "sha256:" + hashlib.sha256(file.content).hexdigest()
    return [(file.path, file.content, file.mode) for file in found]


def test_inputs_come_in_the_order_asked_for_with_bytes_and_mode(repository: Repository, folder: Path) -> None:
    # given a working tree that differs
    (folder / "compose/run.sh").write_bytes(b"changed")
    # then the commit is what is read
    assert inputs(repository, "compose/run.sh", "compose/compose.yaml") == [
        ("compose/run.sh", b"#!/bin/sh\n", 0o755),
        ("compose/compose.yaml", b"services: {}\n", 0o644),
    ]


def test_inputs_that_are_not_in_the_commit_are_refused(repository: Repository, folder: Path) -> None:
    (folder / "compose/new").write_bytes(b"x")
    for path in ("compose/new", "compose"):
        with pytest.raises(InvalidInput, match="not there"):
            inputs(repository, path)


def test_links_submodules_and_pointers_are_no_inputs(
    repository: Repository, folder: Path, environment: Environment
) -> None:
    # given
    (folder / "link").symlink_to("compose/compose.yaml")
    (folder / "pointer").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    git(folder, environment, "add", "-A")
    git(folder, environment, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    git(folder, environment, "commit", "-q", "-m", "kinds")
    # then
    for path, reason in (("link", "symlink"), ("sub", "not-regular"), ("pointer", "not-regular")):
        with pytest.raises(PolicyViolation) as caught:
            inputs(repository, path)
        assert (caught.value.reason, caught.value.file) == (reason, path)


def test_an_input_beyond_the_limit_is_refused_before_it_is_read(
    repository: Repository, folder: Path, environment: Environment
) -> None:
    for size in (INPUT_LIMIT, INPUT_LIMIT + 1):
        with (folder / f"large{size}").open("wb") as file:
            file.truncate(size)
    commit(folder, environment)
    assert len(inputs(repository, f"large{INPUT_LIMIT}")[0][1]) == INPUT_LIMIT
    with pytest.raises(InvalidInput, match="too large"):
        inputs(repository, f"large{INPUT_LIMIT + 1}")


def test_the_person_and_their_signing_key_are_told(
    repository: Repository, folder: Path, environment: Environment
) -> None:
    def signing_key(name: str, value: str) -> str:
        git(folder, environment, "config", name, value)
        return Repository.discover(folder, environment).signing_key()

    assert (repository.person(), repository.signing_key()) == ("a@example.org", "")
    assert signing_key("user.signingkey", "~/.ssh/id") == ""
    assert signing_key("gpg.format", "ssh") == environment["HOME"] + "/.ssh/id"
    assert signing_key("user.signingkey", "key::ssh-ed25519 AAAA") == ""


def test_a_key_in_the_home_of_nobody_takes_no_address_away(
    repository: Repository, folder: Path, environment: Environment
) -> None:
    git(folder, environment, "config", "gpg.format", "ssh")
    git(folder, environment, "config", "user.signingkey", "~nobody-of-that-name/.ssh/id")

    assert (repository.person(), repository.signing_key()) == ("a@example.org", "")


def test_of_a_person_with_several_addresses_the_last_counts(
    repository: Repository, folder: Path, environment: Environment
) -> None:
    git(folder, environment, "config", "user.email", "work@example.org")
    assert repository.person() == "work@example.org"


def test_nothing_in_the_repository_runs(repository: Repository, folder: Path, environment: Environment) -> None:
    # given every door through which reading a repository may run a program
    trap = folder.parent / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {folder.parent}/sprung\n")
    trap.chmod(0o755)
    hooks = folder.parent / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "reference-transaction", "post-checkout"):
        (hooks / name).symlink_to(trap)
    for key in ("core.fsmonitor", "core.pager", "pager.status", "core.sshCommand", "diff.external"):
        git(folder, environment, "config", key, str(trap))
    git(folder, environment, "config", "core.hooksPath", str(hooks))
    os.utime(folder / "compose/compose.yaml", (1, 1))
    # when
    repository.changed_paths()
    inputs(repository, "compose/compose.yaml")
    repository.trusted_ref(None)
    repository.is_ancestor(repository.head(), repository.head())
    # then
    assert not (folder.parent / "sprung").exists()
    git(folder, environment, "status")
    assert (folder.parent / "sprung").exists(), "the trap is one"


def test_a_replaced_object_is_not_believed(repository: Repository, folder: Path, environment: Environment) -> None:
    # given an object that git is told to replace by another
    real = git(folder, environment, "rev-parse", "HEAD:compose/compose.yaml")
    fake = git(folder, environment, "hash-object", "-w", "--stdin", stdin=b"services: {evil: {}}\n")
    git(folder, environment, "replace", real, fake)
    assert "evil" in git(folder, environment, "show", "HEAD:compose/compose.yaml")
    # then
    assert inputs(repository, "compose/compose.yaml")[0][1] == b"services: {}\n"


def test_the_environment_of_git_is_ours(folder: Path, environment: Environment, tmp_path: Path) -> None:
    # given variables that would lead git elsewhere
    other = tmp_path / "other"
    other.mkdir()
    git(other, environment, "init", "-q")
    misleading = {**environment, "GIT_DIR": str(other / ".git"), "GIT_OBJECT_DIRECTORY": "/nowhere"}
    # then
    assert Repository.discover(folder, misleading).head() == Repository.discover(folder, environment).head()


def test_a_partial_clone_is_not_completed_behind_our_back(
    folder: Path, environment: Environment, tmp_path: Path
) -> None:
    # given a clone without its files' bytes, and a remote that runs a program when asked for them
    git(folder, environment, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, environment, "clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{folder}", "partial")
    clone = Repository.discover(tmp_path / "partial", environment)
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(clone.root, environment, "config", "remote.origin.uploadpack", str(trap))
    # then
    with pytest.raises(ToolError):
        inputs(clone, "compose/compose.yaml")
    assert not (tmp_path / "sprung").exists()
