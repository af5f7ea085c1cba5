"""What a host is asked about Docker and Compose, and the frame its answers come in.

Each question is one POSIX sh script with its data in "$1"… or on standard input, never joined into the text. An answer
is a row of sections, each ended by a line with a mark that the host's kernel has just made up: what a container or a
file says can not pass for another section. A process costs a host a millisecond, so what the shell can do itself it
does, and programs that soon end are kept from starting a thread for each processor.
"""

import re
from collections.abc import Callable, Sequence

from platformctl.drivers.compose_engine import ASK, IMAGES, LISTED, of_containers, of_networks, of_volumes, requests
from platformctl.drivers.compose_settings import HOST_CONFIG
from platformctl.errors import Unreachable
from platformctl.model.frozen import dataclass

PROJECT = "com.docker.compose.project"
_MARK = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n")

FRAME = """
set -u; umask 077; LC_ALL=C; GOMAXPROCS=1; export LC_ALL GOMAXPROCS
work=; need_work() { [ -n "$work" ] || work=$(mktemp -d) || exit 73; }
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 74' HUP INT TERM PIPE
read -r mark </proc/sys/kernel/random/uuid || exit 74
printf '%s\\n' "$mark"
tell() { section=$1; shift; "$@"; status=$?; printf '\\n%s %s %s\\n' "$mark" "$section" "$status"; }
again() { need_work; "$@" >"$work/again" || "$@" >"$work/again" || "$@" >"$work/again" || return; cat "$work/again"; }
"""

ROOM = """
need_work; printf '%65536s' '' 2>/dev/null >"$work/room" || exit 73
"""
"""Said before answers are put together in files: a full disk must not cut one short."""

IN_MEMORY = """
need_work() { [ -n "$work" ] || work=$(mktemp -d -p /dev/shm 2>/dev/null) || work=$(mktemp -d) || exit 73; }
"""
"""Where files go that are small and soon gone: a full disk must not keep anybody from seeing what runs."""

_FOLDERS = '"$config" /usr/local/lib/docker /usr/local/libexec/docker /usr/lib/docker /usr/libexec/docker'
"""Where docker looks for its plugins, in its order."""

# Without a word when it can not be told: the program may be found otherwise, or be a script that runs another one.
PROGRAM = """
program() { config=${DOCKER_CONFIG:-$HOME/.docker}; set --
  if [ -e "$config/config.json" ] && grep -q cliPluginsExtraDirs "$config/config.json"; then return; fi
  for folder in @FOLDERS@; do
    [ ! -e "$folder/cli-plugins/docker-compose" ] || set -- "$@" "$folder/cli-plugins/docker-compose"
  done
  [ $# = 0 ] || stat -L -c '%s %n %d %i %y %z' -- "$@"; }
""".replace("@FOLDERS@", _FOLDERS)

# plugin: Compose's own program, where docker would find it and both are programs: docker starts itself and asks it what
# it is before, which costs a host as much as Compose's answer. Not a word where a script may mean something else by it.
PLUGIN = """
plugin() { config=${DOCKER_CONFIG:-$HOME/.docker}; docker=$(command -v docker)
  [ ! -L "$docker" ] || return
  if [ -e "$config/config.json" ] && grep -q cliPluginsExtraDirs "$config/config.json"; then return; fi
  for folder in @FOLDERS@; do
    found=$folder/cli-plugins/docker-compose
    if [ -e "$found" ]; then
      sizes=$(stat -L -c %s -- "$docker" "$found") && [ -x "$found" ] || return
      for size in $sizes; do [ "$size" -ge 1048576 ] || return; done
      printf '%s' "$found"; return
    fi
  done; }
""".replace("@FOLDERS@", _FOLDERS)

# Words of docker's, said to Compose's own program where there is one that is found so.
_DIRECTLY = (
    PLUGIN
    + """
program=$(plugin)
if [ -n "$program" ]; then export DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND=docker; exec "$program" "$@"; fi
exec docker "$@"
"""
)

# compose yes|no: its version, or that nobody asked. A program of the name of version 1 may be a later one by itself.
COMPOSE = """
compose() { [ "$1" = yes ] || { echo unasked; return; }
  timeout -k 2 15 docker compose version --short && return
  case $(timeout -k 2 15 docker-compose version --short) in 1.*) echo v1 ;; *) echo missing ;; esac; }
"""

_IDENTIFY = (
    FRAME
    + ASK
    + PROGRAM
    + COMPOSE
    + """
me() { id; read -r machine </etc/machine-id; printf '%s\\n' "$machine"; date +%s
  printf '%s\\n%s\\n' "$HOME" "$PATH"; }
engine() { command -v docker >/dev/null || { echo missing; return; }
  own_socket; if [ -S "$socket" ] && [ ! -w "$socket" ]; then echo permission; return; fi
  ask "$1" || echo down; }
tell me me; tell engine engine "$1"; tell program program; tell compose compose "$2"
"""
)
"""Arguments: what to ask the engine, and whether Compose is to say its version too."""

