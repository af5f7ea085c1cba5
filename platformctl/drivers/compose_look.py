"""The one question that gets everything plans of a host's modules need, and the sections of its answer.

Sections about the host stand once: containers, names, engine, present, digests, modes, images, kept, linked, and
compose, which has its version where that is asked for. Those about one module end in its number: variables.0,
deciding.0, environment.0, host-files.0, and hashes.0 where Compose is to compute them; when it can not, refused.0 has
why and other-hashes.0 what it says without env files that are not there yet. Where the release brings env files,
taken.0 has what Compose says against them. Who reads them filters by project.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from platformctl.drivers import compose_resources as resources
from platformctl.drivers.compose_borrowing import borrowed, lenders_of
from platformctl.drivers.compose_engine import ASK, IMAGES, LISTED, of_containers, requests
from platformctl.drivers.compose_questions import COMPOSE, FORMS, FRAME, PLUGIN, PROJECT, ROOM
from platformctl.drivers.interface import Question
from platformctl.model.archive import archive
from platformctl.model.command import EMPTIED, Command
from platformctl.model.compose import ComposeService
from platformctl.model.desired import Release
from platformctl.model.names import ServiceName
from platformctl.model.plan import is_own

LOOK_TIMEOUT = 120
"""Seconds for all that is not said below."""
COMPOSE_TIMEOUT, REGISTRY_TIMEOUT, KILL_AFTER = 60, 20, 2
"""Seconds for Compose each time that it is asked about a module, for a registry about an image, and until one that does
not end is killed.
"""
LISTS = (IMAGES, "/networks", "/volumes")
"""What the engine is asked about everything it has, behind the images by name and before the containers."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
_FORMS = f"""
docker_form='{FORMS[0]}'; form='{FORMS[1]}'
image_form='{{"Id":{{{{json .Id}}}},"RepoDigests":{{{{json .RepoDigests}}}}}}'
"""

