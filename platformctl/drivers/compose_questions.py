"""What a host is asked about Docker and Compose, and the frame its answers come in.

Each question is one POSIX sh script with its data in "$1"… or on standard input, never joined into the text. An answer
is a row of sections, `name status size` and then so many bytes: what a container or a file says can not pass for
another section. Compose takes as long as all the rest of a question, so it is asked ahead and answers meanwhile.
"""

import re
from dataclasses import dataclass

from platformctl.drivers.compose_settings import HOST_CONFIG
from platformctl.errors import Unreachable

_HEADER = re.compile(rb"([a-z-]+) (\d+) (\d+)\n")

_FRAME = """
set -u; umask 077; LC_ALL=C; export LC_ALL
work=$(mktemp -d) || exit 73
trap 'rm -rf "$work"' EXIT
head -c 65536 /dev/zero >"$work/room" && rm "$work/room" || exit 73
trap 'exit 74' HUP INT TERM
tell() { section=$1; shift; status=0; "$@" >"$work/out" 2>"$work/err" || status=$?
  printf '%s %s %s\\n' "$section" "$status" "$(wc -c <"$work/out")"; cat "$work/out"
  [ "$status" = 0 ] || { printf '%s-error 0 %s\\n' "$section" "$(wc -c <"$work/err")"; cat "$work/err"; }; }
ahead() { "$@" >"$work/ahead" 2>"$work/ahead-err"; echo $? >"$work/ahead-status"; }
later() { wait; cat "$work/ahead-err" >&2; cat "$work/ahead"; return "$(cat "$work/ahead-status")"; }
"""

