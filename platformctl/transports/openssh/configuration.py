"""The configuration that the ssh program is given.

The entry decides which machine is reached, as whom and by which key. The way there and what proves who we are
(ProxyJump, ProxyCommand, certificates, agents, hardware keys) are in the operator's own settings. ssh takes the first
value it finds of each option, so ours stand first and the operator's files are included last.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from platformctl.errors import InvalidInput
from platformctl.model.desired import HostEntry

SIGNS_OF_LIFE, MISSED = 10, 2
"""Seconds between signs of life, and how many may be unanswered before the connection counts as lost."""

_KNOWN = """\
# fingerprint, kind, key, name: what a host shows is written down, and is known to ssh only when it is pinned.
[ "$1" != NONE ] || exit 0
printf '%s %s\\n' "$2" "$1" >>"${{0%/*}}/shown"
case ' {pins} ' in *" $1 "*) printf '%s %s %s\\n' "$4" "$2" "$3" ;; esac
"""
"""Run by ssh (KnownHostsCommand), as known hosts are keys and pins are fingerprints.

Before a key is known ssh runs it once, with NONE for each word, to learn which kinds to prefer.
"""

_CONFIGURATION = """\
Host {name}
    HostName {address}
    Port {port}
    User {user}
    HostKeyAlias {name}
    HostKeyAlgorithms {algorithms}
    KnownHostsCommand /bin/sh {folder}/known %f %t %K %H
    UserKnownHostsFile /dev/null
    GlobalKnownHostsFile /dev/null
    FingerprintHash sha256
    CheckHostIP no
    NoHostAuthenticationForLocalhost no
    PreferredAuthentications publickey
{identity}\
    ControlMaster yes
    ControlPath {folder}/master
    ControlPersist no
    PermitLocalCommand yes
    LocalCommand echo
    RemoteCommand none
    ConnectTimeout {patience}
    ServerAliveInterval {signs}
    ServerAliveCountMax {missed}
    TCPKeepAlive yes
Match all
    BatchMode yes
    StrictHostKeyChecking yes
    UpdateHostKeys no
    VerifyHostKeyDNS no
    CanonicalizeHostname no
    ForwardAgent no
    ForwardX11 no
    ClearAllForwardings yes
    Tunnel no
    GSSAPIDelegateCredentials no
    AddKeysToAgent no
    RequestTTY no
    ControlMaster no
    LogLevel ERROR
    Include {own}
    Include /etc/ssh/ssh_config
"""
"""`Match all` is for every host on the way. LocalCommand prints a line when the master takes sessions."""


class Settings(NamedTuple):
    """What differs from one run of ssh to the next."""

    folder: Path
    algorithms: Sequence[str]
    home: str
    key: str | None
    patience: int


def written(entry: HostEntry, settings: Settings) -> Path:
    """Write what ssh reads into its folder, and return the configuration's path.

    The names in the entry must have been checked (`refuse_address`).
    """
    pins = " ".join(entry.host_key)
    (settings.folder / "known").write_text(_KNOWN.format(pins=pins))
    path = settings.folder / "config"
    path.write_text(
        _CONFIGURATION.format(
            name=entry.name,
            address=entry.address,
            port=entry.port,
            user=entry.user,
            algorithms=",".join(settings.algorithms),
            folder=settings.folder,
            identity=f"    IdentityFile {_quoted(settings.key)}\n    IdentitiesOnly yes\n" if settings.key else "",
            patience=settings.patience,
            signs=SIGNS_OF_LIFE,
            missed=MISSED,
            own=_quoted(f"{settings.home}/.ssh/config", refused="%"),
        )
    )
    return path


def _quoted(path: str, refused: str = "") -> str:
    """Return a path as one word of an ssh configuration, which ssh takes literally.

    Raises `InvalidInput` for a path that can not be written so.
    """
    if not path.isprintable() or any(sign in path for sign in "\"'\\*?[$" + refused):
        raise InvalidInput(
            "ssh can not be told that path",
            detail="the path of the home folder or of PLATFORMCTL_SSH_KEY has a quote, a pattern, a % or a $ in it",
            hint="use a plain path",
        )
    return '"' + path.replace("%", "%%") + '"'
