"""The questions to a host about Docker and Compose, and the frame of its answers.

Each question is one POSIX sh script. Its data come as operands or on standard input and are never joined into its text.
An answer is a series of sections. Each ends with a line that bears a random mark, made by the host's kernel for this
answer, so that output of a container or contents of a file can not pass for a section. Starting a process takes a host
about a millisecond, so the shell does itself what it can, and GOMAXPROCS=1 keeps short-lived Go programs from starting
a thread for each processor.
"""

import re
from collections.abc import Callable, Sequence

from platformctl.drivers.compose_engine import ASK, IMAGES, LISTED, of_containers, of_networks, of_volumes, requests
from platformctl.drivers.compose_settings import HOST_CONFIG
from platformctl.errors import Unreachable
from platformctl.model.frozen import dataclass

PROJECT = "com.docker.compose.project"
_MARK = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n")
_END = re.compile(rb"([a-z0-9.-]+) (\d+)\n")

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
"""Part of scripts that collect answers in files: ends them with status 73 on a full disk, which would truncate one."""

IN_MEMORY = """
need_work() { [ -z "$work" ] || return 0
  if work=$(mktemp -d -p /dev/shm 2>/dev/null); then
    if printf '%65536s' '' 2>/dev/null >"$work/room"; then return; fi
    rm -rf "$work"
  fi
  work=$(mktemp -d) || exit 73; }
"""
"""Where files go that are small and soon gone: a full disk must not keep anybody from seeing what runs.

Nor must memory that other programs of the host have filled.
"""

_FOLDERS = '"$config" /usr/local/lib/docker /usr/local/libexec/docker /usr/lib/docker /usr/libexec/docker'
"""The folders that docker searches for its plugins, in its order, as words of the shell."""

# program: print size, path and identity of each file that may be Compose's program. Prints nothing where docker is set
# to search further folders. A small file may be a script that runs another program: the reader tells it by the size.
PROGRAM = """
program() { config=${DOCKER_CONFIG:-$HOME/.docker}; set --
  if [ -e "$config/config.json" ] && grep -q cliPluginsExtraDirs "$config/config.json"; then return; fi
  for folder in @FOLDERS@; do
    [ ! -e "$folder/cli-plugins/docker-compose" ] || set -- "$@" "$folder/cli-plugins/docker-compose"
  done
  [ $# = 0 ] || stat -L -c '%s %n %d %i %y %z' -- "$@"; }
""".replace("@FOLDERS@", _FOLDERS)

# plugin: print the path of Compose's own program, as docker would find it. To run it directly saves that docker starts
# and asks it for its metadata first, which takes as long as Compose's answer. Prints nothing where docker is a link,
# docker or Compose is so small that it must be a script, which may do something else, or there are further folders.
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

# Run Compose's own program with the arguments of docker, or docker itself where `plugin` prints nothing.
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
"""Arguments: the requests for the engine, and yes or no to ask for Compose's version."""

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
"""The fields that are asked of a container, each with its path in the engine's JSON."""


def _form(filled: Callable[[Sequence[str]], str]) -> str:
    """Return a form that prints a container as one JSON object; `filled` returns the placeholder of a path."""
    settings = ",".join(f'"{name}":{filled(("HostConfig", name))}' for name in HOST_CONFIG)
    return f'{{"settings":{{{settings}}},' + ",".join(f'"{n}":{filled(path)}' for n, path in _CONTAINER.items()) + "}"


def _of_docker(path: Sequence[str]) -> str:
    """Return the part of a docker template that prints the value at a path.

    It prints `null` where the parent does not exist: to index nothing would be an error in a template.
    """
    *outer, last = (f' "{name}"' for name in path)
    told = f"{{{{json (index .{last})}}}}"
    return f"{{{{with index .{''.join(outer)}}}}}{told}{{{{else}}}}null{{{{end}}}}" if outer else told


FORMS = (_form(_of_docker), _form(lambda path: f"<{' '.join(path)}>"))
"""The form of a container, as a template for docker, and with the placeholders that perl fills in."""

# Arguments: the requests for the engine, and both forms of a container.
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

# Argument: the requests for the engine.
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
    """Return words that do the same as `argv`, and for `docker compose …` run Compose's own program where possible."""
    return ("sh", "-c", _DIRECTLY, *argv) if argv[:2] == ("docker", "compose") else argv


def identify(*, version: bool) -> tuple[str, ...]:
    """Return the words that ask for the host's identity, and with `version` for Compose's version too."""
    return ("sh", "-c", _IDENTIFY, "identify", requests(["/info"]), "yes" if version else "no")


def watch(project: str | None) -> tuple[str, ...]:
    """Return the words that ask for the containers of a project, of all projects where it is None."""
    asked = requests([of_containers(PROJECT if project is None else _of(project))])
    return ("sh", "-c", _WATCH, "watch", asked, *FORMS)


def watch_whole(project: str) -> tuple[str, ...]:
    """Return the words that ask for a project's containers, networks and volumes."""
    label = _of(project)
    asked = requests([of_networks(label), of_volumes(label), of_containers(label)])
    return ("sh", "-c", _WATCH, "watch-whole", asked, *FORMS)


def images() -> tuple[str, ...]:
    """The words that ask which images there are, also those without a name."""
    return ("sh", "-c", _IMAGES, "images", requests([IMAGES]))


def keep(tags: Sequence[tuple[str, str, str]], project: str) -> tuple[str, ...]:
    """Return the words that tag images, given as id, repository and tag, and then list a project's containers."""
    return ("sh", "-c", _KEEP, "keep", requests([of_containers(_of(project))], tags=tags))


def _of(project: str) -> str:
    return f"{PROJECT}={project}"


@dataclass(frozen=True)
class Section:
    """One section of an answer: its exit status and its bytes."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def lines(self) -> tuple[str, ...]:
        """The body's lines."""
        return tuple(self.text.splitlines())


def read_sections(answer: bytes, host: str) -> dict[str, Section]:
    """Return the sections of an answer by name; raises `Unreachable` for anything that does not fit the frame."""
    mark = _MARK.match(answer)
    if mark is None:
        raise garbage(host, "the answer does not begin as one of ours")
    body, *behind = answer[mark.end() :].split(b"\n%s " % mark[0].strip())
    sections: dict[str, Section] = {}
    for each in behind:
        end = _END.match(each)
        if end is None:
            raise garbage(host, "a section has no end")
        if (name := end[1].decode()) in sections:
            raise garbage(host, "a section stands twice in the answer")
        sections[name] = Section(int(end[2]), body)
        body = each[end.end() :]
    if body:
        raise garbage(host, "the answer goes on behind its last section")
    return sections


def garbage(host: str, detail: str) -> Unreachable:
    """Return the refusal for an answer that can not be understood; it does not repeat the answer."""
    return Unreachable(
        "the host answers garbage",
        detail=f"{host}: {detail}",
        hint=f"platformctl doctor {host}",
        reason="connect",
        host=host,
    )