IDENTIFY = (
    _FRAME
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
_CONTAINER = (
    '{"id":{{json .Id}},"name":{{json .Name}},"image_id":{{json .Image}},"image_ref":{{json .Config.Image}},'
    '"service":{{json (index .Config.Labels "com.docker.compose.service")}},'
    '"hash":{{json (index .Config.Labels "com.docker.compose.config-hash")}},'
    '"version":{{json (index .Config.Labels "com.docker.compose.version")}},'
    '"oneoff":{{json (index .Config.Labels "com.docker.compose.oneoff")}},'
    '"files":{{json (index .Config.Labels "com.docker.compose.project.config_files")}},'
    '"networks":{{json .NetworkSettings.Networks}},"settings":{' + _SETTINGS + "},"
    '"state":{{json .State.Status}},"exit_code":{{json .State.ExitCode}},"started_at":{{json .State.StartedAt}},'
    '"restarts":{{json .RestartCount}},"health":{{with index .State "Health"}}{{json .Status}}{{else}}null{{end}}}'
)
_LABELLED = '"name":{{json .Name}},"labels":{{json .Labels}},"driver":{{json .Driver}},"options":{{json .Options}}'
_NETWORK = (
    f'{{"id":{{{{json .Id}}}},{_LABELLED},"internal":{{{{json .Internal}}}},"attachable":{{{{json .Attachable}}}},'
    '"enable_ipv6":{{json .EnableIPv6}},"subnets":{{json .IPAM.Config}}}'
)
_VOLUME = f"{{{_LABELLED}}}"

_CONTAINERS = f"""
containers() {{ ids=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$project") || return 69
  [ -z "$ids" ] || docker inspect --type container --format '{_CONTAINER}' $ids; }}
"""

WATCH = _FRAME + _CONTAINERS + "project=$1; tell containers containers\n"

# A registry on the host's own loopback may speak plain HTTP, as it may to the engine.
# Arguments: root, project, project folder, env file or /dev/null.
# Standard input: a tar of compose.yaml, set.env, the lists paths, images, required, deciding and lenders, and two
# overrides: without.yaml takes env files away, for when one is not on the host yet and Compose would refuse to answer
# at all, and borrowed.yaml has `@service@` where `up` has the id of that service's container.
# Where services have env files, Compose 2.26 leaves their names out of the hash of `up` and takes them into that of
# `config --hash`: they are read first, and the answer, which never leaves the host, is hashed. So are ids put in.
# The fingerprint of the env file is keyed twice, so that nobody who has seen one can continue it.
LOOK = (
    _FRAME
    + _CONTAINERS
    + f"network_form='{_NETWORK}'; volume_form='{_VOLUME}'"
    + """
root=$1; project=$2; folder=$3; env_file=$4; base=$root/.platformctl
cd "$root" || { echo "root 1 0"; exit 0; }
mkdir "$work/in" && tar -xf - -C "$work/in" || exit 74
files() { while IFS= read -r path; do
    if [ -L "$path" ] || [ ! -f "$path" ]; then echo "- - $path"
    else printf '%s %s %s\\n' "$(sha256sum <"$path" | cut -d' ' -f1)" "$(stat -c %a -- "$path")" "$path"; fi
  done <"$work/in/paths"; }
images() { while IFS= read -r ref; do
    found=$(docker image inspect --format '{"id":{{json .Id}},"digests":{{json .RepoDigests}}}' -- "$ref" 2>/dev/null)
    if [ -n "$found" ]; then printf 'local %s %s\\n' "$ref" "$found"
    else case $ref in 127.*:*/* | localhost:*/*) plain=--insecure ;; *) plain=--insecure=false ;; esac
      found=$(timeout -k 2 20 docker manifest inspect "$plain" -v -- "$ref" 2>/dev/null | tr -d '\\n\\t')
      printf 'remote %s %s\\n' "$ref" "${found:-null}"; fi
  done <"$work/in/images"; }
image_ids() { docker images -aq --no-trunc; }
networks() { ids=$(docker network ls -q --no-trunc --filter "label=com.docker.compose.project=$project") || return 69
  [ -z "$ids" ] || docker network inspect --format "$network_form" $ids; }
volumes() { names=$(docker volume ls -q --filter "label=com.docker.compose.project=$project") || return 69
  [ -z "$names" ] || docker volume inspect --format "$volume_form" $names; }
kept() { [ ! -d "$base/blobs" ] || ls "$base/blobs"; }
sets() { grep -qE "^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*([=:]|\\$)" "$env_file"; }
variables() { [ "$env_file" = /dev/null ] || [ -r "$env_file" ] || return 66
  while IFS= read -r variable; do sets "$variable" || echo "$variable"; done <"$work/in/required"; }
deciding() { [ -r "$env_file" ] || return 66
  while IFS= read -r variable; do ! sets "$variable" || echo "$variable"; done <"$work/in/deciding"; }
keyed() { { cat "$base/key" && cat; } | sha256sum | cut -c1-64; }
environment() { if [ -f "$env_file" ] && [ -f "$base/key" ]; then keyed <"$env_file" | keyed; fi; }
lend() { while IFS= read -r lender; do
    found=$(docker ps -a --no-trunc --filter "label=com.docker.compose.project=$project" \
      --filter "label=com.docker.compose.service=$lender" --filter label=com.docker.compose.oneoff=False \
      --format '{{.Names}} {{.ID}}') || return 69
    id=$(printf '%s\n' "$found" | sort | sed -n '1s/.* //p')
    printf 's/@%s@/%s/g\n' "$lender" "${id:-none}"
  done <"$work/in/lenders" >"$work/ids"; sed -f "$work/ids" "$work/in/borrowed.yaml" >"$work/borrowed.yaml"; }
asked() { [ -r "$env_file" ] || return 66
  env -i HOME="$HOME" PATH="$PATH" timeout -k 2 60 docker compose -p "$project" --project-directory "$folder" \\
    --env-file "$env_file" --env-file "$work/in/set.env" "$@"; }
completed() { lend || return
  asked "$@" config | asked -f - -f "$work/borrowed.yaml" config --no-normalize --no-consistency --hash '*'; }
hashes() { if [ -s "$work/in/without.yaml" ] || [ -s "$work/in/lenders" ]; then
    completed -f "$work/in/compose.yaml"
  else asked -f "$work/in/compose.yaml" config --hash '*'; fi; }
other_hashes() { [ -s "$work/in/without.yaml" ] || return 1
  completed -f "$work/in/compose.yaml" -f "$work/in/without.yaml"; }
ahead hashes &
tell containers containers; tell files files; tell images images; tell image-ids image_ids
tell networks networks; tell volumes volumes; tell kept kept
tell variables variables; tell deciding deciding; tell environment environment
tell hashes later; [ "$status" = 0 ] || tell other-hashes other_hashes
"""
)


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
