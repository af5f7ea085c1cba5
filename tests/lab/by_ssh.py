"""A host of the lab as somebody sees it who has its client files and the real ssh program."""

import subprocess

from tests.lab import Host

COMPOSE = b"""\
services:
  web:
    image: platformctl-lab/web:1
    ports: ["8080:8080"]
    restart: unless-stopped
"""
UP = "docker compose -f /opt/platform/web/compose.yaml -p web up -d --pull never"


def ssh(host: Host, *command: str, patience: int = 20) -> subprocess.CompletedProcess[str]:
    words = (*ssh_to(host, patience), *command)
    return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def ssh_to(host: Host, patience: int = 20) -> tuple[str, ...]:
    settings = str(host.key_path.with_name("lab_ssh_config"))
    return ("ssh", "-F", settings, "-o", f"ConnectTimeout={patience}", host.name)


def serve_web(host: Host) -> None:
    host.write("web/compose.yaml", COMPOSE)
    started = ssh(host, UP)
    assert started.returncode == 0, started.stderr