_LABELS = {
    "project": PROJECT,
    "service": "com.docker.compose.service",
    "hash": "com.docker.compose.config-hash",
    "version": "com.docker.compose.version",
    "oneoff": "com.docker.compose.oneoff",
    "folder": "com.docker.compose.project.working_dir",
    "files": "com.docker.compose.project.config_files",
}
_CONTAINER: dict[str, tuple[str, ...]] = {
    "id": ("Id",),
    "name": ("Name",),
    "image_id": ("Image",),
    "image_ref": ("Config", "Image"),
    **{name: ("Config", "Labels", label) for name, label in _LABELS.items()},
    "networks": ("NetworkSettings", "Networks"),
    "state": ("State", "Status"),
    "exit_code": ("State", "ExitCode"),
    "started_at": ("State", "StartedAt"),
    "restarts": ("RestartCount",),
    "health": ("State", "Health", "Status"),
}
"""What is told of a container, and where the engine has it."""


def _form(filled: Callable[[Sequence[str]], str]) -> str:
    """The form of a container, one object of JSON, with what stands for the field at a path."""
    settings = ",".join(f'"{name}":{filled(("HostConfig", name))}' for name in HOST_CONFIG)
    return f'{{"settings":{{{settings}}},' + ",".join(f'"{n}":{filled(path)}' for n, path in _CONTAINER.items()) + "}"


def _of_docker(path: Sequence[str]) -> str:
    """A field in a template of docker's, which refuses what looks for something in nothing."""
    *outer, last = (f' "{name}"' for name in path)
    told = f"{{{{json (index .{last})}}}}"
    return f"{{{{with index .{''.join(outer)}}}}}{told}{{{{else}}}}null{{{{end}}}}" if outer else told


FORMS = (_form(_of_docker), _form(lambda path: f"<{' '.join(path)}>"))
"""Of a container: docker's template, and what perl fills in."""

# Arguments: what to ask the engine, and both forms of a container.
_WATCH = (
    FRAME
    + IN_MEMORY
    + ROOM
    + ASK
    + LISTED
    + """
tell containers again listed "$@"; tell engine cat "$work/engine"
"""
)

# Argument: what to ask the engine.
_IMAGES = (
    FRAME
    + ASK
    + """
tell engine ask "$1"
"""
)

# Argument: what to ask the engine.
_KEEP = (
    FRAME
    + IN_MEMORY
    + ROOM
    + ASK
    + LISTED
    + """
asked() { ask "$1" >"$work/said"; }
tell asked asked "$1"; tell engine without_secrets "$work/said"
"""
)


def directly(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The words that tell Compose what `argv` tells docker, without docker where that can be."""
    return ("sh", "-c", _DIRECTLY, *argv) if argv[:2] == ("docker", "compose") else argv


def identify(*, version: bool) -> tuple[str, ...]:
    """The words that ask who answers, and with `version` which Compose."""
    return ("sh", "-c", _IDENTIFY, "identify", requests(["/info"]), "yes" if version else "no")


def watch(project: str | None) -> tuple[str, ...]:
    """The words that ask how the containers of a project are, or of every project there is."""
    asked = requests([of_containers(PROJECT if project is None else _of(project))])
    return ("sh", "-c", _WATCH, "watch", asked, *FORMS)


def watch_whole(project: str) -> tuple[str, ...]:
    """The words that ask for a project's networks and volumes too."""
    label = _of(project)
    asked = requests([of_networks(label), of_volumes(label), of_containers(label)])
    return ("sh", "-c", _WATCH, "watch-whole", asked, *FORMS)


def images() -> tuple[str, ...]:
    """The words that ask which images there are, also those without a name."""
    return ("sh", "-c", _IMAGES, "images", requests([IMAGES]))


def keep(tags: Sequence[tuple[str, str, str]], project: str) -> tuple[str, ...]:
    """The words that give images names, by id, repository and tag, and then ask which containers a project has."""
    return ("sh", "-c", _KEEP, "keep", requests([of_containers(_of(project))], tags=tags))


def _of(project: str) -> str:
    return f"{PROJECT}={project}"


@dataclass(frozen=True)
class Section:
    """One framed answer: its exit status and its bytes."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The body; bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def lines(self) -> tuple[str, ...]:
        """The body's lines."""
        return tuple(self.text.splitlines())


def read_sections(answer: bytes, host: str) -> dict[str, Section]:
    """Take an answer apart; raises `Unreachable` for anything that is not in the frame."""
    mark = _MARK.match(answer)
    if mark is None:
        raise garbage(host, "the answer does not begin as one of ours")
    ends = re.compile(rb"\n%s ([a-z0-9.-]+) (\d+)\n" % mark[0].strip())
    *pieces, rest = ends.split(answer[mark.end() :])
    if rest:
        raise garbage(host, "the answer goes on behind its last section")
    rows = zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True)
    sections = {name.decode(): Section(int(status), body) for body, name, status in rows}
    if len(sections) * 3 != len(pieces):
        raise garbage(host, "a section stands twice in the answer")
    return sections


def garbage(host: str, detail: str) -> Unreachable:
    """The refusal for an answer that can not be understood; what was said is not repeated."""
    return Unreachable(
        "the host answers garbage",
        detail=f"{host}: {detail}",
        hint=f"platformctl doctor {host}",
        reason="connect",
        host=host,
    )
