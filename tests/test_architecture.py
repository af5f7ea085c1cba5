"""Who may import whom, and why: the table that keeps deciding apart from doing. It changes together with an ADR.

A room is a package or module directly below `platformctl`. Every room may import itself, `model` and `errors`.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "platformctl"


class May(NamedTuple):
    """What a room may import beside itself, `model` and `errors`, and the reason."""

    imports: tuple[str, ...]
    reason: str


ROOMS = {
    "errors": May((), "the bottom: everything speaks of failure in its words"),
    "model": May((), "nouns: whoever knows them must know nothing else"),
    "paths": May((), "opens files beneath a root for whoever asks"),
    "gitinfo": May((), "runs git; what the bytes mean is for others"),
    "manifests": May(("paths", "sockets"), "reads files beneath a root, which name what is plugged in"),
    "policy": May((), "pure: judges what was loaded"),
    "releases": May(("paths", "gitinfo", "manifests"), "a release is manifests read from a commit or a folder"),
    "planning": May(("drivers.interface",), "pure: the driver says which words bring a change about"),
    "sockets": May((), "names of what can be plugged in; each is imported when it is asked for"),
    "observing": May(("drivers.interface", "transports.interface"), "a driver's questions, a transport's answers"),
    "trust": May((), "decides what may run, so nothing that runs may have a say in it"),
    "applying": May(
        ("trust.verify", "drivers.interface", "transports.interface"),
        "only a VerifiedPlan is run, so the type must be known",
    ),
    "session": May(
        ("store", "applying.hands", "drivers.interface", "transports.interface"),
        "one host under our lock: the real hands of applying",
    ),
    "drivers": May((), "pure: says words and reads answers, runs nothing"),
    "transports": May(("sockets",), "hands: carry words, decide nothing"),
    "store": May(("paths",), "files beneath a root"),
    "forges": May((), "asks a forge and reads its answers; what they are worth is decided in trust"),
    "pipelines": May((), "text for a runner, made of templates and words"),
    "redaction": May((), "the one sink for everything written"),
    "render": May(("redaction",), "what people see goes through the sink"),
    "log": May(("redaction",), "what is logged goes through the sink"),
    "workflows": May(
        (
            *("applying", "drivers.interface", "forges.interface", "gitinfo", "manifests", "observing", "paths"),
            *("pipelines", "planning", "policy", "releases", "session", "store", "transports.interface", "trust"),
        ),
        "the order of safety, told with every room but those that print",
    ),
    "cli": May(("*",), "the door: builds the parts, calls one workflow, prints its report"),
    "__main__": May(("cli",), "starts the program"),
}

DOORS = {
    "click": ("cli", "the command line can be replaced without touching what it calls"),
    "cryptography": ("trust.sshsig", "what lets something run is verified by ssh-keygen"),
    "filelock": ("store", "locks on this machine's files"),
    "httpx2": ("forges", "a token travels with it: redirects, proxies and certificates are settled at one door"),
    "stamina": ("forges", "as httpx2"),
    "paramiko": ("transports.ssh", "slow to import; its exceptions are converted at this door"),
    "platformdirs": ("cli", "where a person's own files lie is asked once, outside"),
    "structlog": ("log", "one set-up, one sink"),
    "yaml": ("manifests", "bytes are bounded and judged before a parser sees them"),
    "yamlcore": ("manifests", "as yaml"),
    "subprocess": (
        "gitinfo trust.keys transports.local transports.openssh transports.tailscale",
        "each program that is run here has one door",
    ),
    "socket": ("transports applying", "the network is touched by hands and by the canary"),
    "http": ("applying transports.tailscale", "as socket"),
    "urllib.request": ("", "follows redirects and proxies on its own; the canary must not"),
}

OUTSIDE = {
    "datetime.now": "time is an argument, so that same input means same output",
    "datetime.utcnow": "as now",
    "datetime.today": "as now",
    "date.today": "as now",
    "time.time": "as now; time.monotonic measures, it does not tell the time",
    "os.environ": "settings are arguments, so that none can be changed behind a caller's back",
    "os.getenv": "as environ",
    "sys.exit": "only the door ends the process, so that no other code than the table's can come out",
    "os._exit": "as exit",
}
"""What appears in the outermost rooms alone."""

OUTERMOST = ("cli", "__main__")


class Module(NamedTuple):
    """One module by its name below `platformctl`, and its text."""

    name: str
    text: str

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]


def offences(module: Module) -> Iterator[str]:
    """Everything in a module that the tables refuse, with the reason."""
    tree = ast.parse(module.text)
    for imported in imports(tree):
        yield from refused_import(module, imported)
    if module.room not in OUTERMOST:
        names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
        names |= set(imports(tree))
        for name, reason in OUTSIDE.items():
            if any(used == name or used.endswith("." + name) for used in names):
                yield f"{module.name} uses {name}: {reason}"


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of everything imported, wherever the import stands; `from a import b` is `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def refused_import(module: Module, imported: str) -> Iterator[str]:
    if imported.startswith("platformctl."):
        yield from refused_room(module, imported.removeprefix("platformctl."))
        return
    door = next((name for name in DOORS if is_at_or_below(imported, name)), None)
    if door:
        rooms, reason = DOORS[door]
        if not any(is_at_or_below(module.name, room) for room in rooms.split()):
            yield f"{module.name} imports {imported}: {reason}"
    elif imported.partition(".")[0] not in sys.stdlib_module_names:
        yield f"{module.name} imports {imported}, which has no door"


def refused_room(module: Module, imported: str) -> Iterator[str]:
    allowed, reason = ROOMS[module.room]
    own = () if module.room == "errors" else ("errors", "model") if module.room != "model" else ("errors",)
    names = (module.room, "__version__", *own, *allowed)
    if "*" not in allowed and not any(is_at_or_below(imported, name) for name in names):
        yield f"{module.name} imports platformctl.{imported}: {module.room} may import {allowed or 'no room'}: {reason}"


def is_at_or_below(name: str, top: str) -> bool:
    return name == top or name.startswith(top + ".")


def modules() -> Iterator[Module]:
    """Every module of the package but `platformctl` itself."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if name:
            yield Module(name, path.read_text())


