"""Scaffold a platform repository: the trust roots and two keys. Nothing that was there already is touched."""

from collections.abc import Mapping
from pathlib import Path

from platformctl.errors import InvalidInput
from platformctl.model.frozen import dataclass
from platformctl.model.reports import InitReport
from platformctl.store.files import write_atomically
from platformctl.trust.keys import make_key, public_line
from platformctl.trust.signers import APPROVAL, OBSERVATION, PLAN, RECEIPT, TRUST

_POLICY = """\
# What may be planned and who must agree. Every field with its meaning: platformctl schema policy
approvals: {required: 1, destructive: 1}
plan: {expires_in: 24h, require_merged: true}
rollback: {preapproved: previous, max_age: 30d}
phase: 5
images: {allow: ["*"], require_digest: false}
sacred_paths: []
waivers: []
"""
_IGNORED = "plans/\napprovals/\nstate/\njournal/\naudit/\nobservation.json\n"
_PLANNER_NAMESPACES = f"{PLAN},{OBSERVATION}"
_PERSON_NAMESPACES = f"{APPROVAL},{RECEIPT},{TRUST}"


@dataclass(frozen=True)
class InitRequest:
    """Where to scaffold, and what is known of this machine and the person.

    `signing_key` is the key that git signs with, if that is an SSH key.
    """

    root: Path
    keys: Path
    person: str
    planner: str
    signing_key: Path | None
    machine_id: str
    as_root: bool
    environment: Mapping[str, str]


def init(request: InitRequest) -> InitReport:
    """Write what is missing; running it again changes nothing."""
    planner = request.keys / "planner_ed25519"
    approver = request.signing_key or request.keys / "approver_ed25519"
    made = [str(key) for key in (planner, approver) if _make(key, request)]
    files = {
        "hosts.yaml": _hosts(request),
        "policy.yaml": _POLICY,
        "allowed_signers": _signers(request, planner, approver),
        ".gitignore": _IGNORED,
    }
    folder = request.root / ".platform"
    created = [name for name, text in files.items() if _write(folder / name, text, request.root)]
    (request.root / "modules").mkdir(exist_ok=True)
    return InitReport(
        created=tuple(made + [f".platform/{name}" for name in created]),
        kept=tuple(f".platform/{name}" for name in files if name not in created),
        planner=f"planner:{request.planner}",
        approver=request.person,
        warnings=("you are root; hosts should be applied to by a user who is not",) if request.as_root else (),
    )


def _make(key: Path, request: InitRequest) -> bool:
    if key.exists() or key.suffix == ".pub":
        return False
    key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    make_key(key, request.person if key.name.startswith("approver") else request.planner, request.environment)
    return True


def _write(path: Path, text: str, root: Path) -> bool:
    if path.exists():
        return False
    write_atomically(path, text.encode(), 0o644, within=root)
    return True


def _hosts(request: InitRequest) -> str:
    if not request.machine_id:
        raise InvalidInput(
            "this machine has no id", detail="/etc/machine-id is missing or empty", hint="systemd-machine-id-setup"
        )
    allow_root = ", allow_root: true" if request.as_root else ""
    return (
        "# The allow-list: a module names one of these, never an address. platformctl host trust HOST pins a new one.\n"
        "hosts:\n"
        f'  local: {{transport: local, root: /opt/platform, machine_id: "{request.machine_id}"{allow_root}}}\n'
    )


def _signers(request: InitRequest, planner: Path, approver: Path) -> str:
    return (
        "# Who may plan, approve and apply: OpenSSH's allowed_signers. One principal is one person.\n"
        f'planner:{request.planner} namespaces="{_PLANNER_NAMESPACES}" {public_line(planner, request.environment)}\n'
        f'{request.person} namespaces="{_PERSON_NAMESPACES}" {public_line(approver, request.environment)}\n'
    )
