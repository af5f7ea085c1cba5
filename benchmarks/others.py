"""What people run today for the same: pyinfra, and ansible with community.docker, both with their own defaults.

They are measured where they are on PATH or named by PYINFRA and ANSIBLE_PLAYBOOK; ansible with as many forks as hosts.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab import Host

PYINFRA, ANSIBLE = "pyinfra", "ansible-playbook"
_DEPLOY = """\
from pyinfra import host
from pyinfra.operations import server
for up in host.data.ups:
    server.shell(commands=[up])
"""


@dataclass(frozen=True)
class Project:
    """A Compose project on a host: its name, its file and the folder it is of."""

    name: str
    file: str
    folder: str

    @property
    def up(self) -> str:
        """What brings it up by hand."""
        where = f"-f {self.file} -p {self.name} --project-directory {self.folder} --env-file /dev/null"
        return f"docker compose {where} up -d"


@dataclass(frozen=True)
class Others:
    """Hosts with the projects of each, and a folder for what the programs read."""

    folder: Path
    hosts: Sequence[Host]
    projects: Sequence[Sequence[Project]]

    def ways(self) -> dict[str, Callable[..., None]]:
        """Each program that is there, by name; its operands are more of its flags."""
        found = {name: os.environ.get(variable) or shutil.which(name) for name, variable in _NAMED.items()}
        for name, program in found.items():
            if not program:
                print(f"{name}: not measured, it is not on PATH")
        runs = {PYINFRA: self._pyinfra, ANSIBLE: self._ansible}
        return {name: runs[name](program) for name, program in found.items() if program}

    def write(self, mode: str = "0") -> None:
        """The same hosts and projects in their words, with MODE in the environment of every `up`."""
        ssh = {
            "ssh_user": self.hosts[0].user,
            "ssh_key": str(self.hosts[0].key_path),
            "ssh_known_hosts_file": "/dev/null",
        }
        pairs = list(zip(self.hosts, self.projects, strict=True))
        data = [(host.address, {**ssh, "ups": [f"MODE={mode} {each.up}" for each in these]}) for host, these in pairs]
        (self.folder / "inventory.py").write_text(f"hosts = {data!r}\n")
        (self.folder / "deploy.py").write_text(_DEPLOY)
        user = {"ansible_user": self.hosts[0].user, "ansible_ssh_private_key_file": str(self.hosts[0].key_path)}
        listed = {host.address: {**user, "projects": [asdict(each) for each in these]} for host, these in pairs}
        (self.folder / "inventory.json").write_text(json.dumps({"all": {"hosts": listed}}))
        (self.folder / "playbook.json").write_text(json.dumps([_play(mode)]))

    def _pyinfra(self, program: str) -> Callable[..., None]:
        words = (str(self.folder / "inventory.py"), str(self.folder / "deploy.py"))
        return lambda *flags: _run(program, "-y", *flags, *words)

    def _ansible(self, program: str) -> Callable[..., None]:
        words = ("-f", str(len(self.hosts)), "-i", str(self.folder / "inventory.json"))
        return lambda *flags: _run(program, *flags, *words, str(self.folder / "playbook.json"))


_NAMED = {PYINFRA: "PYINFRA", ANSIBLE: "ANSIBLE_PLAYBOOK"}


def _play(mode: str) -> dict[str, object]:
    project = {
        "project_src": "{{ item.folder }}",
        "project_name": "{{ item.name }}",
        "files": ["{{ item.file }}"],
        "env_files": ["/dev/null"],
    }
    task = {
        "community.docker.docker_compose_v2": project,
        "loop": "{{ projects }}",
        "environment": {"MODE": mode},
    }
    return {"hosts": "all", "tasks": [task]}


def _run(*words: str) -> None:
    environment = {**os.environ, "ANSIBLE_HOST_KEY_CHECKING": "False"}
    done = subprocess.run(words, check=False, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
