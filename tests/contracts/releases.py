"""Releases for tests of drivers and plans: files in memory, read as those of a commit are read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from platformctl.errors import InvalidInput
from platformctl.model.desired import Environment, HostEntry, InputFile, Module, ModuleKind, Release, Runtime
from platformctl.model.names import Digest, GitSha, HostName, ModuleId, ProjectName, RepoPath, ServiceName
from platformctl.releases import read_release

SHA = GitSha("c" * 40)
HOST = HostEntry(HostName("one"), "ssh", "/opt/platform", machine_id="m")
FOLDER = "modules/shop"
MODULE = Module(
    id=ModuleId("shop"),
    path=RepoPath(f"{FOLDER}/module.yaml"),
    description="",
    owner="",
    host=HOST.name,
    kind=ModuleKind.SERVICE,
    runtime=Runtime("docker-compose", RepoPath(f"{FOLDER}/compose.yaml"), ServiceName("web"), ProjectName("shop")),
)


@dataclass(frozen=True)
class Files:
    """A `Tree` of files in memory."""

    by_path: Mapping[str, bytes]

    def read(self, path: RepoPath) -> InputFile:
        if path not in self.by_path:
            raise InvalidInput("a file is not there", file=path)
        return InputFile(path, self.by_path[path], Digest.of(self.by_path[path]))

    def read_all(self, paths: Iterable[RepoPath]) -> tuple[InputFile, ...]:
        return tuple(map(self.read, paths))

    def object_id(self, path: RepoPath) -> str | None:
        return Digest.of(self.by_path[path]) if path in self.by_path else None

    def below(self, folder: str) -> tuple[RepoPath, ...]:
        return tuple(sorted(RepoPath(path) for path in self.by_path if path.startswith(folder + "/")))

    def unnameable(self, folder: str) -> tuple[str, ...]:
        return tuple(path for path in self.by_path if path.startswith(folder) and not RepoPath.fits(path))


def a_release(
    compose: str,
    *,
    files: Mapping[str, bytes] | None = None,
    module: Module = MODULE,
    environment: Environment | None = None,
    root: str = HOST.root,
    driver: str = "docker-compose",
) -> Release:
    """The release of `module`, whose compose file says `compose`; `files` lie beside it."""
    runtime = replace(module.runtime, orchestrator=driver)
    module = replace(module, runtime=runtime, env=environment or module.env)
    beside = {f"{FOLDER}/{name}": content for name, content in (files or {}).items()}
    tree = Files({module.path: b"", module.runtime.compose_file: compose.encode(), **beside})
    return read_release(tree, module, replace(HOST, root=root), SHA, dirty=False)
