"""`python -m tests.lab`: labs from a shell."""

# ruff: noqa: T201 - printing is what a command line is for

import argparse
import sys
from pathlib import Path

from tests.lab import client, images, lab, registry
from tests.lab.engine import Engine, EngineRefused
from tests.lab.machine import LabError

DIRECTORY = Path(".cache/lab")


def up(arguments: argparse.Namespace) -> None:
    made = lab.Lab.up(arguments.hosts, arguments.dir)
    made.keep()
    for host in made.hosts:
        print(f"{host.name} {host.address}")
    print(f"ssh -F {made.directory / client.SSH_CONFIG} {made.hosts[0].name}")


def down(arguments: argparse.Namespace) -> None:
    if not lab.down(arguments.dir):
        print(f"there is no lab of {arguments.dir}")


def status(_: argparse.Namespace) -> None:
    for number, directory in registry.labs():
        print(f"lab {number} of {directory}")
        try:
            for host in lab.hosts_of(directory):
                print(f"  {host.name} {host.address} pid {host.pid}")
        except LabError as reason:
            print(f"  {reason}")


def images_into(arguments: argparse.Namespace) -> None:
    images.load(Engine(arguments.socket))
    print("\n".join(images.ids()))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="Lab hosts on this machine (as root).")
    verbs = parser.add_subparsers(required=True)
    for name, verb in {"up": up, "down": down, "status": status, "images": images_into}.items():
        command = verbs.add_parser(name)
        command.set_defaults(run=verb)
        if name == "up":
            command.add_argument("hosts", type=int, help="how many")
        if name in {"up", "down"}:
            command.add_argument("--dir", type=Path, default=DIRECTORY, help="client files (default: %(default)s)")
        if name == "images":
            command.add_argument("socket", type=Path, help="the socket of the Docker Engine that is given the images")
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (LabError, EngineRefused, OSError) as reason:
        print(f"lab: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
