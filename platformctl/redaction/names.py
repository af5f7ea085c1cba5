"""Which names say that what stands beside them is a secret.

A name is split into words (`db_password`, `apiKey`, `X-Auth-Token`), and the last word that matters decides:
`token` and `api_token_v2` name secrets; `tokenizer`, `token_count`, `password_file`, `secretary` and `keyboard` do not.
"""

import re
from enum import Enum
from functools import lru_cache


def words_of(text: str) -> frozenset[str]:
    """Return the words of a table that is written as running text."""
    return frozenset(text.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")

_SECRET_ENDINGS = (
    "password", "passwd", "passwort", "passphrase", "passcode", "pwd", "secret", "token", "credential", "credentials",
    "passwords", "authorization", "apikey", "secretkey", "privatekey", "accesskey", "authkey", "masterkey",
    "signingkey", "encryptionkey", "decryptionkey", "accountkey", "sharedkey", "storagekey", "licensekey", "jwtkey",
    "hmackey", "cipherkey", "deploykey", "sessionkey", "servicekey", "cryptkey", "appkey", "webhookkey", "presharedkey",
    "dsn", "connectionstring", "connstring", "connstr", "otp", "totp", "jwt", "cookie", "setcookie", "dbpass",
    "userpass", "rootpass", "sshpass", "smtppass", "mailpass", "sessionid", "sessid", "requirepass", "masterauth",
    "bindpw", "rootpw", "adminpw", "userpw", "psk",
)  # fmt: skip
_NOT_SECRET = frozenset({"nopasswd", "oldpwd", "publickeytoken"})
# Words after the telling one that change nothing …
_QUALIFIERS = words_of(
    """
    old new prev previous current next value val raw plain plaintext base64 b64 encoded enc encrypted hash hashed prod
    production dev staging test live main primary secondary backup base str string rw ro a b v default admin data
    """
)
# … and those that make it a name for something else.
_ABOUT = words_of(
    """
    file files path paths dir directory name names id ids count counts length len size type types kind url uri endpoint
    ttl expiry expires expired expiration age policy rotation provider manager store version enabled required optional
    stdin sha sha256 digest fingerprint limit limits budget usage reset status state format prefix suffix ref source
    algorithm alg mode created updated changed at time date timeout interval lifetime refresh strength field header
    bucket driver mount host port user username auth method class engine address label scope issuer audience cache
    """
)

_OPEN_KEYS = frozenset({"public", "pub", "host", "cache", "primary", "foreign", "sort", "partition", "idempotency"})


class Telling(Enum):
    """How much a name says about its value."""

    NOTHING = "nothing"
    PERHAPS = "a secret if it looks like one"
    SECRET = "a secret"  # noqa: S105


@lru_cache(4096)
def telling(name: str) -> Telling:
    """Say whether `name` names a secret."""
    words = [word.lower() for word in _WORD.findall(name)]
    rest = words
    while rest and (rest[-1].isdigit() or rest[-1] in _QUALIFIERS) and not _names_secret(rest):
        rest = rest[:-1]
    if _names_secret(rest):
        return Telling.SECRET if words != ["pwd"] else Telling.PERHAPS
    if len(words) > 1 and words[-1] == "key" and words[-2] in _OPEN_KEYS:
        return Telling.NOTHING
    if words and words[-1] in {"auth", "pass", "pw", "key", "creds", "signature", "sig"}:
        return Telling.PERHAPS if len(words) > 1 or words[-1] in {"auth", "pass", "pw", "creds"} else Telling.NOTHING
    if any(_names_secret(words[: end + 1]) for end in range(len(words) - 1)) and not _ABOUT.intersection(words):
        return Telling.PERHAPS
    return Telling.NOTHING


def looks_random(value: str) -> bool:
    """Say whether `value` looks made, not written: eight characters or more, both cases or digits among letters."""
    kinds = (str.islower, str.isupper, str.isdigit)
    return len(value) >= 8 and " " not in value and sum(any(map(kind, value)) for kind in kinds) >= 2


def _names_secret(words: list[str]) -> bool:
    if not words or words[-1] in _NOT_SECRET:
        return False
    if words[-1] in {"pass", "pw", "creds"}:
        return len(words) > 1
    joined = "".join(words[-2:])
    return (words[-1].endswith(_SECRET_ENDINGS) or joined.endswith(_SECRET_ENDINGS)) and joined not in _NOT_SECRET
