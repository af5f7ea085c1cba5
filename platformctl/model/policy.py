"""What people agreed on: policy.yaml, and the trust roots that it is one of. Durations are whole seconds."""

from collections.abc import Mapping
from dataclasses import field, replace

from platformctl.model.desired import HostEntry, Strategy
from platformctl.model.forge import ForgeAddress
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, GitSha, HostName, ModuleId, RepoPath


@dataclass(frozen=True)
class Waiver:
    """A rule that is set aside for one module until a day (ISO date, inclusive), and why."""

    module: ModuleId
    rule: str
    reason: str
    expires: str


@dataclass(frozen=True)
class ApprovalRule:
    """How many distinct people must approve a plan for a host.

    `per_label` is by `NAME=VALUE` of the allow-list's labels; `for_hosts` turns it into what each host needs.
    """

    required: int = 1
    destructive: int = 1
    per_host: Mapping[HostName, int] = field(default_factory=dict)
    hardware_only: bool = False
    per_label: Mapping[str, int] = field(default_factory=dict)

    def for_hosts(self, hosts: Mapping[HostName, HostEntry]) -> "ApprovalRule":
        """Return the rule with `per_host` raised to what the labels of `hosts` ask for; the strictest counts."""
        asked = dict(self.per_host)
        for name, entry in hosts.items():
            labels = {f"{label}={value}" for label, value in entry.labels.items()}
            people = max((count for label, count in self.per_label.items() if label in labels), default=0)
            if people > asked.get(name, 0):
                asked[name] = people
        return replace(self, per_host=asked)

    def people_for(self, host: HostName, *, destructive: bool) -> int:
        """Return the number of distinct principals a plan for `host` needs; the strictest of the rules counts."""
        needed = max(self.required, self.per_host.get(host, 0))
        return max(needed, self.destructive) if destructive else needed


@dataclass(frozen=True)
class ForgeRule:
    """What a pull request must show to carry a commit to production: its checks, and people other than its author.

    `required`: every apply must name one. A pull request named by `--approved-pr` is judged in any case.
    """

    address: ForgeAddress
    reviewers: tuple[str, ...]
    checks: tuple[str, ...]
    reviews: int = 1
    required: bool = False


@dataclass(frozen=True)
class RollbackRule:
    """Whether one person may go back to the last healthy release (`preapproved` previous).

    That release may have been applied at most `max_age` seconds ago.
    """

    preapproved: Strategy = Strategy.PREVIOUS
    max_age: int = 30 * 86400


@dataclass(frozen=True)
class Policy:
    """policy.yaml, checked. `expires_in` is how long a plan lives, in seconds; `forbidden_ports` are (first, last)."""

    approvals: ApprovalRule = field(default_factory=ApprovalRule)
    expires_in: int = 86400
    require_merged: bool = True
    rollback: RollbackRule = field(default_factory=RollbackRule)
    first_host: HostName | None = None
    phase: int = 5
    images_allow: tuple[str, ...] = ("*",)
    require_digest: bool = False
    sacred_paths: tuple[RepoPath, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    required_labels: tuple[str, ...] = ()
    forbidden_ports: tuple[tuple[int, int], ...] = ()
    forge: ForgeRule | None = None

    def waives(self, module: ModuleId, rule: str, today: str) -> bool:
        """Return whether a waiver lifts `rule` for `module` on `today` (ISO date)."""
        return any((w.module, w.rule) == (module, rule) and w.expires >= today for w in self.waivers)


@dataclass(frozen=True)
class TrustRoots:
    """Policy, hosts and signers as the trusted ref has them, never as the commit being planned has them.

    `commit` is None when the roots came from a folder. `signers` is the text of allowed_signers, for ssh-keygen,
    `revoked` that of revoked_keys, empty if there is none. The digests are of the files' bytes; that of the signers
    covers both files, as a key that is no longer revoked is a change of who may sign.
    """

    commit: GitSha | None
    policy: Policy
    hosts: Mapping[HostName, HostEntry]
    signers: str
    policy_digest: Digest
    hosts_digest: Digest
    signers_digest: Digest
    origin: str = ""
    revoked: str = ""
