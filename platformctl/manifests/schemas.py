"""The shapes of the files people write: module.yaml, hosts.yaml and policy.yaml, version 1.

`generate` writes them as JSON Schema for editors and other tools; docs/schemas holds the result where no package brings
drivers or transports. Rules that a schema can not tell (an id that is not its folder's name, a date that is none) are
in `platformctl.manifests.load`.
"""

import json
import re
from collections.abc import Mapping

from platformctl.manifests.shapes import Choice, Fields, Flag, Items, Named, Number, Shape, Text, Variants, name
from platformctl.model.forge import ForgeKind, ForgeRepository, ForgeUrl
from platformctl.model.names import HostName, ModuleId, ProjectName, RepoPath, ServiceName, VariableName
from platformctl.sockets import DRIVERS, TRANSPORTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_PRINTED = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
_LINE = Text(re.compile(_PRINTED + r"{0,500}\Z"), "one line of text, at most 500 characters", "Session cache")
_REASON = Text(re.compile(_PRINTED + r"{1,500}\Z"), "a reason, one line", "Traefik reads labels")
_PATIENCE = Text(re.compile(r"[1-9][0-9]{0,5}[smhd]\Z"), "a duration of at least 1s, such as 30s, 5m or 2h", "30s")
_DURATION = Text(re.compile(r"(?:0|[1-9][0-9]{0,5})[smhd]\Z"), "a duration such as 30s, 5m, 2h or 7d", "30s")
_VALUE = Text(
    re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]{0,32768}\Z"), "text without control characters, at most 32768", "8080"
)
_RULE = Text(re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z"), "the name of a policy rule", "docker-socket")
_WORD = Text(re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,62}\Z"), "a word of letters, digits and . _ : / -", "prod")
_LABEL = Text(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,126}\Z"), "a label's name of letters, digits and . _ / -", "team.owner"
)
_HOST_LABEL = Text(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,62}=[A-Za-z0-9][A-Za-z0-9._:/-]{0,62}\Z"),
    "a label of hosts.yaml as NAME=VALUE",
    "env=prod",
)
_PORTS = Text(re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?\Z"), "a port or a range of ports, in quotes", "8000-8100")
_DATE = Text(re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z"), "a date (YYYY-MM-DD)", "2027-01-31")
_IMAGES = Text(re.compile(r"[A-Za-z0-9*?][A-Za-z0-9*?._:/@-]{0,254}\Z"), "an image name, * for any part", "ghcr.io/*")
_URL = Text(
    re.compile(
        r"https?://(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?(?:[/?][!-~]*)?\Z"
    ),
    "an http or https address without user name and password",
    "https://cache.example/health",
)
_VERSION = Text(
    re.compile(r"[!-~]{1,200}\Z"), "a version of printable ASCII without spaces, at most 200 characters", "{tag}"
)
_HEADER = Text(re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}\Z"), "the name of an HTTP header", "X-App-Version")
_ADDRESS = Text(
    re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:-]{0,252}\Z"),
    "a host name or an IP address, without user and port",
    "100.64.0.7",
)
_USER = Text(
    re.compile(r"(?!root\Z)[a-z_][a-z0-9_-]{0,31}\Z"),
    "the agent user's name, which is never root",
    "platform-host-agent",
)
_ROOT = Text(
    re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_.@+-]{1,255})+\Z"),
    "an absolute folder, not /, without .. and without a slash at its end",
    "/opt/platform",
)
_HOST_KEY = Text(
    re.compile(r"SHA256:[A-Za-z0-9+/]{43}\Z"),
    "an OpenSSH fingerprint (SHA256: and 43 characters)",
    "SHA256:" + "q7Zt" * 10 + "c3Q",
)
_MACHINE_ID = Text(
    re.compile(r"[0-9a-f]{32}\Z"), "a machine id (32 hexadecimal digits)", "0f6c2a9b4d1e4e7f8a3b5c6d7e8f9a0b"
)
_ENGINE_ID = Text(re.compile(r"[A-Za-z0-9:-]{8,128}\Z"), "a Docker Engine id", "6d0b1a52-2f0c-4f4e-9a37-0c6b7a1d9e55")
_NODE_ID = Text(re.compile(r"[A-Za-z0-9]{1,64}\Z"), "a peer's stable id (ID of tailscale status --json)", "nq7ZtCNTRL")
_DNS_NAME = Text(
    re.compile(r"(?=.{4,253}\Z)[a-z0-9][a-z0-9-]{0,62}(?:\.[a-z0-9][a-z0-9-]{0,62}){1,8}\Z"),
    "a peer's whole DNS name, in lower case and without a dot at its end",
    "rs2000.tail1234.ts.net",
)
_MODULE_ID = name(ModuleId, "honcho-redis")
_HOST_NAME = name(HostName, "rs2000")
_PATH = name(RepoPath, "compose/core/compose.yaml")
_VARIABLE = name(VariableName, "DATA_DIR")