# Arguments: root, the requests for the engine, yes or no to ask for Compose's version, then for each module its
# project, project folder, and env file or /dev/null.
# Standard input is a tar. Below in/ it has these lists:
# - paths: the files to look at;
# - images, and moving: those of them that the registry is asked about even where the engine has them;
# - names: those that containers are to have. If a container that is not listed has one, only its name is asked for;
# - sources: mounted paths below the root, to see which are links or lie below one.
# For each module it has a folder in/NUMBER/ with compose.yaml, set.env, the lists required, deciding, profiles,
# host-files and lenders, a file `hashes` where Compose is to compute them, and three overrides:
# - without.yaml removes env files: where one is not on the host yet, Compose would refuse to compute any hash;
# - dropped.yaml removes needed services that `up` does without;
# - borrowed.yaml has `@service@` where `up` has the id of that service's container.
# `up` of a service enables its profiles, and drops needed services they do not bring, before it hashes; `config` does
# neither.
# Compose 2.26 leaves the names of env files out of the hash of `up` but not out of that of `config --hash`. So `config`
# reads the env files in first, and its output, which never leaves the host, is hashed. Ids of lenders are put in there.
# The key goes into a fingerprint of a host's own file twice, so that nobody can extend one to that of a longer file.
# A registry on the host's own loopback may speak plain HTTP, because the engine accepts that of it too.
# Compose takes as long as all the rest of a look together, so it runs in the background meanwhile.
_LOOK = (
    FRAME
    + ROOM
    + ASK
    + LISTED
    + PLUGIN
    + COMPOSE
    + _FORMS
    + r"""
root=$1; requests=$2; version=$3; shift 3; base=$root/.platformctl; label=label=com.docker.compose
newline='
'
said() { while IFS= read -r words; do printf '%s\n' "$words"; done <"$1"; }
cd "$root" || { tell root false; exit 0; }
tar -xf - -C "$work" || exit 74
every() { deed=$1; shift; number=0
  while [ $# -gt 0 ]; do
    project=$1; folder=$2; env_file=$3; in=$work/in/$number; shift 3; "$deed"; number=$((number + 1)); done; }
names() { looked=$(grep -o '"name":"/[^"]*"' "$work/again"); [ $? -lt 2 ] || return; set --
  while IFS= read -r name; do
    case $looked in *"\"name\":\"/$name\""*) ;; *) set -- "$@" --filter "name=^/$name\$" ;; esac
  done <"$work/in/names"
  [ $# = 0 ] || docker ps --all --format '{{.Names}}' "$@"; }
present() { there=
  while IFS= read -r path; do
    if [ -L "$path" ] || [ ! -f "$path" ]; then echo -
    elif [ ! -r "$path" ]; then echo !
    else echo +; there=$there$path$newline; fi
  done <"$work/in/paths"; }
of_those() { [ -z "$there" ] || (set -f; IFS=$newline; exec "$@" -- $there); }
digests() { of_those sha256sum -z; }
modes() { of_those stat -c %a; }
images() { [ -s "$work/in/moving" ] || grep -q '^HTTP/1\.1 [^2]' "$work/engine" || return 0
  while IFS= read -r ref; do
    found=$(docker image inspect --format "$image_form" -- "$ref" 2>/dev/null)
    if [ -n "$found" ] && ! grep -qxFe "$ref" "$work/in/moving"; then printf 'local %s %s\n' "$ref" "$found"
    else case $ref in 127.*:*/* | localhost:*/*) plain=--insecure ;; *) plain=--insecure=false ;; esac
      found=$(timeout -k @KILL_AFTER@ @REGISTRY_TIMEOUT@ \
        docker manifest inspect "$plain" -v -- "$ref" 2>/dev/null | tr -d '\n\t')
      printf 'remote %s %s\n' "$ref" "${found:-null}"; fi
  done <"$work/in/images"; }
linked() { while IFS= read -r path; do at=$path
  while :; do [ ! -L "$at" ] || { printf '%s\n' "$path"; break; }
    case $at in */*) at=${at%/*} ;; *) break ;; esac; done
done <"$work/in/sources"; }
kept() { for blob in "$base"/blobs/*; do [ ! -e "$blob" ] || echo "${blob##*/}"; done; }
sets() { grep -qE "^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*([=:]|\$)" "$env_file"; }
given() { [ "$env_file" = /dev/null ] || { [ -f "$env_file" ] && [ -r "$env_file" ]; }; }
variables() { given || return 66
  while IFS= read -r variable; do sets "$variable" || echo "$variable"; done <"$in/required"; }
deciding() { given || return 66
  while IFS= read -r variable; do ! sets "$variable" || echo "$variable"; done <"$in/deciding"; }
keyed() { { cat "$base/key" && cat; } | sha256sum | cut -c1-64; }
environment() { if [ -f "$env_file" ] && [ -f "$base/key" ]; then keyed <"$env_file" | keyed; fi; }
host_files() { [ -f "$base/key" ] || return 0
  while IFS= read -r path; do
    if [ -f "$path" ] && [ -r "$path" ]; then printf '%s %s\n' "$(keyed <"$path" | keyed)" "$path"; fi
  done <"$in/host-files"; }
lend() { while IFS= read -r lender; do
    found=$(docker ps -a --no-trunc --filter "$label.project=$project" --filter "$label.service=$lender" \
      --filter "$label.oneoff=False" --format '{{.Names}} {{.ID}}') || return 69
    id=$(printf '%s\n' "$found" | sort | sed -n '1s/.* //p')
    printf 's/@%s@/%s/g\n' "$lender" "${id:-none}"
  done <"$in/lenders" >"$in/ids"; sed -f "$in/ids" "$in/borrowed.yaml" >"$in/lent.yaml"; }
asked() { given || return 66
  while IFS= read -r profile; do set -- --profile "$profile" "$@"; done <"$in/profiles"
  set -- -p "$project" --project-directory "$folder" --env-file "$env_file" --env-file "$in/set.env" "$@"
  [ -z "$program" ] || set -- DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND=docker "$program" compose "$@"
  [ -n "$program" ] || set -- docker compose "$@"
  timeout -k @KILL_AFTER@ @COMPOSE_TIMEOUT@ @EMPTIED@ "$@"; }
completed() { lend && rm -f "$in/failed" || return
  { asked "$@" config || : >"$in/failed"; } | changed && [ ! -e "$in/failed" ]; }
changed() { set -- -f - -f "$in/lent.yaml"; [ ! -s "$in/dropped.yaml" ] || set -- "$@" -f "$in/dropped.yaml"
  asked "$@" config --no-normalize --no-consistency --hash '*'; }
borrows() { read -r first <"$in/borrowed.yaml"; [ "$first" = services: ]; }
hashes() { if [ -s "$in/without.yaml" ] || borrows || [ -s "$in/dropped.yaml" ]; then
    completed -f "$in/compose.yaml"
  else asked -f "$in/compose.yaml" config --hash '*'; fi; }
other_hashes() { [ -s "$in/without.yaml" ] || return 1
  completed -f "$in/compose.yaml" -f "$in/without.yaml"; }
taken() { folder=$in/brought${folder#"$root"}
  while IFS= read -r path; do
    if [ ! -e "$in/brought/$path" ] && [ -e "$root/$path" ]; then
      mkdir -p "$in/brought/${path%/*}" && ln -s "$root/$path" "$in/brought/$path" || return
    fi
  done <"$in/env-files"
  set -- -f "$in/compose.yaml"; [ ! -s "$in/beside.yaml" ] || set -- "$@" -f "$in/beside.yaml"
  asked "$@" config -q; }
compute() { [ -e "$in/hashes" ] || return 0
  hashes >"$in/computed" 2>"$in/computing"; echo $? >"$in/ended"
  [ ! -d "$in/brought" ] || { (taken) >"$in/complaint" 2>&1; echo $? >"$in/taken"; }; }
complaint() { grep -oE '/in/[0-9]+/brought/[^ :"]+|line [0-9]+' "$in/complaint"; read -r ended <"$in/taken"
  return "$ended"; }
computed() { cat "$in/computed"; read -r ended <"$in/ended"; return "$ended"; }
tell_settings() { tell "variables.$number" variables; tell "deciding.$number" deciding
  tell "environment.$number" environment; tell "host-files.$number" host_files; }
tell_hashes() { [ -e "$in/hashes" ] || return 0
  [ ! -d "$in/brought" ] || tell "taken.$number" complaint
  tell "hashes.$number" computed; [ "$status" != 0 ] || return 0
  tell "refused.$number" cat "$in/computing"; tell "other-hashes.$number" other_hashes; }
ahead() { compose "$version" >"$work/version"; every compute "$@"; }
program=; for each in "$work"/in/*/hashes; do [ ! -e "$each" ] || { program=$(plugin); break; }; done
ahead "$@" &
tell containers again listed "$requests" "$docker_form" "$form"
tell names names; tell engine cat "$work/engine"
tell present present; tell digests digests; tell modes modes; tell images images; tell kept kept
tell linked linked
every tell_settings "$@"; wait
tell compose said "$work/version"
every tell_hashes "$@"
"""
)
_LOOK = _LOOK.replace("@EMPTIED@", EMPTIED).replace("@KILL_AFTER@", str(KILL_AFTER))
_LOOK = _LOOK.replace("@COMPOSE_TIMEOUT@", str(COMPOSE_TIMEOUT)).replace("@REGISTRY_TIMEOUT@", str(REGISTRY_TIMEOUT))


