# shellcheck shell=sh
# What a machine needs before the demo and the tests can run. Sourced from the repository's root:
#
#   cd "$(dirname "$0")/.." && . scripts/setup.sh
#   setup_python && setup_docker && setup_lab_tools
#
# Each function does only what is missing, says each thing it does in one line on stderr, and returns 1
# after saying why it could not. Installing is apt's work alone; nothing that is installed is started or
# enabled, because the lab brings its own sshd and dockerd. Without root, sudo is asked for first:
# on the terminal, or by PLATFORMCTL_SETUP_YES=1 where there is none.

say() { printf 'setup: %s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

# --- root ------------------------------------------------------------------------------------------

# may_be_root WHY: true for root, and for a person who agreed (once per run) to sudo.
may_be_root() {
    [ "$(id -u)" -ne 0 ] || return 0
    [ -z "${setup_sudo_agreed-}" ] || return 0
    has sudo || { say "needs root $1, and sudo is not installed"; return 1; }
    if [ "${PLATFORMCTL_SETUP_YES-}" != 1 ]; then
        ask_terminal "Use sudo $1?" || { say "no sudo, so not done: $1"; return 1; }
    fi
    setup_sudo_agreed=1
}

# The terminal itself is asked, so that a pipe on stdin can not answer for a person.
ask_terminal() {
    { : >/dev/tty; } 2>/dev/null || { say "no terminal to ask on; PLATFORMCTL_SETUP_YES=1 agrees"; return 1; }
    printf 'setup: %s [y/N] ' "$1" >/dev/tty
    read -r setup_answer </dev/tty || return 1
    case $setup_answer in [yY] | [yY][eE][sS]) ;; *) return 1 ;; esac
}

# as_root COMMAND…: only after may_be_root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -- "$@"; fi
}

# --- apt -------------------------------------------------------------------------------------------

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing_packages() {
    for setup_package in "$@"; do installed "$setup_package" || printf '%s ' "$setup_package"; done
}

# apt_install PACKAGE|FILE…: everything named is installed afterwards, and no service was started for it.
apt_install() {
    may_be_root "to install $*" || return 1
    say "installing $*"
    apt_update || return 1
    setup_apt_output=$(install_without_starting "$@" 2>&1) || { printf '%s\n' "$setup_apt_output" >&2; return 1; }
}

install_without_starting() {
    as_root sh -s -- "$@" <<'ROOT'
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"   # 101: starting a service is forbidden by policy
    chmod 755 "$policy"
fi
apt-get install -y -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 --no-install-recommends "$@" </dev/null
ROOT
}

apt_update() {
    [ -z "${setup_apt_updated-}" ] || return 0
    as_root apt-get update -qq -o DPkg::Lock::Timeout=300 >&2 || return 1
    setup_apt_updated=1
}

# apt_need PACKAGE…: installs those that are missing.
apt_need() {
    setup_missing=$(missing_packages "$@")
    # shellcheck disable=SC2086 # a list of package names, which have no blanks
    [ -z "$setup_missing" ] || apt_install ${setup_missing% }
}

# leave_off UNIT…: what was just installed does not start with the machine either.
leave_off() {
    has systemctl || return 0
    as_root systemctl disable -q "$@" 2>/dev/null || return 0
    say "left off: $*; 'systemctl enable --now' starts them"
}

need_debian_or_ubuntu() {
    if has apt-get && has dpkg-query; then return 0; fi
    say "this is not Debian or Ubuntu; please install $1 yourself"
    return 1
}

# --- Python ----------------------------------------------------------------------------------------

setup_python() {
    setup_stamp=.venv/setup.sha256
    setup_digest=$(sha256sum requirements/dev.txt pyproject.toml | sha256sum)
    if [ -x .venv/bin/python ] && [ "$(cat "$setup_stamp" 2>/dev/null)" = "$setup_digest" ]; then return 0; fi
    [ -x .venv/bin/pip ] || make_venv || return 1
    say "installing the Python packages of requirements/dev.txt into .venv"
    .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/dev.txt >&2 &&
        .venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e . >&2 &&
        printf '%s\n' "$setup_digest" >"$setup_stamp"
}

make_venv() {
    setup_interpreter=$(find_python) || { install_python && setup_interpreter=$(find_python); } ||
        { say "no Python 3.11 or newer was found, and apt has none"; return 1; }
    say "making .venv with $setup_interpreter"
    "$setup_interpreter" -m venv --clear .venv
}

# Prints the first Python that is new enough and can make an environment with pip in it.
find_python() {
    for setup_candidate in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if "$setup_candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$setup_candidate"
            return
        fi
    done
    return 1
}

install_python() {
    need_debian_or_ubuntu "Python 3.11 with venv" || return 1
    apt_need python3 python3-venv || return 1
    find_python >/dev/null || apt_need python3.11 python3.11-venv   # Ubuntu 22.04's python3 is 3.10
}

# --- Docker ----------------------------------------------------------------------------------------

