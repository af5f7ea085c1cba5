"""What a host is asked about Docker and Compose, and the frame its answers come in.

Each question is one POSIX sh script with its data in "$1"… or on standard input, never joined into the text. An answer
is a row of sections, `name status size` and then so many bytes: what a container or a file says can not pass for
another section. Compose takes as long as all the rest of a question, so it is asked ahead and answers meanwhile.
"""

import re
from dataclasses import dataclass

from platformctl.drivers.compose_settings import HOST_CONFIG
from platformctl.errors import Unreachable

_HEADER = re.compile(rb"([a-z0-9.-]+) (\d+) (\d+)\n")

FRAME = """
set -u; umask 077; LC_ALL=C; export LC_ALL
work=$(mktemp -d) || exit 73
trap 'rm -rf "$work"' EXIT
head -c 65536 /dev/zero >"$work/room" && rm "$work/room" || exit 73
trap 'exit 74' HUP INT TERM
tell() { section=$1; shift; status=0; "$@" >"$work/out" 2>"$work/err" || status=$?
  printf '%s %s %s\\n' "$section" "$status" "$(wc -c <"$work/out")"; cat "$work/out"
  [ "$status" = 0 ] || { printf '%s-error 0 %s\\n' "$section" "$(wc -c <"$work/err")"; cat "$work/err"; }; }
ahead() { "$@" >"$work/ahead" 2>"$work/ahead-err"; echo $? >"$work/ahead-status"; }
again() { "$@" >"$work/again" || "$@" >"$work/again" || "$@" >"$work/again" || return; cat "$work/again"; }
later() { wait; cat "$work/ahead-err" >&2; cat "$work/ahead"; return "$(cat "$work/ahead-status")"; }
"""

IDENTIFY = (
    FRAME
    + """
me() { printf '%s\\n%s\\n%s\\n%s\\n%s\\n' "$(id -u)" "$(id -un)" "$(cat /etc/machine-id)" "$(date +%s)" "$HOME"; }
engine() { command -v docker >/dev/null || { echo missing; return; }
  socket=${DOCKER_HOST:-unix:///var/run/docker.sock}; socket=${socket#unix://}
  if [ -S "$socket" ] && [ ! -w "$socket" ]; then echo permission; return; fi
  timeout -k 2 15 docker info --format '{{.ID}} {{.ServerVersion}} {{.Architecture}}' || echo down; }
compose() { timeout -k 2 15 docker compose version --short && return
  if command -v docker-compose >/dev/null; then echo v1; else echo missing; fi; }
ahead compose &
tell me me; tell path printenv PATH; tell engine engine; tell compose later
"""
)

_SETTINGS = ",".join(f'"{name}":{{{{json (index .HostConfig "{name}")}}}}' for name in HOST_CONFIG)
# `index` and not a field for what is absent at times, as Health is where no check exists: docker's template refuses it.
CONTAINER = (
    '{"id":{{json .Id}},"name":{{json .Name}},"image_id":{{json .Image}},"image_ref":{{json .Config.Image}},'
    '"project":{{json (index .Config.Labels "com.docker.compose.project")}},'
    '"service":{{json (index .Config.Labels "com.docker.compose.service")}},'
    '"hash":{{json (index .Config.Labels "com.docker.compose.config-hash")}},'
    '"version":{{json (index .Config.Labels "com.docker.compose.version")}},'
    '"oneoff":{{json (index .Config.Labels "com.docker.compose.oneoff")}},'
    '"folder":{{json (index .Config.Labels "com.docker.compose.project.working_dir")}},'
    '"files":{{json (index .Config.Labels "com.docker.compose.project.config_files")}},'
    '"networks":{{json .NetworkSettings.Networks}},"settings":{' + _SETTINGS + "},"
    '"state":{{json .State.Status}},"exit_code":{{json .State.ExitCode}},"started_at":{{json .State.StartedAt}},'
    '"restarts":{{json .RestartCount}},"health":{{with index .State "Health"}}{{json .Status}}{{else}}null{{end}}}'
)
_LABELLED = '"name":{{json .Name}},"labels":{{json .Labels}},"driver":{{json .Driver}},"options":{{json .Options}}'
NETWORK = (
    f'{{"id":{{{{json .Id}}}},{_LABELLED},"internal":{{{{json .Internal}}}},"attachable":{{{{json .Attachable}}}},'
    '"enable_ipv6":{{json .EnableIPv6}},"subnets":{{json .IPAM.Config}}}'
)
VOLUME = f"{{{_LABELLED}}}"

_WATCH = f"""{FRAME}
containers() {{ ids=$(docker ps -aq --no-trunc --filter "label=$1") || return 69
  [ -z "$ids" ] || docker inspect --type container --format '{CONTAINER}' $ids; }}
resources() {{ docker network ls --no-trunc --filter "label=$1" --format 'network {{{{.Name}}}} {{{{.ID}}}}' &&
  docker volume ls --filter "label=$1" --format 'volume {{{{.Name}}}}'; }}
if [ "$2" = all ]; then ahead resources "$1" & fi
tell containers again containers "$1"
if [ "$2" = all ]; then tell resources later; fi
"""
_PROJECT = "com.docker.compose.project"


def watch(project: str | None) -> tuple[str, ...]:
    """The words that ask how the containers of a project are, or of every project there is."""
    return ("sh", "-c", _WATCH, "watch", _PROJECT if project is None else f"{_PROJECT}={project}", "containers")


def watch_whole(project: str) -> tuple[str, ...]:
    """The words that ask for a project's networks and volumes too, while its containers are looked at."""
    return ("sh", "-c", _WATCH, "watch-whole", f"{_PROJECT}={project}", "all")


@dataclass(frozen=True)
class Section:
    """One framed answer: its exit status, its bytes, and what it complained about when the status is not 0."""

    status: int
    body: bytes
    complaint: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The body's lines; bytes that are not UTF-8 are replaced."""
        return tuple(self.body.decode("utf-8", "replace").splitlines())


def read_sections(answer: bytes, host: str) -> dict[str, Section]:
    """Take an answer apart; raises `Unreachable` for anything that is not in the frame."""
    sections: dict[str, Section] = {}
    at = 0
    while at < len(answer):
        header = _HEADER.match(answer, at)
        if header is None or header.end() + int(header[3]) > len(answer):
            raise garbage(host, f"byte {at} of the answer is not where a section begins")
        name, end = header[1].decode(), header.end() + int(header[3])
        body = answer[header.end() : end]
        if name.endswith("-error"):
            told = sections[name.removesuffix("-error")]
            sections[name.removesuffix("-error")] = Section(told.status, told.body, body.decode("utf-8", "replace"))
        else:
            sections[name] = Section(int(header[2]), body)
        at = end
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