def look(questions: Sequence[Question], *, version: bool) -> Command:
    """Return the command that looks at one host for all `questions`, of which there is at least one.

    With `version` it asks for Compose's version too.
    """
    root = questions[0].release.host.root
    operands = (word for question in questions for word in _operands(question.release))
    timeout = LOOK_TIMEOUT + (COMPOSE_TIMEOUT + KILL_AFTER) * sum(map(_times, questions))
    timeout += (REGISTRY_TIMEOUT + KILL_AFTER) * len(images_of(questions))
    words = ("sh", "-c", _LOOK, "look", root, _asked(questions), "yes" if version else "no", *operands)
    return Command(words, stdin=_enclosed(questions), timeout=timeout)


def _times(question: Question) -> int:
    """How often Compose may be asked, one time after the other: twice more where there are env files, about those that
    come and without any.
    """
    if not question.hashes:
        return 0
    return 3 if any(service.env_files for service in question.release.compose.services.values()) else 1


def paths_of(questions: Sequence[Question]) -> list[str]:
    """The files that are looked at, in the order they are asked about."""
    beside = {path for each in questions for path in each.release.read_beside}
    return sorted(beside.union(f.path for each in questions for f in each.release.files if not is_own(f.path)))


def images_of(questions: Sequence[Question]) -> list[str]:
    """Return the image references to look at, each once, in the order of the answer."""
    return sorted({service.image for service in _services(questions) if service.image})


