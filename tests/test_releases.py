"""A release is what the bytes of a tree say, from a commit and from a working tree alike."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platformctl.errors import InvalidInput, PolicyViolation
from platformctl.gitinfo import Repository
from platformctl.model.desired import HostEntry, Release, ServedVersion
from platformctl.model.names import GitSha, HostName, ModuleId
from platformctl.releases import module_ids, read_manifest, read_release
from platformctl.releases.env_files import quoted, read_environment
from platformctl.releases.trees import CommitTree, FolderTree, Tree

HOST = HostEntry(HostName("one"), "local", "/opt/platform")
COMPOSE = """\
services:
  web:
    image: redis:7
    env_file: [web.env]
    volumes: ["./conf:/etc/web:ro", "./run.sh:/run.sh:ro", "./data:/data"]
  stranger:
    image: redis:7
    volumes: ["./elsewhere.conf:/etc/stranger"]
"""
TAGGED = {"url": "https://app.test/", "version": {"expect": "v{tag}"}}
LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"


@dataclass
class Clone:
    """A repository with one module, `web`, whose files can be written, committed and read both ways."""

    root: Path
    environment: Mapping[str, str]
    spec: dict[str, object] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path) -> "Clone":
        (folder / "home").mkdir()
        environment = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
        clone = cls(folder / "repo", environment)
        clone.root.mkdir()
        clone.git("init", "--quiet")
        clone.manifest()
        clone.write("modules/web/compose.yaml", COMPOSE)
        clone.write("modules/web/web.env", "A=1\n")
        clone.write("modules/web/conf/main.conf", "listen 80\n")
        clone.write("modules/web/conf/sites/one.conf", "site one\n")
        clone.write("modules/web/run.sh", "#!/bin/sh\n").chmod(0o755)
        clone.write("modules/web/elsewhere.conf", "of another service\n")
        return clone

    def git(self, *words: str) -> str:
        author = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always")
        line = ("git", *author, *words)
        done = subprocess.run(line, cwd=self.root, env=dict(self.environment), capture_output=True, check=True)
        return done.stdout.decode().strip()

    def path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, text: str) -> Path:
        path = self.path(name)
        path.write_text(text)
        return path

    def manifest(self, description: str = "", **spec: object) -> None:
        runtime = {"orchestrator": "docker-compose", "compose_file": "modules/web/compose.yaml"}
        document = {
            "apiVersion": "platform/v1",
            "kind": "Module",
            "metadata": {"id": "web", "description": description},
            "spec": {"host": "one", "runtime": runtime, **spec},
        }
        self.write("modules/web/module.yaml", json.dumps(document, indent=1))

    def committed(self) -> CommitTree:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=more")
        head = GitSha.parse(self.git("rev-parse", "HEAD"))
        return CommitTree(Repository.discover(self.root, self.environment), head)

    def tree(self, kind: str) -> Tree:
        return self.committed() if kind == "commit" else FolderTree(self.root)

    def release(self, kind: str = "folder") -> Release:
        return release_of(self.tree(kind))


def release_of(tree: Tree) -> Release:
    module = read_manifest(tree, ModuleId("web"))
    return read_release(tree, module, HOST, GitSha("0" * 40), dirty=False)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.create(tmp_path)


both = pytest.mark.parametrize("kind", ["commit", "folder"])


# --- env files that may be absent -----------------------------------------------------------------


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


# --- the same bytes -------------------------------------------------------------------------------


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


# --- what counts ----------------------------------------------------------------------------------


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


# --- what is refused ------------------------------------------------------------------------------


@both
def test_a_service_that_is_not_there_is_refused_with_those_that_are(clone: Clone, kind: str) -> None:
    runtime = {"orchestrator": "docker-compose", "compose_file": "modules/web/compose.yaml", "compose_service": "wbe"}
    clone.manifest(runtime=runtime)
    with pytest.raises(InvalidInput) as caught:
        clone.release(kind)

    assert caught.value.detail == "modules/web/compose.yaml has no service wbe; it has: stranger, web"
    assert caught.value.hint == "did you mean web? set spec.runtime.compose_service of web"


@both
def test_services_that_wait_for_each_other_are_refused_before_any_host_is_asked(clone: Clone, kind: str) -> None:
    around = "  web: {image: 'redis:7', depends_on: [db]}\n  db: {image: 'redis:7', links: [log]}\n"
    clone.write("modules/web/compose.yaml", f"services:\n{around}  log: {{image: 'redis:7', ipc: 'service:web'}}\n")
    with pytest.raises(InvalidInput) as caught:
        clone.release(kind)

    assert caught.value.summary == "services wait for each other"
    assert {*caught.value.detail.split(" → ")} == {"web", "db", "log"}
    assert (caught.value.file, caught.value.line is not None) == ("modules/web/compose.yaml", True)


def test_services_of_another_module_may_wait_for_each_other(clone: Clone) -> None:
    """Compose refuses that on the host; what this module needs stands in an order."""
    beside = (
        "  a: {image: 'redis:7', profiles: [x], depends_on: [b]}\n  b: {image: 'redis:7', profiles: [x], links: [a]}\n"
    )
    clone.write("modules/web/compose.yaml", f"services:\n  web: {{image: 'redis:7'}}\n{beside}")

    assert clone.release().closure == ("web",)


@pytest.mark.parametrize("image", ["app", "registry.test:5000/app", f"app@sha256:{'a' * 64}", f"sha256:{'a' * 64}"])
def test_a_canary_that_expects_a_tag_where_there_is_none_is_refused(clone: Clone, image: str) -> None:
    clone.write("modules/web/compose.yaml", COMPOSE.replace("redis:7", image, 1))
    clone.manifest(canary=TAGGED)
    with pytest.raises(InvalidInput) as caught:
        clone.release()

    assert caught.value.summary == "the canary expects a tag that the image does not have"


LINKED = ["compose.yaml", "module.yaml", "web.env", "run.sh", "conf", "conf/main.conf", "conf/sites"]


@both
@pytest.mark.parametrize("name", LINKED)
def test_an_input_that_is_a_link_is_refused(clone: Clone, kind: str, name: str) -> None:
    path = clone.path(f"modules/web/{name}")
    path.rename(clone.root / "moved")
    path.symlink_to(os.path.relpath(clone.root / "moved", path.parent))

    with pytest.raises(PolicyViolation) as caught:
        clone.release(kind)
    assert caught.value.reason == "symlink"


@both
def test_a_mounted_link_that_leads_nowhere_is_refused_too(clone: Clone, kind: str) -> None:
    clone.path("modules/web/data").symlink_to("gone")

    with pytest.raises(PolicyViolation) as caught:
        clone.release(kind)
    assert caught.value.reason == "symlink"


@both
def test_a_mounted_file_behind_a_linked_folder_is_refused(clone: Clone, kind: str) -> None:
    clone.write("real/main.conf", "listen 80\n")
    clone.path("modules/web/linked").symlink_to("../../real")
    clone.write("modules/web/compose.yaml", COMPOSE.replace("./data:", "./linked/main.conf:"))

    with pytest.raises(PolicyViolation) as caught:
        clone.release(kind)
    assert caught.value.reason == "symlink"


@both
@pytest.mark.parametrize("mounted", ["./sub", "./sub/file", "."])
def test_a_submodule_among_the_inputs_is_refused(clone: Clone, kind: str, mounted: str, tmp_path: Path) -> None:
    other = Clone(tmp_path / "other", clone.environment)
    other.root.mkdir()
    other.git("init", "--quiet")
    other.write("file", "of another repository\n")
    other.committed()
    clone.git("submodule", "--quiet", "add", str(other.root), "modules/web/sub")
    clone.write("modules/web/compose.yaml", COMPOSE.replace("./data:", f"{mounted}:"))

    with pytest.raises(PolicyViolation) as caught:
        clone.release(kind)
    assert (caught.value.reason, caught.value.file) == ("not-regular", "modules/web/sub")


@both
@pytest.mark.parametrize("name", ["compose.yaml", "web.env", "conf/main.conf"])
def test_a_pointer_to_a_file_kept_elsewhere_is_refused(clone: Clone, kind: str, name: str) -> None:
    clone.write(f"modules/web/{name}", LFS_POINTER)

    with pytest.raises(PolicyViolation) as caught:
        clone.release(kind)
    assert (caught.value.reason, caught.value.file) == ("not-regular", f"modules/web/{name}")


@both
@pytest.mark.parametrize("name", ["web.env", "compose.yaml", "module.yaml"])
def test_a_file_that_is_not_there_is_invalid_input(clone: Clone, kind: str, name: str) -> None:
    (clone.root / "modules/web" / name).unlink()

    with pytest.raises(InvalidInput) as caught:
        clone.release(kind)
    assert caught.value.file == f"modules/web/{name}"


# --- values as Compose reads them -----------------------------------------------------------------

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


def test_one_name_for_several_containers_is_refused_where_compose_would(clone: Clone) -> None:
    several = COMPOSE.replace("    env_file", "    container_name: web\n    deploy: {replicas: 2}\n    env_file")
    clone.write("modules/web/compose.yaml", several)
    with pytest.raises(InvalidInput) as caught:
        clone.release()
    assert (caught.value.file, caught.value.line) == ("modules/web/compose.yaml", 4)

    rare = several.replace("  stranger:", "  stranger:\n    profiles: [rare]\n    container_name: x\n    scale: 2")
    clone.write("modules/web/compose.yaml", rare.replace("replicas: 2", "replicas: 1"))
    assert clone.release().compose.services