@pytest.mark.parametrize("module", list(modules()), ids=lambda module: module.name)
def test_a_module_imports_only_what_the_table_allows(module: Module) -> None:
    assert list(offences(module)) == []


def test_every_room_stands_in_the_table() -> None:
    assert {module.room for module in modules()} <= ROOMS.keys()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("planning.diff", "from platformctl.transports import ssh"),
        ("planning.diff", "from platformctl import store"),
        ("planning.diff", "def f():\n    import platformctl.drivers.docker_compose"),
        ("applying.run", "from platformctl.trust.keys import Signer"),
        ("model.plan", "from platformctl.paths import read_beneath"),
        ("errors", "from platformctl.model.names import Digest"),
        ("workflows", "from platformctl.render import human"),
        ("drivers.docker_compose", "import subprocess"),
        ("policy.rules", "import yaml"),
        ("manifests.load", "import requests"),
        ("transports.local", "import paramiko"),
        ("applying.canary", "import urllib.request"),
        ("store.files", "from . import chain"),
        ("store.files", "import os\nhome = os.environ['HOME']"),
        ("store.files", "from os import environ"),
        ("trust.verify", "import datetime\nnow = datetime.datetime.now(datetime.UTC)"),
        ("trust.verify", "from datetime import datetime\nclock = datetime.now"),
        ("workflows", "import sys\nsys.exit(0)"),
    ],
)
def test_the_table_refuses(name: str, text: str) -> None:
    assert len(list(offences(Module(name, text)))) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("planning.diff", "from platformctl.drivers.interface import Driver\nfrom platformctl.model.plan import Plan"),
        ("applying.run", "from platformctl.trust.verify import VerifiedPlan"),
        ("transports.ssh.login", "import paramiko"),
        ("cli.entry", "import click, os, sys\nsys.exit(os.environ['X'])"),
        ("store.files", "import os\nos.fsync(3)"),
    ],
)
def test_the_table_allows(name: str, text: str) -> None:
    assert list(offences(Module(name, text))) == []
