"""Modules of one service each, and one approval for the plans of all."""

from collections.abc import Sequence
from pathlib import Path

from tests.platform_repo import PlatformRepo


def service(image: str) -> dict[str, object]:
    """A compose file whose one service has no port, so that several can run on a host."""
    return {"services": {"main": {"image": image}}}


def add(
    repo: PlatformRepo, name: str, image: str, host: str = "rs2000", needs: Sequence[str] = (), **spec: object
) -> None:
    """A module whose service is called main."""
    runtime = {
        "orchestrator": "docker-compose",
        "compose_file": f"modules/{name}/compose.yaml",
        "compose_service": "main",
    }
    repo.add_module(name, service(image), host=host, runtime=runtime, depends_on=needs, **spec)


def index_of(repo: PlatformRepo) -> Path:
    """Plan everything and approve the index."""
    index: str = repo.run("plan", "--all", "--json", expect=1).json["index"]
    repo.approve(repo.root / index)
    return repo.root / index
