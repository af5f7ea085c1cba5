"""A pull request wants a say in what only the host's operator may say: the values of the host's own env file.

With `DATA=/etc` in it, a named volume of the judged file would become a folder of the host.
"""

from pathlib import Path

import pytest

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
