"""A pull request wants a say in what only the host's operator may say: the values of the host's own env file.

With `DATA=/etc` in it, a named volume of the judged file would become a folder of the host.
"""

from pathlib import Path

import pytest

from platformctl.model.compose import GIVEN
from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab
ENV_FILE = "modules/web/host.env"
BRINGS = {
    "a mounted file": "volumes: ['./host.env:/brought:ro', '${DATA:-data}:/data']",
    "a mounted folder": "volumes: ['.:/brought:ro', '${DATA:-data}:/data']",
    "a config": "configs: [brought]\n    volumes: ['${DATA:-data}:/data']",
    "an env file": "env_file: host.env\n    volumes: ['${DATA:-data}:/data']",
}


@pytest.mark.parametrize("how", BRINGS)
def test_the_hosts_env_file_is_not_replaced_by_one_of_the_repository(tmp_path: Path, host: Host, how: str) -> None:
    """It stays as the operator left it, and is what the container is shown."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    host.write(ENV_FILE, b"GREETING=hello\n")
    host.sh(f"chmod 600 {host.root}/{ENV_FILE}")
    repo.write(ENV_FILE, "DATA=/etc\n")
    compose = f"services:\n  web:\n    image: platformctl-lab/sleeper:1\n    {BRINGS[how]}\n"
    compose += "volumes: {data: }\nconfigs: {brought: {file: ./host.env}}\n"
    repo.add_module("web", compose, env={"file": ENV_FILE}, health={"timeout": "8s", "stable_for": "0s"})
    repo.deploy("web")
    assert host.sh(f"cat {host.root}/{ENV_FILE}; stat -c %a {host.root}/{ENV_FILE}") == "GREETING=hello\n600\n"
    mounts = host.docker("inspect", "--format", "{{range .Mounts}}{{.Type}} {{.Source}}\n{{end}}", "web-web-1")
    assert "/etc" not in mounts.split()
    assert "volume" in mounts.split()


PLUGIN = """#!/bin/sh
case $1 in
  docker-cli-plugin-metadata) echo '{"SchemaVersion": "0.1.0", "Vendor": "a test", "Version": "2"}' ;;
  *) env | cut -d= -f1 ;;
esac
"""


def test_whatever_compose_is_given_is_known_to_the_judge(host: Host) -> None:
    """In the place of Compose stands a program that tells which variables it has; a step gives it these two words."""
    host.write("tmp-home/.docker/cli-plugins/docker-compose", PLUGIN.encode())
    host.sh(f"chmod 755 {host.root}/tmp-home/.docker/cli-plugins/docker-compose")
    told = host.sh(f"cd {host.root}; env -i HOME={host.root}/tmp-home PATH=$PATH timeout 20 sh -c 'docker compose up'")
    assert {"HOME", "PATH"} <= set(told.split())
    assert [name for name in told.split() if not GIVEN.match(name)] == []
