"""What git knows of a commit is read as it is, and what is no file of it is refused."""

from pathlib import Path

import pytest

from platformctl.errors import InvalidInput, PolicyViolation, ToolError
from platformctl.gitinfo import INPUT_LIMIT, Repository
from platformctl.model.names import GitSha, RepoPath
from tests.gitinfo.folders import Environment, commit, git, inputs


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
    assert repository.folders(repository.head())["compose"] == sorted(p for p in told if p.startswith("compose/"))


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
