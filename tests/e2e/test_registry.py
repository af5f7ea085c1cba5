"""Images from a registry: resolved to a digest when planning, pulled by that digest when applying."""

import base64
import json
from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import SETTINGS, overheard, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo, host_entry

pytestmark = pytest.mark.lab

NAME = "127.0.0.1:5000/web"
CONFIGURATION = """\
version: 0.1
storage: {filesystem: {rootdirectory: /run/registry/data}}
http: {addr: "127.0.0.1:5000"}
"""
PASSWORD, HASHED = "open-sesame", "$2b$05$DsyPeuyPqLTuwsvNeStnvOLRL3wmzt9WuFwHlRnXA/kAK8BEjYOU6"
"""What the registry's users come in with, and what it has of that (bcrypt)."""


@pytest.fixture
def registry(host: Host) -> Host:
    """A real registry on the host's own loopback."""
    serve(host, CONFIGURATION)
    return host


def serve(host: Host, configuration: str) -> None:
    """It ends with the host's next reset, and is asked until it answers, be it that nobody may come in."""
    host.sh("mkdir -p /run/registry && cat >/run/registry/config.yml", configuration.encode())
    host.sh("""
        pkill -x docker-registry; while pgrep -x docker-registry >/dev/null; do sleep 0.05; done
        setsid docker-registry serve /run/registry/config.yml >/dev/null 2>&1 &
        timeout 50 sh -c 'until busybox wget -S -O /dev/null http://127.0.0.1:5000/v2/ 2>&1 | grep -q HTTP/; do
            sleep 0.05; done'
    """)


def push(host: Host, tag: str, image: str) -> str:
    """Push a lab image under another name, forget that name here, and return its digest reference."""
    host.docker("tag", image, f"{NAME}:{tag}")
    host.docker("push", "-q", f"{NAME}:{tag}")
    digest = host.docker("image", "inspect", "--format", "{{index .RepoDigests 0}}", f"{NAME}:{tag}").strip()
    host.docker("rmi", f"{NAME}:{tag}")
    return digest


def push_unseen(host: Host, tag: str, image: str) -> str:
    """Push as somebody else does: what the name means on the host stays as it is."""
    before = host.docker("image", "inspect", "--format", "{{.Id}}", f"{NAME}:{tag}").strip()
    digest = push(host, tag, image)
    host.docker("tag", before, f"{NAME}:{tag}")
    return digest


def module_of(repo: PlatformRepo, image: str, **more: object) -> None:
    """The web module with another image, committed."""
    repo.add_module("web", {"services": {"web": {**WEB["services"]["web"], "image": image, **more}}})


def test_an_image_the_host_does_not_have_is_planned_and_run_by_digest(tmp_path: Path, registry: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": registry})
    digest = push(registry, "live", "platformctl-lab/web:1")
    module_of(repo, f"{NAME}:live")

    plan = repo.plan("web")

    images = repo.run("show", plan, "--json").json["plan"]["images"]
    assert [(image["ref"], image["digest"]) for image in images] == [(f"{NAME}:live", digest)]
    repo.approve(plan)
    repo.apply(plan)
    assert registry.http(8080) == (200, "version 1\n")


def test_an_image_that_has_several_names_is_planned_by_its_own(tmp_path: Path, registry: Host) -> None:
    """The engine lists the digests of an image under all names that it was pulled or pushed by."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": registry})
    for name in ("aaa", "zzz"):
        registry.docker("tag", "platformctl-lab/web:1", f"127.0.0.1:5000/{name}:1")
        registry.docker("push", "-q", f"127.0.0.1:5000/{name}:1")
    module_of(repo, "127.0.0.1:5000/zzz:1")

    (image,) = repo.run("plan", "web", "--json", expect=1).json["plans"][0]["plan"]["images"]
    assert image["digest"].startswith("127.0.0.1:5000/zzz@sha256:")


def test_a_pull_is_given_up_when_the_time_of_the_host_is_over(tmp_path: Path, registry: Host) -> None:
    """And is that of the entry, which is in no plan; with more of it the same release is pulled."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": registry})
    push(registry, "live", "platformctl-lab/web:1")
    registry.docker("rmi", "-f", "platformctl-lab/web:1")
    repo.hosts_file({"rs2000": {**host_entry(registry), "timeouts": {"pull": "1s"}}})
    module_of(repo, f"{NAME}:live")
    plan = repo.plan("web")
    repo.approve(plan)

    with untouched(registry), overheard(registry, 'case "$1" in pull) exec sleep 30 ;; esac'):
        error = refusal(repo.apply(plan, expect=14), 14)
    assert error["host"] == "rs2000"

    repo.hosts_file({"rs2000": host_entry(registry)})
    repo.commit()
    repo.deploy("web")


