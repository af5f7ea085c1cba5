"""Pin a host's keys and ids, and print the script that makes a new machine ready."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from difflib import get_close_matches

from platformctl.errors import PolicyViolation, Unreachable, Usage, WrongHost
from platformctl.manifests.load import InvalidManifest, read_hosts
from platformctl.model.desired import HostEntry
from platformctl.model.frozen import dataclass
from platformctl.model.names import HostName
from platformctl.model.observed import Identity
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import TextReport, TrustReport
from platformctl.workflows.hosts import DRIVER, Answering
from platformctl.workflows.parts import Parts, folder_roots, moment


@dataclass(frozen=True)
class NewHost:
    """A host by name and, if it is not on the allow-list yet, where it is and whom to log in as."""

    name: str
    address: str | None = None
    transport: str = "ssh"
    port: int = 22
    user: str = "platform-host-agent"
    root: str = "/opt/platform"
    node_id: str | None = None
    dns_name: str | None = None


@dataclass(frozen=True)
class TrustRequest:
    """A host to pin.

    `fingerprint` is what the operator knows from elsewhere; without it `ask` has one typed. `scan` gives type and
    fingerprint of each key that the host offers.
    """

    host: NewHost
    fingerprint: str | None
    ask: Callable[[tuple[Mapping[str, str], ...]], str | None]
    scan: Callable[[HostEntry], tuple[tuple[str, str], ...]]


def trust(parts: Parts, request: TrustRequest) -> TrustReport:
    """Report the keys that a host offers and, once a person confirmed one from elsewhere, what to write.

    Raises `WrongHost` when none of the keys is the one that was given, and `Usage` for a host of transport `local`.
    """
    entry = _named(parts, request.host)
    if entry.transport == "local":
        raise Usage("a local host has no key", detail=f"{entry.name} is reached by transport local")
    with _before_doctor():
        keys = tuple({"type": kind, "fingerprint": value} for kind, value in request.scan(entry))
    given = request.fingerprint or request.ask(keys)
    if given is None:
        return TrustReport(host=entry.name, keys=keys, status="unconfirmed")
    confirmed = [key["fingerprint"] for key in keys if key["fingerprint"] == given.strip()]
    if not confirmed:
        raise WrongHost(
            "the host does not offer that key",
            detail=f"{entry.name} offers {', '.join(key['fingerprint'] for key in keys)}",
            hint="ask whoever runs the host for its fingerprint: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            host=entry.name,
        )
    with _before_doctor():
        who = _identity(parts, entry, confirmed[0])
    return TrustReport(
        status="confirmed",
        host=entry.name,
        keys=keys,
        written=_lines(entry, confirmed[0], who),
        machine_id=who.machine_id,
        engine_id=who.engine_id,
    )


@contextmanager
def _before_doctor() -> Iterator[None]:
    """A refusal in the block does not send people to doctor, which does not know the host: nothing is merged yet."""
    try:
        yield
    except Unreachable as refusal:
        if refusal.hint.startswith("platformctl doctor"):
            refusal.hint = "see whether --address and --port are right, and log in there by hand as the agent"
        raise


def _identity(parts: Parts, entry: HostEntry, fingerprint: str) -> Identity:
    """Who answers behind the confirmed key. Nothing of it was pinned yet, so nothing of it is compared."""
    driver = parts.driver_for(DRIVER)
    with Answering(parts.reach(replace(entry, host_key=(fingerprint,)))) as transport:
        return driver.read_identity(transport.run(driver.identify()), entry)


def _lines(entry: HostEntry, fingerprint: str, who: Identity) -> tuple[str, ...]:
    """Return the pinned entry of .platform/hosts.yaml; it counts once it is merged."""
    where = (("address", entry.address), ("node_id", entry.node_id), ("dns_name", entry.dns_name))
    return (
        f"{entry.name}:",
        f"  transport: {entry.transport}",
        *(f'  {key}: "{value}"' if key == "node_id" else f"  {key}: {value}" for key, value in where if value),
        f"  port: {entry.port}",
        f"  user: {entry.user}",
        f"  root: {entry.root}",
        f'  host_key: ["{fingerprint}"]',
        f'  machine_id: "{who.machine_id}"',
        f'  engine_id: "{who.engine_id}"',
    )


def prepare(parts: Parts, host: NewHost) -> TextReport:
    """Return the script that makes a machine ready, for root to read and run on the host. It is never run by us."""
    entry = _named(parts, host)
    if entry.user is None:
        raise Usage("a local host needs no agent user", detail=f"{entry.name} is reached by transport local")
    user, root = shlex.quote(entry.user), shlex.quote(entry.root)
    made = moment(parts.clock.now())
    return TextReport(text=_PREPARE.format(name=entry.name, user=user, root=root, made=made))


def _named(parts: Parts, host: NewHost) -> HostEntry:
    """Return the host's entry in the working tree, or one made of what the operator says of a new host.

    The working tree is read because pinning begins before a merge. Raises `PolicyViolation` if neither names the host,
    and `Usage` for what its entry could not say: the script that root runs must not be for the user root, or for `/`.
    """
    roots = folder_roots(parts)
    name = HostName.parse(host.name)
    if name in roots.hosts:
        return roots.hosts[name]
    said = {key: value for key, value in asdict(host).items() if key != "name" and value is not None}
    pinned = {"host_key": ["SHA256:" + "A" * 43], "machine_id": "0" * 32}
    try:
        entry = read_hosts(json.dumps({"hosts": {name: {**said, **pinned}}}).encode(), ".platform/hosts.yaml")[name]
    except InvalidManifest as refusal:
        if not (host.address or host.node_id):
            raise _unlisted(roots, name) from refusal
        wrong = "; ".join(f"{each.field}: {each.message}" for each in refusal.findings)
        raise Usage("this could not be said of a host in .platform/hosts.yaml", detail=wrong) from refusal
    return replace(entry, host_key=(), machine_id=None)


def _unlisted(roots: TrustRoots, name: HostName) -> PolicyViolation:
    near = get_close_matches(name, list(roots.hosts), n=1)
    return PolicyViolation(
        "the host is not on the allow-list",
        detail=f"{name!r} is not in .platform/hosts.yaml",
        hint=f"did you mean {near[0]}?" if near else f"platformctl host trust {name} --address ADDRESS",
        reason="host-allow-list",
    )


_PREPARE = """\
#!/bin/sh
# Makes this machine ready for platformctl as host {name}. Printed {made}; read it, then run it as root on the host.
set -eu
id -u {user} >/dev/null 2>&1 || useradd --create-home --shell /bin/sh {user}
getent group docker >/dev/null || {{ echo 'install Docker Engine and Compose v2 first' >&2; exit 1; }}
# The group docker is as good as root on this machine: whoever has this user's key has the machine.
usermod -aG docker {user}
passwd -l {user} >/dev/null 2>&1 || true
usermod -p '*' {user}
install -d -o {user} -g {user} -m 0755 -- {root}
home=$(getent passwd {user} | cut -d: -f6)
install -d -o {user} -g {user} -m 0700 -- "$home/.ssh"
touch "$home/.ssh/authorized_keys"
chown {user}: "$home/.ssh/authorized_keys" && chmod 600 "$home/.ssh/authorized_keys"
docker compose version >/dev/null || {{ echo 'Compose v2 is missing' >&2; exit 1; }}
echo "now put the operators' public keys into $home/.ssh/authorized_keys"
echo 'and pin this machine in .platform/hosts.yaml:'
for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf "$key"; done
echo "machine_id: $(cat /etc/machine-id)"
echo "engine_id: $(docker info --format '{{{{.ID}}}}')"
"""
