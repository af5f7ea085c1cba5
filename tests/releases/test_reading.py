"""A release is what the bytes of a tree say, from a commit and from a working tree alike."""

import pytest

from platformctl.errors import InvalidInput
from platformctl.model.desired import ServedVersion
from platformctl.releases import module_ids
from platformctl.releases.trees import FolderTree
from tests.releases.clone import COMPOSE, TAGGED, Clone, both, release_of


@both
def test_an_optional_env_file_may_be_absent_wherever_it_would_lie(clone: Clone, kind: str) -> None:
    entries = "[{path: ../shared/more.env, required: false}, {path: ./own.env, required: false}, web.env]"
    clone.write("modules/web/compose.yaml", COMPOSE.replace("[web.env]", entries))
    clone.write("modules/web/own.env", "B=1\n")

    files = {file.path for file in release_of(clone.tree(kind)).files if file.path.endswith(".env")}
    assert files == {"modules/web/own.env", "modules/web/web.env"}


@both
def test_an_env_file_must_be_there_although_an_optional_one_is_called_alike(clone: Clone, kind: str) -> None:
    entries = "[{path: web.env, required: false}, conf/my-web.env]"
    clone.write("modules/web/compose.yaml", COMPOSE.replace("[web.env]", entries))

    with pytest.raises(InvalidInput):
        release_of(clone.tree(kind))


def test_a_commit_and_the_working_tree_it_was_made_from_give_the_same_release(clone: Clone) -> None:
    tree = clone.committed()

    assert release_of(tree) == release_of(FolderTree(clone.root))
    assert module_ids(tree) == module_ids(FolderTree(clone.root)) == ("web",)


def test_a_change_that_is_not_committed_is_in_the_working_tree_alone(clone: Clone) -> None:
    tree = clone.committed()
    clone.write("modules/web/conf/main.conf", "listen 81\n")

    assert release_of(tree).digest != clone.release("folder").digest


@both
def test_what_the_closure_uses_travels_and_nothing_else_does(clone: Clone, kind: str) -> None:
    assert [(file.path, oct(file.mode)) for file in clone.release(kind).files] == [
        ("modules/web/compose.yaml", "0o644"),
        ("modules/web/conf/main.conf", "0o644"),
        ("modules/web/conf/sites/one.conf", "0o644"),
        ("modules/web/run.sh", "0o755"),
        ("modules/web/web.env", "0o644"),
    ]


@both
def test_a_mounted_path_that_the_tree_does_not_have_is_the_hosts_own_data(clone: Clone, kind: str) -> None:
    assert not [file.path for file in clone.release(kind).files if "data" in file.path]


@both
def test_words_for_readers_change_what_was_read_but_not_what_is_wanted(clone: Clone, kind: str) -> None:
    before = clone.release(kind)
    clone.write("modules/web/compose.yaml", "# a word for whoever reads this\n" + COMPOSE)
    commented = clone.release(kind)
    clone.manifest(description="the cache")
    described = clone.release(kind)

    assert before.digest == commented.digest == described.digest
    assert len({before.inputs, commented.inputs, described.inputs}) == 3


@both
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("modules/web/compose.yaml", COMPOSE.replace("redis:7\n    env_file", "redis:8\n    env_file")),
        ("modules/web/conf/sites/one.conf", "another site\n"),
        ("modules/web/conf/sites/two.conf", "one file more\n"),
        ("modules/web/web.env", "A=2\n"),
    ],
)
def test_whatever_the_containers_get_changes_what_is_wanted(clone: Clone, kind: str, path: str, text: str) -> None:
    before = clone.release(kind)
    clone.write(path, text)
    after = clone.release(kind)

    assert (before.digest, before.inputs) != (after.digest, after.inputs)
    assert before.digest != after.digest


@both
def test_a_file_that_may_be_run_is_another_file(clone: Clone, kind: str) -> None:
    before = clone.release(kind)
    (clone.root / "modules/web/run.sh").chmod(0o644)

    assert before.digest != clone.release(kind).digest


@both
def test_another_service_of_the_file_does_not_count(clone: Clone, kind: str) -> None:
    before = clone.release(kind)
    clone.write("modules/web/elsewhere.conf", "changed\n")
    clone.write("modules/web/compose.yaml", COMPOSE.replace("./elsewhere.conf:/etc", "./elsewhere.conf:/opt"))

    assert before.digest == clone.release(kind).digest


def test_set_variables_travel_as_a_private_file_named_by_its_digest(clone: Clone) -> None:
    clone.manifest(env={"set": {"B": "two", "A": "it's"}})
    own = clone.release().files[-1]

    assert own.content == b"A=\"it's\"\nB='two'\n"
    assert (own.path, oct(own.mode)) == (f".platformctl/blobs/{own.digest.hexadecimal}", "0o600")


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("app:1.4.1", "1.4.1"),
        ("registry.test:5000/team/app:1.4.1", "1.4.1"),
        (f"app:1.4.1@sha256:{'a' * 64}", "1.4.1"),
        ("app:${VERSION}", "2.0"),
    ],
)
def test_a_canary_expects_the_tag_of_its_own_release(clone: Clone, image: str, tag: str) -> None:
    clone.write("modules/web/compose.yaml", COMPOSE.replace("redis:7", image, 1))
    clone.manifest(canary=TAGGED, env={"set": {"VERSION": "2.0"}})
    canary = clone.release().canary

    assert canary is not None
    assert canary.version == ServedVersion(f"v{tag}")
