"""The one place that runs ssh-keygen: make a key, sign, and ask who signed.

Keys may lie in a file, in an agent or on a security key; ssh-keygen finds out. Its verdict is its exit status. The
message to sign is given as a file, because ssh-keygen without a terminal would read a passphrase from standard input
and take our message for it. `environment` is the caller's; nothing here reads the process's own.
"""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from platformctl.errors import ApprovalMismatch, ToolError, Usage
from platformctl.model.frozen import dataclass
from platformctl.model.moment import Moment
from platformctl.trust import signers, sshsig
from platformctl.trust.envelope import Envelope, Signature, pae
from platformctl.trust.public_key import NotAKey, PublicKey

SIGNING_SECONDS = 120
"""Seconds for one signature: a person may have to type a passphrase or touch a security key."""
VERIFYING_SECONDS = 20


@dataclass(frozen=True)
class Signer:
    """Who made a signature that holds: the principal of allowed_signers, and its key."""

    principal: str
    key_id: str
    hardware: bool

    @property
    def is_planner(self) -> bool:
        """Whether this is a machine that plans, and so never a person who approves."""
        return self.principal.startswith(signers.PLANNER)


class Keyring:
    """The people and planners of one allowed_signers text, and the keys that were revoked since.

    The key inside a signature picks the line, because a key stands in one line only; ssh-keygen says whether the
    signature holds for that line's principal. `revoked` is the text of revoked_keys: what one of these keys signed does
    not count, whenever it was.

    ssh-keygen is asked once whether a signature holds, as it costs a process. Whether its key may be used is checked
    every time.
    """

    def __init__(
        self,
        allowed: str,
        *,
        environment: Mapping[str, str],
        revoked: str = "",
        file: str = ".platform/allowed_signers",
    ) -> None:
        """Raise `InvalidInput` with file and line for a line that means more than it shows."""
        self._lines = signers.parse(allowed, file)
        self._allowed = allowed.encode()
        self._revoked = signers.parse_revoked(revoked, ".platform/revoked_keys")
        self._environment = environment
        self._file = file
        self._held: set[tuple[bytes, bytes, str, str]] = set()

    def who_signed(
        self, message: bytes, signature: Signature, namespace: str, at: datetime, *, in_process: bool = False
    ) -> Signer:
        """Return who signed `message` for `namespace`, as of `at`.

        With `in_process`, signatures of ed25519 keys are verified without ssh-keygen; this is for signatures that let
        nothing run. Raises `ApprovalMismatch`: `signature` when it does not hold, `signer` when the key is a
        stranger's, is not for this namespace, is out of its time, or was revoked.
        """
        line = self._line_of(signature)
        problem = "was revoked" if line.key in self._revoked else _out_of_place(line, namespace, at)
        if problem:
            raise _signer_refused(f"the key of {line.principal} in {self._file} {problem}")
        if in_process and line.key.type == sshsig.KEY_TYPE:
            holds = sshsig.holds(message, signature.armour, line.key, namespace)
        else:
            holds = self._holds(message, signature, line.principal, namespace, at)
        if not holds:
            raise _signature_refused(f"it is not {line.principal}'s signature over these bytes for {namespace}")
        return Signer(line.principal, line.key.key_id, line.key.hardware)

    def _line_of(self, signature: Signature) -> signers.SignerLine:
        try:
            key = PublicKey.in_signature(signature.armour)
        except NotAKey as error:
            raise _signature_refused(str(error)) from None
        if key not in self._lines:
            raise _signer_refused(f"the key {key.key_id} is not in {self._file}")
        return self._lines[key]

    def _holds(self, message: bytes, signature: Signature, principal: str, namespace: str, at: datetime) -> bool:
        asked = (message, signature.armour, principal, namespace)
        if asked in self._held:
            return True
        with tempfile.TemporaryDirectory(prefix="platformctl-") as folder:
            names = _written(Path(folder), allowed=self._allowed, signature=signature.armour)
            words = ["-Y", "verify", "-f", names["allowed"], "-I", principal, "-n", namespace, "-s", names["signature"]]
            words += ["-O", f"verify-time={at.astimezone(UTC):%Y%m%d%H%M%S}"]
            if _run(words, self._for_verifying, stdin=message, seconds=VERIFYING_SECONDS).returncode:
                return False
        self._held.add(asked)
        return True

    @property
    def _for_verifying(self) -> Mapping[str, str]:
        """The environment to verify in; ssh-keygen reads times without `Z` in the local zone, `signers` in UTC."""
        return {"PATH": self._environment.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC0"}


def sign(messages: Sequence[bytes], key: Path, namespace: str, environment: Mapping[str, str]) -> tuple[Signature, ...]:
    """Return a signature over each message by `key`: a private key's file, or the `.pub` file of one an agent holds.

    All are made in one run of ssh-keygen: a passphrase is typed once, a security key is touched once for each. Raises
    `Usage` when the key can not be used as it is, `ToolError` when ssh-keygen is missing or fails.
    """
    require_usable(key)
    if not messages:  # ssh-keygen would read its standard input
        return ()
    with tempfile.TemporaryDirectory(prefix="platformctl-") as folder:
        names = _written(Path(folder), **{str(number): message for number, message in enumerate(messages)}).values()
        words = ["-Y", "sign", "-q", "-f", str(key), "-n", namespace, *names]
        if _run(words, environment, seconds=SIGNING_SECONDS * len(messages)).returncode:
            raise _not_signed(key, environment)
        armours = [Path(f"{name}.sig").read_bytes() for name in names]
    return tuple(Signature(PublicKey.in_signature(armour).key_id, armour) for armour in armours)


def seal(payload: bytes, payload_type: str, key: Path, namespace: str, environment: Mapping[str, str]) -> Envelope:
    """Return `payload` in an envelope that `key` signed; raises as `sign` does."""
    return seal_each(((payload, payload_type),), key, namespace, environment)[0]


def seal_each(
    contents: Sequence[tuple[bytes, str]], key: Path, namespace: str, environment: Mapping[str, str]
) -> tuple[Envelope, ...]:
    """Return each payload and its type in an envelope that `key` signed; raises as `sign` does."""
    signatures = sign([pae(payload_type, payload) for payload, payload_type in contents], key, namespace, environment)
    return tuple(
        Envelope(payload, payload_type, (signature,))
        for (payload, payload_type), signature in zip(contents, signatures, strict=True)
    )


def make_key(path: Path, comment: str, environment: Mapping[str, str]) -> None:
    """Make an ed25519 key without a passphrase at `path`, and `path`.pub.

    Raises `Usage` when something is there, `ToolError` when ssh-keygen fails.
    """
    if path.exists():
        raise Usage("a key would be overwritten", detail=f"{path} exists", hint="name another file")
    words = ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    made = _run(words, environment, seconds=VERIFYING_SECONDS)
    if made.returncode:
        raise ToolError("ssh-keygen could not make a key", detail=_complaint(made))


def public_line(key: Path, environment: Mapping[str, str]) -> str:
    """Return type and key, as allowed_signers wants them, from a private key's file or a `.pub` file.

    Raises `Usage` when there is no such key, or when it would have to be unlocked.
    """
    beside = key if key.suffix == ".pub" else key.with_name(key.name + ".pub")
    text = beside.read_text("utf-8") if beside.is_file() else _derived(key, environment)
    words = text.split()[:2]
    try:
        PublicKey.parse(*words)
    except (NotAKey, TypeError):
        raise Usage("a file is not a public key", detail=f"{beside} does not hold an OpenSSH public key") from None
    return " ".join(words)


def fingerprint(key: Path, environment: Mapping[str, str]) -> str:
    """Return the key's id, `SHA256:…`; raises as `public_line` does."""
    return PublicKey.parse(*public_line(key, environment).split()).key_id


def _out_of_place(line: signers.SignerLine, namespace: str, at: datetime) -> str:
    if namespace not in line.namespaces:
        return f"is not for {namespace}"
    return "" if line.in_force(at) else f"is not valid at {Moment.of(at)}"


def _derived(key: Path, environment: Mapping[str, str]) -> str:
    require_usable(key)
    told = _run(["-y", "-P", "", "-f", str(key)], environment, seconds=VERIFYING_SECONDS)
    if told.returncode:
        raise _locked(key)
    return told.stdout.decode("utf-8", "replace")


def require_usable(key: Path) -> None:
    """Raise `Usage` when there is no such file, or when others may read a private key."""
    if not key.is_file():
        raise Usage("there is no such key", detail=f"{key} is not a file", hint="name another with --key")
    if key.suffix != ".pub" and key.stat().st_mode & 0o077:
        raise Usage("a private key is open to others", detail=f"{key}", hint=f"chmod 600 {key}")


def _not_signed(key: Path, environment: Mapping[str, str]) -> Usage | ToolError:
    """Return why signing failed, by looking at the key and not at what ssh-keygen says."""
    if key.suffix == ".pub":
        return Usage("no agent holds the key", detail=f"{key}", hint=f"ssh-add {key.with_suffix('')}")
    opened = _run(["-y", "-P", "", "-f", str(key)], environment, seconds=VERIFYING_SECONDS)
    return ToolError("ssh-keygen could not sign", detail=f"{key}") if not opened.returncode else _locked(key)


def _locked(key: Path) -> Usage:
    return Usage("a key can not be opened", detail=f"{key} has a passphrase or is no key", hint=f"ssh-add {key}")


def _signature_refused(detail: str) -> ApprovalMismatch:
    return ApprovalMismatch("a signature does not hold", detail=detail, reason="signature")


def _signer_refused(detail: str) -> ApprovalMismatch:
    hint = "who may sign what stands in .platform/allowed_signers at the trusted ref"
    return ApprovalMismatch("a signature is not by somebody who may give it", detail=detail, reason="signer", hint=hint)


def _written(folder: Path, **contents: bytes) -> Mapping[str, str]:
    """Write the contents into the private `folder` and return their paths by name."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in contents}


def _run(
    words: Sequence[str], environment: Mapping[str, str], *, seconds: int, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *words], input=stdin, env=environment, capture_output=True, timeout=seconds, check=False
        )
    except FileNotFoundError as error:
        raise ToolError("ssh-keygen is not installed", hint="install OpenSSH's client programs") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError("ssh-keygen did not answer", detail=f"within {seconds} seconds") from error


def _complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode("utf-8", "replace").strip()
