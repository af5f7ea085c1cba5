"""What every workflow is given, and what most begin with: the trust roots, the modules, a host by name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from platformctl.errors import Interrupted, InvalidInput, PolicyViolation, ToolError
from platformctl.gitinfo import Repository
from platformctl.manifests.load import read_hosts, read_policy
from platformctl.model.desired import HostEntry, Module
from platformctl.model.frozen import dataclass
from platformctl.model.moment import Moment
from platformctl.model.names import Digest, GitSha, HostName, ModuleId, RepoPath
from platformctl.model.policy import TrustRoots
from platformctl.model.secret import Secret
from platformctl.releases.trees import CommitTree, FolderTree, Tree
from platformctl.store.states import StateStore
from platformctl.trust.keys import Keyring

if TYPE_CHECKING:  # importing these takes time, which commands without them are spared
    from platformctl.applying.clock import Clock
    from platformctl.drivers.interface import Driver
    from platformctl.forges.interface import Forge
    from platformctl.model.events import Event
    from platformctl.model.forge import ForgeAddress
    from platformctl.store.audit import AuditLog
    from platformctl.store.journal import Journals
    from platformctl.transports.interface import Transport
    from platformctl.workflows.neighbours import Neighbours

PLATFORM = ".platform"
_SIGNERS, _REVOKED = "allowed_signers", "revoked_keys"
TRUST_ROOTS = tuple(f"{PLATFORM}/{name}" for name in ("hosts.yaml", "policy.yaml", _SIGNERS, _REVOKED))
"""Paths of the trust roots: whoever writes them decides. The last may be missing."""


@dataclass(frozen=True)
class TrustSource:
    """Where trust roots come from: a ref, a folder, or (neither given) the trusted ref."""

    ref: str | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class Parts:
    """The bundle that the command line builds. It has the way to each room and no behaviour of its own.

    `hide` is the sink as it was at the start, so that the same input gives the same plan; `clean` is the sink with
    every secret learnt since. `get_ready` may be called ahead with the hosts to `reach` and what else to load.
    `keyrings`, by signers and revoked keys, and `manifests`, by commit, hold what was made or read before in this run.
    """

    root: Path
    repository: Repository
    environment: Mapping[str, str]
    clock: "Clock"
    reach: "Callable[[HostEntry], Transport]"
    get_ready: "Callable[[Iterable[HostEntry], Iterable[Callable[[], None]]], None]"
    forge: "Callable[[ForgeAddress], Forge]"
    driver_for: "Callable[[str], Driver]"
    tell: "Callable[[Event], None]"
    learn: Callable[[Iterable[Secret]], None]
    hide: Callable[[str], str]
    clean: Callable[[str], str]
    interrupted: Callable[[], type[Interrupted] | None]
    operator: str
    tool_version: str
    trust_source: TrustSource = TrustSource()
    keyrings: dict[tuple[str, str], Keyring] = field(default_factory=dict, compare=False, repr=False)
    manifests: "dict[GitSha, Neighbours]" = field(default_factory=dict, compare=False, repr=False)

    @property
    def platform(self) -> Path:
        """The folder `.platform` of this clone."""
        return self.root / PLATFORM

    @property
    def states(self) -> StateStore:
        """What this clone knows of modules."""
        return StateStore(self.platform)

    @property
    def journals(self) -> "Journals":
        """This clone's journals."""
        from platformctl.store.journal import Journals

        return Journals(self.platform)

    @property
    def audit(self) -> "AuditLog":
        """This clone's audit chain."""
        from platformctl.store.audit import AuditLog

        return AuditLog(self.platform)

    def driver_of(self, module: Module) -> "Driver":
        """Return the driver that a module's manifest names."""
        return self.driver_for(module.runtime.orchestrator)


def moment(at: datetime) -> Moment:
    """A time as every file has it."""
    return Moment.of(at)


def trust_roots(parts: Parts) -> TrustRoots:
    """Return policy, hosts and signers from the trusted ref or folder, never from the commit that is planned."""
    source = parts.trust_source
    if source.folder is not None:
        return _roots(FolderTree(source.folder.resolve()), None, f"folder {source.folder}", prefix="")
    commit = parts.repository.trusted_ref(source.ref)
    return roots_at(parts, commit, source.ref or "trusted ref")