def _services(questions: Sequence[Question]) -> Iterator[ComposeService]:
    for release in (question.release for question in questions):
        yield from (release.compose.services[name] for name in release.closure)


def _asked(questions: Sequence[Question]) -> str:
    """Return the requests for the engine: images by name, `LISTS`, and the containers.

    Where all questions are about one project, only containers of that project are listed.
    """
    projects = {question.release.module.runtime.project for question in questions}
    label = f"{PROJECT}={projects.pop()}" if len(projects) == 1 else PROJECT
    images = [f"/images/{quote(ref, safe='/:@')}/json" for ref in images_of(questions)]
    return requests([*images, *LISTS, of_containers(label)])


def _operands(release: Release) -> tuple[str, str, str]:
    env_file = release.module.env.file
    place = f"{release.host.root}/{env_file}" if env_file else "/dev/null"
    return release.module.runtime.project, resources.project_folder(release), place


def _enclosed(questions: Sequence[Question]) -> bytes:
    """Return the tar that the script reads: desired compose files, and the lists of what to look at."""
    members = {"in/paths": _lines(paths_of(questions)), "in/images": _lines(images_of(questions))}
    members["in/moving"] = _lines(
        sorted({each.image for each in _services(questions) if each.image and each.is_moving})
    )
    names = {name for each in questions for service in each.release.closure for name in _names(each.release, service)}
    members["in/names"] = _lines(sorted(names))
    sources = {path for question in questions for path in resources.bind_sources(question.release)}
    members["in/sources"] = _lines(sorted(sources))
    for number, question in enumerate(questions):
        members.update((f"in/{number}/{name}", content) for name, content in _of_module(question))
    return archive(members)


def _names(release: Release, service: ServiceName) -> Iterator[str]:
    """Return the names the service's containers are to have; no container can have one the engine does not accept."""
    return (name for name in release.container_names(service) if _NAME.match(name))


def _of_module(question: Question) -> Iterator[tuple[str, bytes]]:
    release = question.release
    yield "compose.yaml", next(f.content for f in release.files if f.path == release.module.runtime.compose_file)
    yield "without.yaml", _without_env_files(release.compose.services, release.compose.services)
    yield "dropped.yaml", _dropped(release).encode()
    yield "profiles", _lines(release.compose.services[release.module.runtime.compose_service].profiles)
    yield "borrowed.yaml", borrowed(release).encode()
    yield "lenders", _lines(lenders_of(release))
    yield "set.env", b"".join(file.content for file in release.files if is_own(file.path))
    yield "required", _lines(release.required)
    yield "deciding", _lines(release.deciding)
    own = (path for service in release.closure for path in release.host_files(service).values())
    yield "host-files", _lines(sorted(set(own)))
    if question.hashes:
        yield "hashes", b""
        yield from _brought(release)


def _brought(release: Release) -> Iterator[tuple[str, bytes]]:
    """What Compose is to read of the closure's env files: those that the release brings, in the folders that it has."""
    services = release.compose.services
    read = {path for name in release.closure for path in services[name].env_files}
    brought = [(f"brought/{file.path}", file.content) for file in release.files if file.path in read]
    if brought and not release.gone:
        yield from brought
        yield f"brought/{release.module.runtime.compose_file}", b""
        yield "env-files", _lines(sorted(read))
        yield "beside.yaml", _without_env_files(services.keys() - release.closure, services)


def _without_env_files(names: Iterable[ServiceName], services: Mapping[ServiceName, ComposeService]) -> bytes:
    reading = sorted(name for name in names if services[name].env_files)
    override = "".join(f"  {json.dumps(name)}: {{env_file: !reset null}}\n" for name in reading)
    return f"services:\n{override}".encode() if override else b""


def _dropped(release: Release) -> str:
    """Return a compose override that removes needed services outside the closure; empty where there are none."""
    services = (release.compose.services[name] for name in release.closure)
    dropped = {each.name: sorted(set(each.needs).difference(release.closure)) for each in services}
    lines = [
        f"  {json.dumps(name)}: {{depends_on: {{{', '.join(f'{json.dumps(each)}: !reset null' for each in away)}}}}}\n"
        for name, away in dropped.items()
        if away
    ]
    return f"services:\n{''.join(lines)}" if lines else ""


def _lines(words: Iterable[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()
