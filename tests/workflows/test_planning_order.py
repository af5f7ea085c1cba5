"""Modules of one run are planned in the order of what they need, or not at all where that has no beginning."""

from pathlib import Path

from tests.platform_repo import WEB, PlatformRepo


def repository(folder: Path, **needs: list[str]) -> PlatformRepo:
    repo = PlatformRepo.create(folder)
    for name, needed in needs.items():
        runtime = {
            "orchestrator": "docker-compose",
            "compose_file": f"modules/{name}/compose.yaml",
            "compose_service": "web",
        }
        repo.add_module(name, WEB, host="local", runtime=runtime, depends_on=needed)
    return repo


def test_what_a_module_needs_is_planned_before_it(tmp_path: Path) -> None:
    repo = repository(tmp_path, api=["db"], db=[], log=["api"])
    report = repo.run("plan", "--all", "--offline", "--json", expect=1).json

    assert [each["module"] for each in report["plans"]] == ["db", "api", "log"]


def test_modules_that_wait_for_each_other_are_refused_by_name(tmp_path: Path) -> None:
    repo = repository(tmp_path, api=["db"], db=["api"], log=[])
    report = repo.run("plan", "--all", "--offline", "--json", expect=65).json

    assert set(report["error"]["detail"].split(" → ")) == {"api", "db"}