# Docker Engine and Compose v2, installed and not started.
setup_docker() {
    setup_engine_missing=
    has_dockerd || setup_engine_missing=1
    [ -n "$setup_engine_missing" ] || ! has_compose_v2 || return 0
    need_debian_or_ubuntu "Docker Engine and Compose v2" || return 1
    # shellcheck source=/dev/null
    . /etc/os-release
    case ${ID-}:${VERSION_CODENAME-} in
        ubuntu:*) apt_docker docker.io docker-compose-v2 ;;
        debian:bookworm) apt_docker docker.io && { has_compose_v2 || install_compose_of_trixie; } ;;
        debian:*) apt_docker docker.io docker-cli docker-compose ;;
        *) say "unknown system ${ID-}; please install Docker Engine and Compose v2 yourself"; return 1 ;;
    esac || return 1
    [ -z "$setup_engine_missing" ] || leave_off docker.service docker.socket containerd.service
    has_compose_v2 || { say "'docker compose version' is still not 2 or newer"; return 1; }
}

has_dockerd() { PATH=$PATH:/usr/sbin:/sbin has dockerd; }

# A plug-in in somebody's home directory would not be there for the user of a lab host.
has_compose_v2() {
    has docker || return 1
    case $(DOCKER_CONFIG=/nonexistent docker compose version --short 2>/dev/null) in
        '' | 0.* | 1.* | v0.* | v1.*) return 1 ;;
    esac
}

# An engine from elsewhere (docker-ce) stays; only what is missing comes from the distribution.
apt_docker() {
    if [ -n "$setup_engine_missing" ]; then apt_need "$@"; return; fi
    shift
    [ $# -eq 0 ] || apt_need "$@"
}

# Debian 12's docker-compose is version 1; Debian 13's package needs nothing but a libc that Debian 12 has.
# The address is the one this machine already uses, and nothing stays in /etc/apt.
install_compose_of_trixie() {
    may_be_root "to install Compose v2 of Debian 13" && apt_update || return 1
    setup_folder=$(mktemp -d) && chmod 755 "$setup_folder" || return 1
    download_compose_of_trixie "$setup_folder" && apt_install "$setup_folder"/docker-compose_*.deb
    setup_result=$?
    as_root rm -rf -- "$setup_folder"
    return $setup_result
}

download_compose_of_trixie() (
    cd "$1" || exit 1
    mkdir -p lists/partial parts
    # shellcheck disable=SC2016 # the dollar is apt's
    uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $VERSION_CODENAME" | head -n1)
    printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
        "$uri" /usr/share/keyrings/debian-archive-keyring.gpg >parts/trixie.sources
    set -- -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$1/parts" \
        -o Dir::State::lists="$1/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    as_root apt-get "$@" update >&2 && as_root apt-get "$@" -o APT::Sandbox::User=root download docker-compose >&2
)

# --- an engine on this machine (demo --local) -------------------------------------------------------

# A Docker Engine answers the present user afterwards. One that was started here, stop_engine stops.
setup_engine() {
    ! engine_answers || return 0
    may_be_root "to start Docker Engine" || return 1
    if [ -d /run/systemd/system ]; then
        say "starting docker.service"
        as_root systemctl start docker.service && setup_engine_started=systemd
    else
        start_dockerd
    fi || { say "Docker Engine did not start"; return 1; }
    engine_answers || {
        say "Docker Engine runs but does not answer $(id -un): run as root, or join the group docker and log in again"
        return 1
    }
}

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

start_dockerd() {
    [ "$(id -u)" -eq 0 ] || { say "Docker Engine is not running and there is no systemd: start dockerd as root"; return 1; }
    setup_engine_log=$(mktemp)
    say "starting dockerd, log in $setup_engine_log"
    dockerd >"$setup_engine_log" 2>&1 </dev/null &
    setup_engine_started=$!
    setup_tries=300
    until engine_answers; do
        setup_tries=$((setup_tries - 1))
        if [ $setup_tries -eq 0 ] || ! kill -0 "$setup_engine_started" 2>/dev/null; then
            tail -n 5 "$setup_engine_log" >&2
            return 1
        fi
        sleep 0.1
    done
}

stop_engine() {
    case ${setup_engine_started-} in
        '') return 0 ;;
        systemd) as_root systemctl stop docker.service docker.socket ;;
        *) kill "$setup_engine_started" && { wait "$setup_engine_started" || :; } && rm -f "$setup_engine_log" ;;
    esac
    setup_engine_started=
}

# --- the lab ---------------------------------------------------------------------------------------

# What tests/lab and the tests on it run: ebtables-nft is in iptables, pivot_root and nsenter are in util-linux.
setup_lab_tools() {
    need_debian_or_ubuntu "OpenSSH's server, iproute2, iptables, busybox-static, docker-registry, procps and git" || return 1
    setup_sshd_missing=$(missing_packages openssh-server)
    setup_registry_missing=$(missing_packages docker-registry)
    apt_need openssh-server openssh-client iproute2 iptables busybox-static docker-registry util-linux mount procps git ||
        return 1
    [ -z "$setup_sshd_missing" ] || leave_off ssh.service ssh.socket
    [ -z "$setup_registry_missing" ] || leave_off docker-registry.service
}

# True when lab hosts can be had here: root, and a kernel that lets root make namespaces and mount in them.
can_lab() {
    may_be_root "to make lab hosts (namespaces of their own)" 2>/dev/null || return 1
    as_root unshare --net --mount --pid --uts --ipc --fork --mount-proc mount -t tmpfs none /mnt 2>/dev/null
}
