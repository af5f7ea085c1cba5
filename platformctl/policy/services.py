"""Rules about what a service may ask for: no power over its host, no other programs, nothing a build machine needs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from platformctl.model.compose import ComposeService
from platformctl.policy.rules import LookAtService, Rule, in_services, in_whole_file, is_off, shown, words

_OWN_NAMESPACES = {
    "cgroup": frozenset({"private"}),
    "ipc": frozenset({"private", "shareable", "none"}),
    "network_mode": frozenset({"bridge", "none", "default"}),
    "pid": frozenset[str](),
    "userns_mode": frozenset[str](),
    "uts": frozenset[str](),
}
_SHARED_WITH_A_SERVICE = ("ipc", "network_mode", "pid")

# Docker's default set, which every container has anyway, and two that affect only the container's own processes.
_HARMLESS_CAPABILITIES = words("""
    AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID
    SYS_CHROOT IPC_LOCK SYS_NICE
    """)

_HARMLESS_SECURITY_OPTIONS = frozenset(
    {
        "no-new-privileges",
        "no-new-privileges:true",
        "no-new-privileges=true",
        "apparmor:docker-default",
        "apparmor=docker-default",
        "seccomp:builtin",
        "seccomp=builtin",
    }
)

# Parameters that the kernel keeps separate for each container, from Docker's own list.
_OWN_SYSCTL = re.compile(r"(net\.|fs\.mqueue\.|kernel\.(shm|msg)|kernel\.sem\Z)")
_NOT_NEGATIVE = re.compile(r"[0-9]+\Z")
_ROOT = re.compile(r"(root|0+)(:.*)?\Z")


def _present(*keys: str) -> LookAtService:
    """Return a look for keys that are refused whatever their value is, unless it is empty or false."""

    def look(service: ComposeService) -> Iterator[tuple[str, str]]:
        yield from ((key, f"has {key}") for key in keys if not is_off(service.definition.get(key)))

    return look


def _host_namespaces(service: ComposeService) -> Iterator[tuple[str, str]]:
    for key, own in _OWN_NAMESPACES.items():
        value = service.definition.get(key, "")
        shares = key in _SHARED_WITH_A_SERVICE and str(value).startswith("service:")
        if value != "" and str(value) not in own and not shares:
            yield key, f"has {key} {shown(value)}"


def _other_containers(service: ComposeService) -> Iterator[tuple[str, str]]:
    if any(item.startswith("container:") for item in service.definition.get("volumes_from", ())):
        yield "volumes_from", "takes the volumes of a container of another project"


def _devices(service: ComposeService) -> Iterator[tuple[str, str]]:
    yield from _present("devices", "device_cgroup_rules", "gpus")(service)
    place: Any = service.definition
    for key in ("deploy", "resources", "reservations", "devices"):
        place = place.get(key) if isinstance(place, Mapping) else None
    if not is_off(place):
        yield "deploy.resources.reservations.devices", "reserves devices"


def _capabilities(service: ComposeService) -> Iterator[tuple[str, str]]:
    for name in service.definition.get("cap_add", ()):
        if name.upper().removeprefix("CAP_") not in _HARMLESS_CAPABILITIES:
            yield "cap_add", f"adds the capability {shown(name)}"


def _security_options(service: ComposeService) -> Iterator[tuple[str, str]]:
    for option in service.definition.get("security_opt", ()):
        if option not in _HARMLESS_SECURITY_OPTIONS:
            yield "security_opt", f"has the security option {shown(option)}"


def _sysctls(service: ComposeService) -> Iterator[tuple[str, str]]:
    for name in service.definition.get("sysctls", ()):
        if not _OWN_SYSCTL.match(name):
            yield "sysctls", f"sets {shown(name)}"


def _out_of_memory(service: ComposeService) -> Iterator[tuple[str, str]]:
    yield from _present("oom_kill_disable")(service)
    if not _NOT_NEGATIVE.match(str(service.definition.get("oom_score_adj", 0))):
        yield "oom_score_adj", "has an oom_score_adj below zero"


def _reserved_labels(service: ComposeService) -> Iterator[tuple[str, str]]:
    for name in service.definition.get("labels", ()):
        if name.lower().startswith("com.docker.compose."):
            yield "labels", f"sets the label {shown(name)}"


def _root_user(service: ComposeService) -> Iterator[tuple[str, str]]:
    if _ROOT.match(str(service.definition.get("user", ""))):
        yield "user", "asks to run as root"


SERVICE_RULES = (
    Rule(
        "privileged",
        why="a privileged container is root on its host",
        instead="leave privileged out; add the one capability that is needed, with a waiver",
        look=in_services(_present("privileged")),
    ),
    Rule(
        "host-namespace",
        why="it sees and reaches what belongs to the host or to another container",
        instead="leave it out; publish ports, or share with a service of the same file (service:NAME)",
        look=in_services(_host_namespaces),
    ),
    Rule(
        "volumes-from-container",
        why="what that container mounts is not in this file",
        instead="name a volume that both use",
        look=in_services(_other_containers),
    ),
    Rule(
        "devices",
        why="a device of the host can bypass its file permissions",
        instead="leave devices out, or waive the rule for the module that needs one",
        look=in_services(_devices),
    ),
    Rule(
        "capability",
        why="it reaches beyond the container",
        instead="leave it out; NET_BIND_SERVICE and Docker's default set need no waiver",
        look=in_services(_capabilities),
    ),
    Rule(
        "security-option",
        why="only options that confine a container further are known to be harmless",
        instead="keep no-new-privileges:true and Docker's default profiles",
        look=in_services(_security_options),
    ),
    Rule(
        "sysctl",
        why="the kernel keeps it once for the whole host",
        instead="set it on the host; net.*, fs.mqueue.*, kernel.shm*, kernel.msg*, kernel.sem are the container's own",
        look=in_services(_sysctls),
    ),
    Rule(
        "out-of-memory",
        why="the kernel would end the host's other programs in its place",
        instead="set mem_limit",
        look=in_services(_out_of_memory),
    ),
    Rule(
        "reserved-label",
        why="Compose and platformctl recognise containers by labels beginning with com.docker.compose.",
        instead="use a label of your own",
        look=in_services(_reserved_labels),
        waivable=False,
    ),
    Rule(
        "label-file",
        why="labels from a file are not judged",
        instead="write them under labels",
        look=in_whole_file(_present("label_file")),
    ),
    Rule(
        "annotations",
        why="container runtimes take orders from annotations",
        instead="use labels",
        look=in_services(_present("annotations")),
    ),
    Rule(
        "runtime",
        why="another runtime confines in other ways, or not at all",
        instead="leave runtime out",
        look=in_services(_present("runtime")),
    ),
    Rule(
        "credential-spec",
        why="it reads credentials of the host",
        instead="use secrets",
        look=in_services(_present("credential_spec")),
    ),
    Rule(
        "cgroup-parent",
        why="it leaves the limits Docker was given",
        instead="use mem_limit, cpus and pids_limit",
        look=in_services(_present("cgroup_parent")),
    ),
    Rule(
        "hooks",
        why="a hook can run privileged and is not seen as part of the service",
        instead="put it in the image's entrypoint, or make it a job",
        look=in_services(_present("post_start", "pre_stop")),
    ),
    Rule(
        "build",
        why="a host runs images by digest and never builds",
        instead="build in CI, push the image, and name it by tag and digest",
        look=in_services(_present("build")),
    ),
    Rule(
        "extends",
        why="what it brings may stand in another file and is not judged",
        instead="use an anchor and a merge key: <<: *common",
        look=in_whole_file(_present("extends")),
        waivable=False,
    ),
    Rule(
        "provider",
        why="it runs any program of the host",
        instead="run the program as a service, or outside of Compose",
        look=in_whole_file(_present("provider")),
        waivable=False,
    ),
    Rule(
        "models",
        why="it has the engine fetch and run a model",
        instead="run the model as a service with an image",
        look=in_services(_present("models")),
    ),
    Rule(
        "root-user",
        why="a way out of the container is then root on the host",
        instead="give a user id of its own",
        look=in_services(_root_user),
        only_warns=True,
    ),
)