def folder_roots(parts: Parts) -> TrustRoots:
    """Return the trust roots as they lie in the working tree: for `validate`, which decides nothing."""
    return _roots(FolderTree(parts.root), None, "the working tree", prefix=PLATFORM + "/")


def roots_at(parts: Parts, commit: GitSha, origin: str) -> TrustRoots:
    """Return the trust roots as one commit has them."""
    return _roots(CommitTree(parts.repository, commit), commit, origin, prefix=PLATFORM + "/")


def keyring(parts: Parts, roots: TrustRoots) -> Keyring:
    """Return the keyring of the trust roots' signers.

    It is the same for the whole run, and remembers which signatures it found to hold.
    """
    known = (roots.signers, roots.revoked)
    if known not in parts.keyrings:
        parts.keyrings[known] = Keyring(roots.signers, environment=parts.environment, revoked=roots.revoked)
    return parts.keyrings[known]


def require_module(known: Sequence[ModuleId], name: str) -> ModuleId:
    """Return the module of that name; raise `InvalidInput` with the nearest name if there is none."""
    if name in known:
        return ModuleId.parse(name)
    raise no_such_module(known, name)


def no_such_module(known: Sequence[ModuleId], name: str) -> InvalidInput:
    """Return the refusal of a name that no module has, with the nearest one."""
    near = get_close_matches(name, known, n=1)
    return InvalidInput(
        "there is no such module",
        detail=f"modules has: {', '.join(known) or 'nothing'}",
        hint=f"did you mean {near[0]}?" if near else "platformctl validate",
    )


def require_host(roots: TrustRoots, name: HostName, *, file: str | None = None) -> HostEntry:
    """Return a host of the allow-list by name; raise `PolicyViolation` for any other."""
    if name in roots.hosts:
        return roots.hosts[name]
    near = get_close_matches(name, roots.hosts, n=1)
    raise PolicyViolation(
        "the host is not on the allow-list",
        detail=f"{name} is not in .platform/hosts.yaml of {roots.origin}",
        hint=f"did you mean {near[0]}?" if near else "add it to .platform/hosts.yaml and have that merged",
        reason="host-allow-list",
        file=file,
        host=name,
    )


def _roots(tree: Tree, commit: GitSha | None, origin: str, *, prefix: str) -> TrustRoots:
    hosts, policy, signers = (_root_file(tree, prefix + n, origin) for n in ("hosts.yaml", "policy.yaml", _SIGNERS))
    revoked = _read(tree, RepoPath.parse(prefix + _REVOKED))
    entries = read_hosts(hosts, f"{PLATFORM}/hosts.yaml")
    rules = read_policy(policy, f"{PLATFORM}/policy.yaml")
    return TrustRoots(
        commit=commit,
        policy=replace(rules, approvals=rules.approvals.for_hosts(entries)),
        hosts=entries,
        signers=_text(signers, _SIGNERS),
        revoked=_text(revoked or b"", _REVOKED),
        policy_digest=Digest.of(policy),
        hosts_digest=Digest.of(hosts),
        signers_digest=Digest.of(signers if revoked is None else b"%b\0%b" % (signers, revoked)),
        origin=origin,
    )


def _root_file(tree: Tree, name: str, origin: str) -> bytes:
    path = RepoPath.parse(name)
    content = _read(tree, path)
    if content is None:
        raise ToolError(
            "a trust root is missing",
            detail=f"{origin} has no {path}",
            hint="platformctl init, then commit .platform",
            file=path,
        )
    return content


def _read(tree: Tree, path: RepoPath) -> bytes | None:
    return None if tree.object_id(path) is None else tree.read(path).content


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("a trust root is not UTF-8", file=f"{PLATFORM}/{name}") from error


def shown(parts: Parts, path: Path) -> str:
    """Return a path as the operator would type it: relative to the clone if it lies there."""
    return str(path.relative_to(parts.root)) if path.is_relative_to(parts.root) else str(path)