MODULE = Fields(
    required={
        "apiVersion": Choice(("platform/v1",)),
        "kind": Choice(("Module",)),
        "metadata": Fields(
            required={"id": _MODULE_ID},
            optional={"description": _LINE, "owner": _LINE},
            descriptions={
                "id": "Name of the module; the same as the name of its folder.",
                "owner": "Who is asked about this module.",
            },
        ),
        "spec": Fields(
            required={
                "host": _HOST_NAME,
                "runtime": Fields(
                    required={
                        "orchestrator": Choice(tuple(DRIVERS.own), lambda: DRIVERS.others),
                        "compose_file": _PATH,
                    },
                    optional={
                        "compose_service": name(ServiceName, "redis"),
                        "project": name(ProjectName, "honcho"),
                    },
                    descriptions={
                        "compose_file": "Below the repository and, at the same path, below the host's root.",
                        "compose_service": "Default: metadata.id. What it depends on comes along.",
                        "project": "Compose project. Default: metadata.id.",
                    },
                ),
            },
            optional={
                "kind": Choice(("service", "job")),
                "depends_on": Items(_MODULE_ID),
                "delivery": Choice(("push", "verify")),
                "on_file_change": Choice(("recreate", "ignore")),
                "env": Fields(
                    required={},
                    optional={"set": Named(_VARIABLE, _VALUE), "file": _PATH, "required": Items(_VARIABLE)},
                    descriptions={
                        "set": "Not secret, signed in the plan, wins over the host's.",
                        "file": "On the host, below its root; values stay there.",
                        "required": "Must be set by file or set.",
                    },
                ),
                "health": Fields(required={}, optional={"timeout": _DURATION, "stable_for": _DURATION}),
                "canary": Fields(
                    required={"url": _URL},
                    optional={
                        "expect_status": Number(100, 599),
                        "expect_body": _VALUE,
                        "version": Fields(
                            required={"expect": _VERSION},
                            optional={"header": _HEADER},
                            descriptions={
                                "expect": "Stands in the answer as a word of its own; {tag} is the tag of the image.",
                                "header": "Where it stands. Default: in the body.",
                            },
                        ),
                        "attempts": Number(1, 100),
                        "timeout": _DURATION,
                    },
                ),
                "rollback": Fields(required={}, optional={"strategy": Choice(("previous", "none"))}),
            },
            descriptions={
                "host": "A name in .platform/hosts.yaml, never an address.",
                "kind": "service runs on; job is a one-shot whose success is exit status 0. Default: service.",
                "delivery": "push: files travel by digest. verify: the host's copy must already match. Default: push.",
                "on_file_change": "What new contents of a mounted file mean for the containers that use it. "
                "recreate: new containers. ignore: the file alone. Default: recreate.",
                "canary": "A request from the operator's side that must be answered as expected after an apply.",
            },
        ),
    }
)

_ANY_HOST: Mapping[str, Shape] = {
    "machine_id": _MACHINE_ID,
    "engine_id": _ENGINE_ID,
    "provider": _WORD,
    "size": _WORD,
    "labels": Named(_WORD, _WORD),
    "timeouts": Fields(
        required={},
        optional={"connect": _PATIENCE, "step": _PATIENCE, "pull": _PATIENCE, "run": _PATIENCE},
        descriptions={
            "connect": "Until a connection is there, for each of its parts. Default: 10s; 30s for all with openssh.",
            "step": "Until a step that brings services up or takes them away is ended. Default: 5m.",
            "pull": "Until a pull of one image is given up. Default: 10m.",
            "run": "Until the apply of a plan stops as if a person had asked it to. Default: never.",
        },
    ),
}
_PINS = ("machine_id", "engine_id")
_REMOTE: Mapping[str, Shape] = {"root": _ROOT, "user": _USER, "host_key": Items(_HOST_KEY, least=1)}


def _remote(transport: str) -> Fields:
    return Fields(
        required={"transport": Choice((transport,)), "address": _ADDRESS, **_REMOTE},
        optional={"port": Number(1, 65535), **_ANY_HOST},
        any_of=_PINS,
    )


_OF_OTHERS = Fields(
    required={"transport": _WORD, "root": _ROOT},
    optional={
        "address": _ADDRESS,
        "port": Number(1, 65535),
        "user": _USER,
        "host_key": Items(_HOST_KEY, least=1),
        "node_id": _NODE_ID,
        "dns_name": _DNS_NAME,
        **_ANY_HOST,
    },
    any_of=_PINS,
)
"""A host that a transport of another package leads to: which of the keys it needs, only that knows."""

