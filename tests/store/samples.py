"""Values the store's tests write."""

from platformctl.model.names import Digest, GitSha, HostName, ModuleId, RepoPath
from platformctl.model.plan import PlannedFile, PlannedImage
from platformctl.model.state import ModuleStatus, RunningContainer

PLAN = Digest.parse("sha256:" + "a" * 64)
OTHER_PLAN = Digest.parse("sha256:" + "b" * 64)
HOST = HostName.parse("rs2000")
AT = "2025-01-01T00:00:00Z"


def status(module: str = "web", serial: int = 1, **fields: object) -> ModuleStatus:
    """A module's state as an apply would leave it."""
    values: dict[str, object] = {
        "module": ModuleId.parse(module),
        "host": HOST,
        "last_apply_sha": GitSha.parse("c" * 40),
        "last_apply_pr": 7,
        "plan_digest": PLAN,
        "applied_at": AT,
        "desired": OTHER_PLAN,
        "inputs": PLAN,
        "files": tuple(PlannedFile(RepoPath.parse(f"compose/{n}.yaml"), PLAN, 0o644) for n in range(5)),
        "images": (PlannedImage("redis:7", None, PLAN), PlannedImage("web:1", "web@sha256:1", OTHER_PLAN)),
        "containers": (RunningContainer("web", "c1", PLAN), RunningContainer("db", "c2", OTHER_PLAN)),
        "previous": None,
        "attempt": {"outcome": "APPLIED"},
        "serial": serial,
    }
    return ModuleStatus(**{**values, **fields})  # type: ignore[arg-type]
