"""Whatever Compose takes gets a plan or an answer that says why not: no crash, no traceback, in a moment.

A handful of small files in every run; with PLATFORMCTL_CORPUS and `-m thorough`, files that people published.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from time import monotonic

import pytest

from tests.planning import public_files
from tests.platform_repo import Ended, PlatformRepo

SECONDS = 2.0
ENVIRONMENT = {"PATH": os.environ["PATH"]}
ANSWERS = {4, 65}
SMALL = {
    "the least": "services: {a: {image: x}}",
    "merged": "x-base: &base {image: x, restart: always}\nservices:\n  a: {<<: *base, labels: {b: c}}",
    "extended": "services:\n  a: {extends: {service: b}}\n  b: {image: x, environment: [A=1, B]}",
    "extended from elsewhere": "services: {a: {extends: {file: ../other.yaml, service: b}}}",
    "included": "include: [../other.yaml]\nservices: {a: {image: x}}",
    "built": "services: {a: {build: .}}",
    "short and long forms": "services:\n  a:\n    image: x\n    ports: [80, '81:81/udp', {target: 82}]\n"
    "    volumes: [/data, 'named:/n', {type: tmpfs, target: /t}]\n    healthcheck: {test: curl x, interval: 1m30s}\n"
    "volumes: {named: }",
    "a project name": "name: elsewhere\nservices: {a: {image: x}}",
    "a version": "version: '3.8'\nservices: {a: {image: x}}",
    "profiles and scale": "services: {a: {image: x, profiles: [debug], deploy: {replicas: 3, mode: replicated}}}",
    "secrets and configs": "services: {a: {image: x, secrets: [s], configs: [{source: c, target: /c}]}}\n"
    "secrets: {s: {environment: HOME}}\nconfigs: {c: {content: hello}}",
    "the docker socket": "services: {a: {image: x, volumes: ['/var/run/docker.sock:/var/run/docker.sock']}}",
    "unset variables": "services: {a: {image: 'x:${TAG}', environment: {A: '${A:-1}', B: '${B:?none}'}}}",
    "a device": "services: {a: {image: x, devices: [/dev/null], cap_add: [ALL], network_mode: host}}",
    "borrowed": "services:\n  a: {image: x, network_mode: 'service:b', volumes_from: [b]}\n  b: {image: x}",
    "a circle": "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}",
    "watched": "services: {a: {image: x, develop: {watch: [{path: ., action: rebuild}]}}}",
    "tagged": "services: {a: {image: x, ports: !reset [], environment: !override {A: '1'}}}",
    "several documents": "services: {a: {image: x}}\n---\nservices: {a: {image: y}}",
    "no service": "services: {}",
    "a list": "- a\n- b",
    "nothing": "",
    "numbers for names": "services: {1: {image: x}, a: {image: x, depends_on: [1]}}",
    "other types": "services: {a: {image: 5, command: 6, environment: 7, labels: 8, volumes: 9, deploy: 10}}",
    "nulls": "services: {a: {image: x, command: , environment: , labels: , volumes: , networks: , depends_on: }}",
    "deep": "services: {a: {image: x, labels: " + "{b: " * 200 + "c" + "}" * 202,
}


def repository(folder: Path, files: dict[str, str], services: dict[str, str]) -> PlatformRepo:
    """A module for each file; it names the service given for it, or `a`."""
    repo = PlatformRepo.create(folder)
    for name, text in files.items():
        path = f"modules/{name}/compose.yaml"
        runtime = {"orchestrator": "docker-compose", "compose_file": path, "compose_service": services.get(name, "a")}
        repo.write(path, text)
        spec = {"host": "local", "runtime": runtime}
        manifest = {"apiVersion": "platform/v1", "kind": "Module", "metadata": {"id": name}, "spec": spec}
        repo.write(f"modules/{name}/module.yaml", json.dumps(manifest))
    repo.commit()
    return repo


def answered(ended: Ended) -> bool:
    """Whether it ended as a plan or as an answer, and said nothing else."""
    return ended.code in {0, 1, *ANSWERS} and "Traceback" not in ended.stdout + ended.stderr and not ended.stderr


def test_small_files_each_get_a_plan_or_an_answer(tmp_path: Path) -> None:
    files = {name.replace(" ", "-"): text for name, text in SMALL.items()}
    repo = repository(tmp_path, files, {})
    ended = repo.run("plan", "--all", "--offline", "--json")
    planned = {each["module"] for each in ended.json["plans"]}
    failed = {each["module"]: each["error"] for each in ended.json["failed"]}

    assert answered(ended)
    assert planned | failed.keys() == files.keys()
    assert {error["code"] for error in failed.values()} <= ANSWERS
    assert [name for name, error in failed.items() if not (error["summary"] and error["file"])] == []
    assert {"the-least", "merged", "short-and-long-forms", "profiles-and-scale"} <= planned
    assert {"the-docker-socket", "a-device", "no-service", "a-list", "deep"} <= failed.keys()


def loads_alone(path: Path) -> bool:
    """Whether Compose takes the file by itself."""
    words = ("docker", "compose", "-f", str(path), "config", "--quiet")
    return subprocess.run(words, cwd=path.parent, env=ENVIRONMENT, capture_output=True, check=False).returncode == 0


def first_service(text: str) -> str:
    """The first service, or a name that is none where that can not be read."""
    found = re.search(r"^services:\s*\n(?:\s*#.*\n|\s*\n)*\s+[\"']?([\w.-]+)", text, re.MULTILINE)
    return found[1] if found else "a"


@pytest.mark.thorough
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not public_files.files(), reason=public_files.MISSING)
def test_files_that_people_published_each_get_a_plan_or_an_answer(tmp_path: Path) -> None:
    found = {path.parent.name.lower(): path for path in public_files.files()}
    texts = {name: path.read_text() for name, path in found.items()}
    first = {name: first_service(text) for name, text in texts.items()}
    repo = repository(tmp_path, texts, first)
    took, codes = {}, {}
    for name in found:
        began = monotonic()
        ended = repo.run("plan", name, "--offline", "--json")
        took[name], codes[name] = monotonic() - began, ended.code
        assert answered(ended), f"{name}\n{ended}"

    alone = sum(map(loads_alone, found.values()))
    planned = sum(code < 2 for code in codes.values())
    print(f"{len(found)} files, {alone} load alone, {planned} planned, slowest {max(took.values()):.2f} s")  # noqa: T201
    assert {name: seconds for name, seconds in took.items() if seconds >= SECONDS} == {}