HOSTS = Fields(
    required={
        "hosts": Named(
            _HOST_NAME,
            Variants(
                "transport",
                {
                    "local": Fields(
                        required={"transport": Choice(("local",)), "root": _ROOT},
                        optional={"allow_root": Flag(), **_ANY_HOST},
                        any_of=_PINS,
                    ),
                    "ssh": _remote("ssh"),
                    "openssh": _remote("openssh"),
                    "tailscale": Fields(
                        required={
                            "transport": Choice(("tailscale",)),
                            "node_id": _NODE_ID,
                            "dns_name": _DNS_NAME,
                            **_REMOTE,
                        },
                        optional={"address": _ADDRESS, "port": Number(1, 65535), **_ANY_HOST},
                        any_of=_PINS,
                        descriptions={
                            "node_id": "Pinned: ID of the peer in tailscale status --json.",
                            "dns_name": "Pinned: its DNSName there, without the last dot. HostName is never read.",
                            "address": "When given, one of the peer's addresses.",
                        },
                    ),
                },
                _OF_OTHERS,
                lambda: TRANSPORTS.others,
            ),
        )
    }
)

_PEOPLE = Number(1, 100)
_LOGIN = Text(re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\Z"), "a login name on the forge", "ann")
_CHECK = Text(re.compile(_PRINTED + r"{1,255}\Z"), "the name of a check, as the forge shows it", "plan / plan")

_FORGE = Fields(
    required={
        "kind": Choice(tuple(kind.value for kind in ForgeKind)),
        "url": name(ForgeUrl, "https://forge.example"),
        "repository": name(ForgeRepository, "platform/infra"),
        "reviewers": Items(_LOGIN, least=1),
        "checks": Items(_CHECK, least=1),
    },
    optional={"reviews": _PEOPLE, "required": Flag()},
    descriptions={
        "url": "Where the forge is; its token comes from FORGEJO_TOKEN, GITEA_TOKEN or GITHUB_TOKEN.",
        "reviewers": "Whose approval of a pull request counts; its author's never does.",
        "checks": "What must have succeeded at the head of the pull request.",
        "reviews": "How many of the reviewers must have approved that very commit. Default: 1.",
        "required": "Every apply names a pull request with --approved-pr. Default: false.",
    },
)

POLICY = Fields(
    required={
        "approvals": Fields(
            required={"required": _PEOPLE},
            optional={
                "destructive": _PEOPLE,
                "per_host": Named(_HOST_NAME, _PEOPLE),
                "per_label": Named(_HOST_LABEL, _PEOPLE),
                "hardware_only": Flag(),
            },
            descriptions={
                "required": "How many distinct people approve a plan; the strictest rule counts.",
                "per_label": "For every host of hosts.yaml with that label.",
                "hardware_only": "Approvals count only when made with a key that can not leave its hardware.",
            },
        )
    },
    optional={
        "plan": Fields(required={}, optional={"expires_in": _DURATION, "require_merged": Flag()}),
        "rollback": Fields(required={}, optional={"preapproved": Choice(("previous", "none")), "max_age": _DURATION}),
        "fleet": Fields(
            required={},
            optional={"first_host": _HOST_NAME},
            descriptions={"first_host": "The host of an index that is applied before all others."},
        ),
        "phase": Number(0, 5),
        "images": Fields(required={}, optional={"allow": Items(_IMAGES), "require_digest": Flag()}),
        "services": Fields(
            required={},
            optional={"required_labels": Items(_LABEL), "forbidden_ports": Items(_PORTS)},
            descriptions={
                "required_labels": "Labels that every service carries.",
                "forbidden_ports": "Ports of a host that no service may publish.",
            },
        ),
        "forge": _FORGE,
        "sacred_paths": Items(_PATH),
        "waivers": Items(Fields(required={"module": _MODULE_ID, "rule": _RULE, "reason": _REASON, "expires": _DATE})),
    },
    descriptions={
        "phase": "Below 5, apply shows its steps and connects nowhere.",
        "forge": "What apply --approved-pr asks a forge, on top of signed approvals.",
    },
)

_FILES: Mapping[str, tuple[Fields, str]] = {
    "module.v1.schema.json": (MODULE, "platformctl module: modules/<id>/module.yaml"),
    "hosts.v1.schema.json": (HOSTS, "platformctl allow-list: .platform/hosts.yaml"),
    "policy.v1.schema.json": (POLICY, "platformctl policy: .platform/policy.yaml"),
}


def generate() -> Mapping[str, str]:
    """Return the JSON text of each schema by its file name in docs/schemas."""
    return {file: _written(shape, title) for file, (shape, title) in _FILES.items()}


def _written(shape: Shape, title: str) -> str:
    return json.dumps({"$schema": DIALECT, "title": title, **shape.schema()}, indent=2) + "\n"
