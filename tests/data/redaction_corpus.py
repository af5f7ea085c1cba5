"""Lines to judge redaction by, put together at run time so that no secret scanner finds a token in this file.

The shapes are written down from the vendors' documentation, not taken from `platformctl.redaction.formats`: the corpus
judges that table.  The same lines come out every time.
"""

from random import Random
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits, hexdigits
from typing import NamedTuple

from tests.data.vendor_tokens import TEMPLATES, made

_ALNUM = ascii_letters + digits
_HEX = hexdigits[:16]
_TOKEN = _ALNUM + "_-"
_BASE64 = _ALNUM + "+/"
_UPPER = ascii_uppercase + digits


class Planted(NamedTuple):
    """A line and the secret in it that must not be seen."""

    line: str
    secret: str


# Kind of token: its parts in order, each a literal or (alphabet, length).
_Part = str | tuple[str, int]
_VENDORS: dict[str, tuple[_Part, ...]] = {
    "1password service account": ("ops_eyJ", (_BASE64, 260)),
    "1password secret key": ("A3-", (_UPPER, 6), "-", (_UPPER, 11), *("-", (_UPPER, 5)) * 3),
    "adobe": ("p8e-", (_ALNUM, 32)),
    "age": ("AGE-SECRET-KEY-1", ("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
    "airtable": ("pat", (_ALNUM, 14), ".", (_HEX, 64)),
    "alibaba": ("LTAI", (_ALNUM, 20)),
    "anthropic": ("sk-ant-api03-", (_TOKEN, 93), "AA"),
    "artifactory": ("AKCp", (_ALNUM, 69)),
    "atlassian": ("ATATT3", (_TOKEN, 186)),
    "aws access": ("AKIA", (ascii_uppercase, 16)),
    "aws temporary": ("ASIA", (ascii_uppercase, 16)),
    "aws signature": ("X-Amz-Signature=", (_HEX, 64)),
    "azure client": ((_ALNUM, 3), "8Q~", (_TOKEN, 34)),
    "azure sas": ("sig=", (_ALNUM, 43), "%3D"),
    "bitbucket": ("ATBB", (_ALNUM, 32)),
    "brevo": ("xkeysib-", (_HEX, 64), "-", (_ALNUM, 16)),
    "buildkite": ("bkua_", (_HEX, 40)),
    "circleci": ("CCIPAT_", (_ALNUM, 22), "_", (_HEX, 40)),
    "clojars": ("CLOJARS_", (_HEX, 60)),
    "cloudflare origin": ("v1.0-", (_HEX, 24), "-", (_HEX, 146)),
    "contentful": ("CFPAT-", (_TOKEN, 43)),
    "crates.io": ("cio", (_ALNUM, 32)),
    "databricks": ("dapi", (_HEX, 32)),
    "digitalocean": ("dop_v1_", (_HEX, 64)),
    "digitalocean oauth": ("doo_v1_", (_HEX, 64)),
    "discord bot": ("M", (_ALNUM, 23), ".", (_ALNUM, 6), ".", (_TOKEN, 38)),
    "discord webhook": ("https://discord.com/api/webhooks/", (digits, 18), "/", (_TOKEN, 68)),
    "docker hub": ("dckr_pat_", (_TOKEN, 27)),
    "docker swarm": ("SWMTKN-1-", (_HEX, 50), "-", (_HEX, 25)),
    "doppler": ("dp.pt.", (_ALNUM, 43)),
    "doppler service": ("dp.st.dev.", (_ALNUM, 43)),
    "dropbox": ("sl.", (_TOKEN, 135)),
    "duffel": ("duffel_live_", (_TOKEN, 43)),
    "dynatrace": ("dt0c01.", (_UPPER, 24), ".", (_UPPER, 64)),
    "easypost": ("EZAK", (_ALNUM, 54)),
    "facebook": ("EAAC", (_ALNUM, 120)),
    "figma": ("figd_", (_TOKEN, 40)),
    "flutterwave": ("FLWSECK-", (_HEX, 32), "-X"),
    "fly.io": ("fo1_", (_TOKEN, 43)),
    "github personal": ("ghp_", (_ALNUM, 36)),
    "github oauth": ("gho_", (_ALNUM, 36)),
    "github user": ("ghu_", (_ALNUM, 36)),
    "github server": ("ghs_", (_ALNUM, 36)),
    "github refresh": ("ghr_", (_ALNUM, 36)),
    "github fine": ("github_pat_", (_ALNUM, 22), "_", (_ALNUM, 59)),
    "gitlab personal": ("glpat-", (_TOKEN, 20)),
    "gitlab job": ("glcbt-64_", (_TOKEN, 20)),
    "gitlab deploy": ("gldt-", (_TOKEN, 20)),
    "gitlab runner": ("glrt-", (_TOKEN, 20)),
    "gitlab trigger": ("glptt-", (_HEX, 40)),
    "google api": ("AIza", (_TOKEN, 35)),
    "google access": ("ya29.", (_TOKEN, 60)),
    "google client": ("GOCSPX-", (_TOKEN, 28)),
    "grafana cloud": ("glc_", (_BASE64, 60)),
    "grafana service": ("glsa_", (_ALNUM, 32), "_", (_HEX, 8)),
    "groq": ("gsk_", (_ALNUM, 52)),
    "harness": ("pat.", (_TOKEN, 22), ".", (_ALNUM, 24), ".", (_ALNUM, 20)),
    "heroku": ("HRKU-AA", (_TOKEN, 58)),
    "hugging face": ("hf_", (ascii_letters, 34)),
    "infracost": ("ico-", (_ALNUM, 32)),
    "json web token": ("eyJ", (_ALNUM, 30), ".eyJ", (_ALNUM, 60), ".", (_TOKEN, 43)),
    "linear": ("lin_api_", (_ALNUM, 40)),
    "mailchimp": ((_HEX, 32), "-us14"),
    "mailgun": ("key-", (_HEX, 32)),
    "mapbox": ("sk.eyJ", (_ALNUM, 60), ".", (_TOKEN, 22)),
    "netlify": ("nfp_", (_ALNUM, 36)),
    "new relic": ("NRAK-", (_UPPER, 27)),
    "notion": ("ntn_", (digits, 11), (_ALNUM, 35)),
    "npm": ("npm_", (_ALNUM, 36)),
    "nuget": ("oy2", (ascii_lowercase + digits, 43)),
    "octopus": ("API-", (_UPPER, 26)),
    "openai": ("sk-", (_ALNUM, 20), "T3BlbkFJ", (_ALNUM, 20)),
    "openai project": ("sk-proj-", (_TOKEN, 74), "T3BlbkFJ", (_TOKEN, 74)),
    "openshift": ("sha256~", (_TOKEN, 43)),
    "perplexity": ("pplx-", (_ALNUM, 48)),
    "planetscale": ("pscale_tkn_", (_TOKEN, 43)),
    "postman": ("PMAK-", (_HEX, 24), "-", (_HEX, 34)),
    "pulumi": ("pul-", (_HEX, 40)),
    "pypi": ("pypi-AgEIcHlwaS5vcmc", (_TOKEN, 120)),
    "readme": ("rdme_", (_HEX, 70)),
    "replicate": ("r8_", (_ALNUM, 37)),
    "resend": ("re_", (_ALNUM, 8), "_", (_ALNUM, 24)),
    "rubygems": ("rubygems_", (_HEX, 48)),
    "sendgrid": ("SG.", (_TOKEN, 22), ".", (_TOKEN, 43)),
    "sentry": ("sntryu_", (_HEX, 64)),
    "shippo": ("shippo_live_", (_HEX, 40)),
    "shopify": ("shpat_", (_HEX, 32)),
    "slack bot": ("xoxb-", (digits, 12), "-", (digits, 12), "-", (_ALNUM, 24)),
    "slack user": ("xoxp-", (digits, 12), "-", (digits, 12), "-", (_HEX, 32)),
    "slack app": ("xapp-1-", (_UPPER, 11), "-", (digits, 13), "-", (_HEX, 64)),
    "slack webhook": ("https://hooks.slack.com/services/T", (_UPPER, 8), "/B", (_UPPER, 8), "/", (_ALNUM, 24)),
    "sonarqube": ("sqp_", (_HEX, 40)),
    "sourcegraph": ("sgp_", (_HEX, 40)),
    "square": ("sq0atp-", (_TOKEN, 22)),
    "square access": ("EAAA", (_TOKEN, 60)),
    "stripe": ("sk_live_", (_ALNUM, 24)),
    "stripe restricted": ("rk_live_", (_ALNUM, 24)),
    "stripe webhook": ("whsec_", (_ALNUM, 32)),
    "supabase": ("sbp_", (_HEX, 40)),
    "tailscale": ("tskey-auth-", (_ALNUM, 12), "CNTRL-", (_ALNUM, 32)),
    "telegram": ((digits, 10), ":AA", (_TOKEN, 33)),
    "terraform cloud": ((_ALNUM, 14), ".atlasv1.", (_TOKEN, 67)),
    "twilio": ("SK", (_HEX, 32)),
    "typeform": ("tfp_", (_TOKEN, 59)),
    "vault": ("hvs.", (_TOKEN, 95)),
    "vault batch": ("hvb.", (_TOKEN, 140)),
    "vault legacy": ("s.", (_ALNUM, 24)),
    "xai": ("xai-", (_ALNUM, 80)),
    "yandex": ("AQVN", (_ALNUM, 38)),
}
_AROUND_TOKENS = ("error: request with {} was refused", 'msg="using {}"', "connected ({})")

_CONTEXTS = (
    "DB_PASSWORD={}", "export API_KEY={}", "MYSQL_PWD={} mysqldump shop", "PGPASSWORD={}", "  password: {}",
    "  - REDIS_PASSWORD={}", '  db_password: "{}"', "  secret_key: '{}'", '{{"password": "{}", "user": "shop"}}',
    '{{"clientSecret":"{}"}}', '{{\\"token\\":\\"{}\\",\\"n\\":1}}', "{{'passwd': '{}'}}", ":secret => \"{}\"",
    '["POSTGRES_PASSWORD={}","LANG=C"]', '"Env":["SECRET_TOKEN={}"]', "map[password:{} user:shop]",
    "level=info msg=login token={} user=shop", "token={}, user=shop", "Server=db;Password={};Database=shop",
    "https://shop.example/api?access_token={}&page=2", "GET /hook?api_key={} HTTP/1.1", "/login?token={}",
    "postgres://shop:{}@db:5432/shop", "redis://:{}@cache:6379/0", "amqp://shop:{}@mq//",
    "https://shop:{}@git.example/a.git",
    "Authorization: Bearer {}", "Authorization: Basic {}", "authorization: token {}", "Proxy-Authorization: Basic {}",
    "< Set-Cookie: session={}; HttpOnly", "Cookie: sid={}", "X-Api-Key: {}", "X-Auth-Token: {}", "PRIVATE-TOKEN: {}",
    "curl -H 'Authorization: Bearer {}' https://shop.example", 'curl -H "X-Vault-Token: {}" https://v.example',
    "curl -u shop:{} https://shop.example", "curl --user shop:{} https://shop.example", "sent Bearer {} to upstream",
    "docker login --password {} -u shop", "tool --token={} --verbose", "tool --api-key {} run",
    "mysql --password={} shop",
    "<password>{}</password>", '<add key="DbPassword" value="{}" />', '{{"name": "DB_PASSWORD", "value": "{}"}}',
    "machine git.example login shop password {}", "ALTER USER shop WITH PASSWORD '{}'", "IDENTIFIED BY '{}'",
    "//registry.npmjs.example/:_authToken={}", '"auth": "{}"', "aws_secret_access_key = {}", "AccountKey={}",
    "SharedAccessKey={}", "ENCRYPTION_KEY={}", "SECRET_KEY_BASE={}", "JWT_SECRET={}", "SENTRY_DSN={}",
    "passphrase: {}",
    "spring.datasource.password={}", "auth.client-secret={}", "SMTP_PASS={}", "TOKEN_2={}", "OLD_PASSWORD={}",
    "password_hash: {}", "GITEA__database__PASSWD={}", "rootPassword: {}", "app_key=base64:{}", "private_key={}",
    'config["api_token"] = "{}"', "password := \"{}\"", "let PASSWORD='{}';",
    "refresh_token={}&grant_type=refresh_token",
    "csrf_token={}", "webhook_secret: {}", "credentials: {}", "requirepass {}",
)  # fmt: skip

_HARMLESS = (
    "tokenizer: bert-base-uncased", "tokenizer=fast", "secretary: Ada Lovelace", "keyboard: us", "keyboard=de",
    "password_file: /run/secrets/db", "POSTGRES_PASSWORD_FILE=/run/secrets/db", "token_count: 5", "max_tokens: 4096",
    "secrets:", "secrets: [db_password]", "  - db_password", "    source: db_password", "secret_name: db",
    "author: Ada",
    "authority: ca.example", "authenticated: yes", "authors=3", "primary_key: id", "foreign_key=user_id",
    "cache_key: user",
    "public_key: id.pub", "key: value", "sort_key=created", "passed: 10 failed: 0", "pass: 12, fail: 0",
    "compass: north",
    "bypass=true", "password: ${DB_PASSWORD}", "DB_PASSWORD=$DB_PASSWORD", "password: <your password>", "token: null",
    "passwordless: true", "password_policy: strong", "token_ttl=3600", "token_type: Bearer", "auth: required",
    "SSH_AUTH_SOCK=/tmp/agent.1", "PWD=/srv/shop", "auth_method=publickey", "session started", "key_id: 4",
    "Basic authentication required", "bearer authentication is off", "the password was changed", "no token given",
    "error: unexpected token }", "git@git.example:team/shop.git", "ssh://git@git.example:22/team/shop.git",
    "https://registry.example:5000/v2/", "http://[::1]:8080/health", "std::vector<int>", "a::b::c", "ratio 3::4",
    "Container shop-web-1  Started", "Network shop_default  Created", "GET /healthz 200 1.2ms", "exit status 1",
    "listening on 0.0.0.0:8080", "2026-03-01T10:11:12.131Z level=info msg=ready", "web-1  | ready",
    "pull access denied",
    "Error response from daemon: no such image: shop:1.2", "disk-usage-of-all-the-volumes-on-this-host: 12",
    "task-abcdefghijklmnopqrstuvwxyz", "risk-assessment-report-for-the-year", "password_reset_url=/reset",
    "secret_version: 3", "keyfile: /etc/tls/key.pem", "ssl_certificate_key /etc/tls/key.pem;", "tokens=123",
    "services.web.secrets must be a list", "--password-stdin", "--token-file /run/token", "monkey: see",
    "access_key_id_count=2", "credentials_path: /etc/c", "X-Request-Id: 7", "cookie_domain: shop.example",
    "etag: W/5", "name: DB_PASSWORD", "hotkey: ctrl", "donkey=1", "turnkey: yes", "oauth_provider: forgejo",
    "api_key_name: shop", "token bucket: 5 per second", "host_key: changed", "author-email: ada@shop.example",
    "hawk.example.org/login", "v2.local.example is up", "token-service:8080 is up", "oauth:github", "ck_editor=5",
    "secret-store-csi-driver is ready", "rnd_seed=123456789", "K10 knots", "api_live.example.org", "sess-on: 1",
    "[redacted]", "",
)  # fmt: skip


def vendor_lines() -> list[Planted]:
    """Return each kind of token in each of a few surroundings."""
    random = Random("vendors")
    return [
        Planted(around.format(token), token)
        for around in _AROUND_TOKENS
        for token in (
            *(_made(random, parts) for parts in _VENDORS.values()),
            *(made(random, template) for template in TEMPLATES.values()),
        )
    ]


def context_lines() -> list[Planted]:
    """Return values that only their surroundings give away: made ones, and ones that people think of."""
    random = Random("contexts")
    values = [_made(random, ((_ALNUM, 24),)) for _ in _CONTEXTS], ["Tr0ub4dor" + str(n) for n in range(len(_CONTEXTS))]
    return [
        Planted(line.format(value), value) for column in values for line, value in zip(_CONTEXTS, column, strict=True)
    ]


def harmless_lines() -> list[str]:
    """Return ordinary lines and identifiers that must survive unchanged."""
    random = Random("harmless")
    return [*_HARMLESS, *(line for _ in range(12) for line in _identifiers(random))]


def _identifiers(random: Random) -> list[str]:
    sha, digest, container = (_made(random, ((_HEX, length),)) for length in (40, 64, 12))
    uuid = "-".join(_made(random, ((_HEX, length),)) for length in (8, 4, 4, 4, 12))
    return [
        f"commit {sha}",
        f"HEAD is now at {sha[:7]} Ship it",
        f"image: ghcr.io/acme/shop@sha256:{digest}",
        f'"Id": "sha256:{digest}"',
        f"Digest: sha256:{digest}",
        f"{container}   shop:1.2   Up 3 minutes",
        f'"Id": "{digest}"',
        f"request {uuid} done",
        f"host-{container}.node.example.com is up",
        f"256 SHA256:{_made(random, ((_ALNUM, 43),))} root@shop (ED25519)",
        f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{_made(random, ((_ALNUM, 43),))} deploy@shop",
        f"com.docker.compose.config-hash={digest}",
        f"Idempotency-Key: {uuid}",
        f"cache_key={sha}",
        f"public_key={_made(random, ((_ALNUM, 43),))}",
        f"host_key: SHA256:{_made(random, ((_ALNUM, 43),))}",
        f"signing key {sha[:16].upper()} is known",
    ]


def _made(random: Random, parts: tuple[_Part, ...]) -> str:
    return "".join(part if isinstance(part, str) else "".join(random.choices(part[0], k=part[1])) for part in parts)