def test_a_tag_that_moved_since_the_plan_makes_it_stale(tmp_path: Path, registry: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": registry})
    push(registry, "live", "platformctl-lab/web:1")
    module_of(repo, f"{NAME}:live")
    plan = repo.plan("web")
    repo.approve(plan)

    push(registry, "live", "platformctl-lab/web:2")

    assert repo.apply(plan, expect=7).json["error"]["reason"] == "changed"
    assert registry.docker("ps", "-aq") == ""


def test_an_image_nobody_knows_is_refused_when_planning(tmp_path: Path, registry: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": registry})
    module_of(repo, f"{NAME}:nowhere")

    refused = repo.run("plan", "web", "--json", expect=4)

    assert f"{NAME}:nowhere" in refused.json["error"]["detail"]


@pytest.mark.parametrize("policy", ["always", "missing"])
def test_a_tag_that_moved_in_its_registry_is_a_change_where_each_up_would_ask_it(
    tmp_path: Path, registry: Host, policy: str
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": registry})
    push(registry, "live", "platformctl-lab/web:1")
    module_of(repo, f"{NAME}:live", pull_policy=policy)
    repo.deploy("web")
    assert repo.run("plan", "web").code == 0

    after = push_unseen(registry, "live", "platformctl-lab/web:2")
    if policy != "always":
        assert repo.run("plan", "web").code == 0
        return
    plan = repo.plan("web", name="moved")

    (change,) = repo.run("show", plan, "--json").json["plan"]["changes"]
    assert (change["action"], change["causes"], change["after"]["image_digest"]) == (
        "recreate",
        ["image-digest"],
        after,
    )
    repo.approve(plan)
    repo.apply(plan)
    assert registry.http(8080) == (200, "version 2\n")
    assert repo.run("plan", "web").code == 0


def test_a_registry_that_decides_and_does_not_answer_is_a_refusal(tmp_path: Path, registry: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": registry})
    push(registry, "live", "platformctl-lab/web:1")
    module_of(repo, f"{NAME}:live", pull_policy="always")
    repo.deploy("web")

    registry.sh("pkill -x docker-registry")

    assert f"{NAME}:live" in repo.run("plan", "web", "--json", expect=4).json["error"]["detail"]


def test_a_tag_that_moved_on_the_host_is_a_change_of_the_image_by_digest(tmp_path: Path, registry: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": registry})
    before = push(registry, "live", "platformctl-lab/web:1")
    module_of(repo, f"{NAME}:live")
    repo.deploy("web")

    after = push(registry, "live", "platformctl-lab/web:2")
    registry.docker("pull", "-q", f"{NAME}:live")
    plan = repo.plan("web", name="moved")

    (change,) = repo.run("show", plan, "--json").json["plan"]["changes"]
    assert (change["action"], change["causes"]) == ("recreate", ["image-digest"])
    assert (change["before"]["image_digest"], change["after"]["image_digest"]) == (before, after)
    assert change["before"]["image"] == change["after"]["image"] == f"{NAME}:live"
    repo.approve(plan)
    repo.apply(plan)
    assert registry.http(8080) == (200, "version 2\n")


def test_a_private_registry_is_entered_by_the_agents_own_login_and_nobody_hears_it(tmp_path: Path, host: Host) -> None:
    serve(host, CONFIGURATION + "auth: {htpasswd: {realm: lab, path: /run/registry/htpasswd}}\n")
    host.sh("cat >/run/registry/htpasswd", f"agent:{HASHED}\n".encode())
    login = {"auths": {"127.0.0.1:5000": {"auth": base64.b64encode(f"agent:{PASSWORD}".encode()).decode()}}}
    host.sh("mkdir -p /run/login && cat >/run/login/config.json", json.dumps(login).encode())
    host.sh(f"""
        docker create --name other platformctl-lab/web:1; docker commit other {NAME}:live; docker rm other
        docker --config /run/login push -q {NAME}:live; docker rmi {NAME}:live
    """)
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    module_of(repo, f"{NAME}:live")

    refused = repo.run("plan", "web", "--json", expect=4)
    host.write(SETTINGS, json.dumps(login).encode())
    plan = repo.plan("web")
    repo.approve(plan)
    applied = repo.apply(plan)

    assert "live" in refused.json["error"]["summary"] + refused.json["error"]["detail"]
    assert host.http(8080) == (200, "version 1\n")
    secrets = (PASSWORD, login["auths"]["127.0.0.1:5000"]["auth"])
    assert not any(secret in ended.stdout + ended.stderr for secret in secrets for ended in (refused, applied))
    assert not any(secret in plan.read_text() for secret in secrets)
