"""Published token formats: how the secrets of many vendors look, wherever they stand.

A format is a literal that every such token contains and a pattern for what follows it, so that a text is searched
for the literals (fast, linear) and a pattern is tried only where one stands.  Lengths are lower bounds: a vendor that
makes its tokens longer does not break the table, and the whole run of characters is taken.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from platformctl.redaction.identifiers import in_identifier
from platformctl.redaction.spans import Span

_HEAD_LIMIT = 80  # characters; no token in the table has more than this before its literal


class Format(NamedTuple):
    """`head`, `literal`, `tail` make the token; `boundary` looks back from the literal at what may not precede it."""

    vendor: str
    literal: str
    tail: str
    boundary: str = ""
    head: str = ""


_WORD_START = r"(?<![A-Za-z0-9])"
_RUN_START = r"(?<![A-Za-z0-9_-])"
_ALNUM = "[A-Za-z0-9]"
_TOKEN = "[A-Za-z0-9_-]"  # noqa: S105  a character class
_HEX = "[0-9a-fA-F]"
_BASE64 = "[A-Za-z0-9+/]"
_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

FORMATS = (
    Format("1Password secret key", "A3-", "[A-Z0-9]{6}(?:-?[A-Z0-9]{5,11}){4,5}", _WORD_START),
    Format("1Password service account", "ops_eyJ", _BASE64 + "{40,}=*"),
    Format("Adobe", "p8e-", _ALNUM + "{32,}", _WORD_START),
    Format("age", "AGE-SECRET-KEY-1", "[A-Z0-9]{40,}"),
    Format("age plugin", "AGE-PLUGIN-", "[A-Z0-9]+-1[A-Z0-9]{20,}"),
    Format("Airtable", "pat", _ALNUM + r"{14}\.[0-9a-f]{64}", _WORD_START),
    Format("Aiven", "aivenv1_", "[A-Za-z0-9+/_-]{40,}=*"),
    Format("Alibaba", "LTAI", _ALNUM + "{12,}", _WORD_START),
    Format("Anthropic", "sk-ant-", _TOKEN + "{20,}"),
    Format("Artifactory key", "AKCp", _ALNUM + "{50,}"),
    Format("Artifactory reference", "cmVmd", _ALNUM + "{50,}", _WORD_START),
    Format("Atlassian", "ATATT3", "[A-Za-z0-9_=-]{50,}"),
    Format("Atlassian access", "ATCTT3", "[A-Za-z0-9_=-]{50,}"),
    Format("Bitbucket app password", "ATBB", _ALNUM + "{24,}", _WORD_START),
    Format("AWS access key", "AKIA", "[A-Z0-9]{16,}", _WORD_START),
    Format("AWS temporary key", "ASIA", "[A-Z0-9]{16,}", _WORD_START),
    Format("AWS bearer key", "ABIA", "[A-Z0-9]{16,}", _WORD_START),
    Format("AWS context key", "ACCA", "[A-Z0-9]{16,}", _WORD_START),
    Format("AWS legacy key", "A3T", "[A-Z0-9]{17,}", _WORD_START),
    Format("AWS Bedrock", "ABSK", _BASE64 + "{60,}=*", _WORD_START),
    Format("AWS Bedrock short", "bedrock-api-key-", "[A-Za-z0-9+/=]{20,}"),
    Format("AWS signature", "X-Amz-Signature=", _HEX + "{32,}"),
    Format("AWS session", "X-Amz-Security-Token=", "[A-Za-z0-9%+/=_-]{20,}"),
    Format("Azure AD client", "Q~", "[A-Za-z0-9_~.-]{31,}", head="[A-Za-z0-9_~.-]{3}[0-9]"),
    Format("Azure storage key", "+ASt", _BASE64 + "{6}==", head=_BASE64 + "{76}"),
    Format("Azure search", "AzSe", _ALNUM + "{36,}", head=_ALNUM + "{42}"),
    Format("Azure functions", "AzFu", _ALNUM + "+={0,2}", head="[A-Za-z0-9_-]{40,50}"),
    Format("Azure containers", "+ACR", _ALNUM + "{6,}", head=_BASE64 + "{42}"),
    Format("Azure DevOps", "AZDO", _ALNUM + "{4}", head=_ALNUM + "{64}"),
    Format("Azure shared access signature", "sig=", "[A-Za-z0-9%+/]{30,}=*", _WORD_START),
    Format("Brevo", "xkeysib-", _TOKEN + "{30,}"),
    Format("Brevo SMTP", "xsmtpsib-", _TOKEN + "{30,}"),
    Format("Buildkite user", "bkua_", _ALNUM + "{30,}"),
    Format("Buildkite agent", "bkct_", _ALNUM + "{30,}"),
    Format("CircleCI", "CCIPAT_", "[A-Za-z0-9_]{40,}"),
    Format("ClickHouse", "4b1d", _ALNUM + "{38,}", _WORD_START),
    Format("Clojars", "CLOJARS_", _ALNUM + "{40,}"),
    Format("Cloudflare origin", "v1.0-", _HEX + "{24}-" + _HEX + "{100,}"),
    Format("Cloudflare user", "cfut_", _TOKEN + "{30,}"),
    Format("Cloudflare account", "cfat_", _TOKEN + "{30,}"),
    Format("Cloudflare key", "cfk_", _TOKEN + "{30,}"),
    Format("Contentful", "CFPAT-", _TOKEN + "{40,}"),
    Format("Coolify, Laravel Sanctum", "|", _ALNUM + "{40,48}(?![A-Za-z0-9])", head=r"(?<![\w.])[0-9]{1,6}"),
    Format("crates.io", "cio", _ALNUM + "{32}(?![A-Za-z0-9])", _WORD_START),
    Format("Databricks", "dapi", "[0-9a-f]{32}(?:-[0-9])?"),
    Format("Databricks OAuth", "dose", "[0-9a-f]{32}"),
    Format("Datadog application", "ddapp_", _ALNUM + "{30,}"),
    Format("Datadog personal", "ddpat_", _ALNUM + "{30,}"),
    Format("Defined Networking", "dnkey-", "[a-z0-9=_-]{26,}"),
    Format("DigitalOcean personal", "dop_v1_", _HEX + "{32,}"),
    Format("DigitalOcean OAuth", "doo_v1_", _HEX + "{32,}"),
    Format("DigitalOcean refresh", "dor_v1_", _HEX + "{32,}"),
    Format("Discord bot", ".", _TOKEN + r"{6}\.[A-Za-z0-9_-]{27,}", head=_WORD_START + "[MNO][A-Za-z0-9_-]{22,27}"),
    Format("Discord webhook", "/api/webhooks/", "[0-9]{15,}/[A-Za-z0-9_-]{30,}"),
    Format("Docker Hub", "dckr_pat_", _TOKEN + "{20,}"),
    Format("Docker Hub OAuth", "dckr_oat_", _TOKEN + "{20,}"),
    Format("Docker Swarm join", "SWMTKN-1-", "[0-9a-z-]{50,}"),
    Format("Docker Swarm unlock", "SWMKEY-1-", "[A-Za-z0-9+/]{40,}"),
    Format("Doppler", "dp.", r"[a-z]{2,6}\.[A-Za-z0-9._]{30,}", _WORD_START),
    Format("Dropbox", "sl.", "[A-Za-z0-9_=-]{60,}", _WORD_START),
    Format("Duffel", "duffel_", "(?:test|live)_[A-Za-z0-9_=-]{30,}"),
    Format("Dynatrace", "dt0c01.", r"[A-Za-z0-9]{20,}\.[A-Za-z0-9]{40,}"),
    Format("Dynatrace platform", "dt0s", r"[0-9]{2}\.[A-Za-z0-9]{8,}\.[A-Za-z0-9]{40,}", _WORD_START),
    Format("EasyPost", "EZAK", _ALNUM + "{54,}", _WORD_START),
    Format("EasyPost test", "EZTK", _ALNUM + "{54,}", _WORD_START),
    Format("Facebook", "EAA", _ALNUM + "{80,}", _WORD_START),
    Format("Figma", "figd_", _TOKEN + "{30,}"),
    Format("Flutterwave", "FLWSECK", "(?:_TEST)?-[A-Za-z0-9]{12,}(?:-X)?"),
    Format("Fly.io", "fo1_", _TOKEN + "{40,}"),
    Format("Fly.io macaroon", "fm", "[12][ar]?_[A-Za-z0-9+/]{60,}=*", _WORD_START),
    Format("Frame.io", "fio-u-", "[A-Za-z0-9_=-]{40,}"),
    Format("GitHub personal", "ghp_", _ALNUM + "{30,}"),
    Format("GitHub OAuth", "gho_", _ALNUM + "{30,}"),
    Format("GitHub user", "ghu_", _ALNUM + "{30,}"),
    Format("GitHub server", "ghs_", "[A-Za-z0-9._-]{30,}"),
    Format("GitHub refresh", "ghr_", _ALNUM + "{30,}"),
    Format("GitHub fine grained", "github_pat_", "[A-Za-z0-9_]{30,}"),
    Format("GitLab personal", "glpat-", "[A-Za-z0-9_.-]{20,}"),
    Format("GitLab CI job", "glcbt-", _TOKEN + "{20,}"),
    Format("GitLab deploy", "gldt-", _TOKEN + "{20,}"),
    Format("GitLab feature flag", "glffct-", _TOKEN + "{20,}"),
    Format("GitLab feed", "glft-", _TOKEN + "{20,}"),
    Format("GitLab incoming mail", "glimt-", _TOKEN + "{20,}"),
    Format("GitLab agent", "glagent-", _TOKEN + "{20,}"),
    Format("GitLab OAuth", "gloas-", _TOKEN + "{20,}"),
    Format("GitLab trigger", "glptt-", _TOKEN + "{20,}"),
    Format("GitLab runner", "glrt-", "[A-Za-z0-9_.-]{20,}"),
    Format("GitLab runner registration", "GR1348941", _TOKEN + "{20,}"),
    Format("GitLab SCIM", "glsoat-", _TOKEN + "{20,}"),
    Format("GitLab session", "_gitlab_session=", _ALNUM + "{32,}"),
    Format("GoCardless", "live_", "[A-Za-z0-9_=-]{40,}", _WORD_START),
    Format("Google API", "AIza", _TOKEN + "{35,}"),
    Format("Google OAuth access", "ya29.", "[A-Za-z0-9_.-]{20,}"),
    Format("Google OAuth client", "GOCSPX-", _TOKEN + "{20,}"),
    Format("Google refresh", "1//0", _TOKEN + "{30,}", _WORD_START),
    Format("Grafana Cloud", "glc_", "[A-Za-z0-9+/_-]{30,}=*"),
    Format("Grafana service account", "glsa_", "[A-Za-z0-9_]{32,}"),
    Format("Groq", "gsk_", _ALNUM + "{40,}"),
    Format("Harness", "at.", r"[A-Za-z0-9_-]{22}\.[0-9a-zA-Z]{24}\.[0-9a-zA-Z]{20}", head=_WORD_START + "[ps]"),
    Format("Heroku", "HRKU-", _TOKEN + "{30,}"),
    Format("HubSpot", "pat-", "[a-z]{2}[0-9]-" + _UUID, _WORD_START),
    Format("Hugging Face", "hf_", "[A-Za-z]{30,}", _WORD_START),
    Format("Hugging Face organisation", "api_org_", "[A-Za-z]{30,}"),
    Format("Infracost", "ico-", _ALNUM + "{32,}", _WORD_START),
    Format("Intra42", "s-s4t2", "(?:ud|af)-[0-9a-f]{40,}"),
    Format("JSON web token", "eyJ", r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_=-]{8,}(?:\.[A-Za-z0-9_=-]*)*", _RUN_START),
    Format("LangSmith", "lsv2_", "(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    Format("Linear", "lin_api_", _ALNUM + "{30,}"),
    Format("Linear OAuth", "lin_oauth_", _ALNUM + "{30,}"),
    Format("Mailchimp", "-us", "[0-9]{1,2}(?![0-9A-Za-z])", head=_WORD_START + "[0-9a-f]{32}"),
    Format("Mailgun", "key-", "[0-9a-f]{32}", _WORD_START),
    Format("Mapbox", "sk.", r"eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}", _WORD_START),
    Format("MaxMind", "_mmk", "", head=_WORD_START + "[A-Za-z0-9]{6}_[A-Za-z0-9]{29}"),
    Format("Microsoft Teams webhook", "webhook.office.com/webhookb2/", "[A-Za-z0-9@/-]{40,}"),
    Format("Netlify", "nfp_", _ALNUM + "{30,}"),
    Format("Neon", "napi_", _ALNUM + "{30,}"),
    Format("New Relic user", "NRAK-", _ALNUM + "{20,}"),
    Format("New Relic insert", "NRII-", _TOKEN + "{20,}"),
    Format("New Relic browser", "NRJS-", _HEX + "{19,}"),
    Format("New Relic licence", "FFFFNRAL", "", head="[0-9a-f]{32}"),
    Format("New Relic licence, lower case", "NRAL", "(?![A-Za-z0-9])", head="[0-9a-f]{36}"),
    Format("Notion", "ntn_", _ALNUM + "{30,}"),
    Format("Notion legacy", "secret_", _ALNUM + "{40,}"),
    Format("npm", "npm_", _ALNUM + "{30,}"),
    Format("NuGet", "oy2", "[a-z0-9]{43}", _WORD_START),
    Format("Octopus Deploy", "API-", "[A-Z0-9]{25,}", _WORD_START),
    Format("Okta", "SSWS ", "[A-Za-z0-9_-]{20,}"),
    Format("OpenAI project", "sk-proj-", _TOKEN + "{20,}"),
    Format("OpenAI service", "sk-svcacct-", _TOKEN + "{20,}"),
    Format("OpenAI admin", "sk-admin-", _TOKEN + "{20,}"),
    Format("OpenAI and look-alikes", "sk-", _ALNUM + "{20,}", _WORD_START),
    Format("OpenRouter", "sk-or-", _TOKEN + "{20,}", _WORD_START),
    Format("OpenShift", "sha256~", _TOKEN + "{43,}"),
    Format("PayPal Braintree", "access_token$", r"(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}"),
    Format("Perplexity", "pplx-", _ALNUM + "{32,}"),
    Format("Plaid", "access-", "(?:sandbox|development|production)-" + _UUID),
    Format("PlanetScale token", "pscale_tkn_", "[A-Za-z0-9_=.-]{30,}"),
    Format("PlanetScale OAuth", "pscale_oauth_", "[A-Za-z0-9_=.-]{30,}"),
    Format("PlanetScale password", "pscale_pw_", "[A-Za-z0-9_=.-]{30,}"),
    Format("PostHog", "phx_", _ALNUM + "{30,}"),
    Format("Postman", "PMAK-", "[0-9a-fA-F]{24}-[0-9a-fA-F]{30,}"),
    Format("Postman collection", "PMAT-", "[0-9A-Z]{26}"),
    Format("Prefect", "pnu_", _ALNUM + "{36,}"),
    Format("Pulumi", "pul-", _HEX + "{40,}", _WORD_START),
    Format("PyPI", "pypi-", "[A-Za-z0-9_-]{50,}"),
    Format("Railway", "rw_Fe26.2*", "[A-Za-z0-9_*-]{40,}"),
    Format("ReadMe", "rdme_", "[a-z0-9]{50,}"),
    Format("Replicate", "r8_", _ALNUM + "{37,}", _WORD_START),
    Format("Resend", "re_", "[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}", _WORD_START),
    Format("RubyGems", "rubygems_", _HEX + "{40,}"),
    Format("Scaleway", "SCW", "[A-Z0-9]{17}(?![A-Z0-9])", _WORD_START),
    Format("Scalingo", "tk-us-", _TOKEN + "{40,}", _WORD_START),
    Format("SendGrid", "SG.", r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_=.-]{16,}", _WORD_START),
    Format("Sentry organisation", "sntrys_", "[A-Za-z0-9+/=_-]{30,}"),
    Format("Sentry user", "sntryu_", _HEX + "{40,}"),
    Format("Shippo", "shippo_", "(?:live|test)_[0-9a-fA-F]{30,}"),
    Format("Shopify access", "shpat_", _HEX + "{30,}"),
    Format("Shopify custom", "shpca_", _HEX + "{30,}"),
    Format("Shopify private", "shppa_", _HEX + "{30,}"),
    Format("Shopify shared", "shpss_", _HEX + "{30,}"),
    Format("Slack bot", "xoxb-", "[A-Za-z0-9-]{16,}"),
    Format("Slack user", "xoxp-", "[A-Za-z0-9-]{16,}"),
    Format("Slack workspace", "xoxa-", "[A-Za-z0-9-]{8,}"),
    Format("Slack refresh", "xoxr-", "[A-Za-z0-9-]{8,}"),
    Format("Slack legacy", "xoxs-", "[A-Za-z0-9-]{16,}"),
    Format("Slack legacy OAuth", "xoxo-", "[A-Za-z0-9-]{16,}"),
    Format("Slack cookie", "xoxd-", "[A-Za-z0-9%+/=-]{16,}"),
    Format("Slack client", "xoxc-", "[A-Za-z0-9-]{16,}"),
    Format("Slack configuration", "xoxe", "[.-][A-Za-z0-9.-]{16,}"),
    Format("Slack app", "xapp-", "[0-9]-[A-Za-z0-9-]{16,}"),
    Format("Slack webhook", "hooks.slack.com/", "(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{20,}"),
    Format("Snyk", "snyk_", r"(?:uat|sat)\.[0-9a-z]{8}\.[A-Za-z0-9_.-]{20,}"),
    Format("SonarQube user", "squ_", _HEX + "{40,}", _WORD_START),
    Format("SonarQube project", "sqp_", _HEX + "{40,}", _WORD_START),
    Format("SonarQube analysis", "sqa_", _HEX + "{40,}", _WORD_START),
    Format("Sourcegraph", "sgp_", "(?:[0-9a-fA-F]{16}_|local_)?[0-9a-fA-F]{40}"),
    Format("Square access", "EAAA", _TOKEN + "{40,}", _WORD_START),
    Format("Square OAuth", "sq0atp-", _TOKEN + "{20,}"),
    Format("Square secret", "sq0csp-", _TOKEN + "{20,}"),
    Format("Stripe", "sk_", "(?:live|test|prod)_[A-Za-z0-9]{10,}"),
    Format("Stripe restricted", "rk_", "(?:live|test|prod)_[A-Za-z0-9]{10,}"),
    Format("Stripe webhook", "whsec_", "[A-Za-z0-9+/]{24,}=*"),
    Format("Supabase", "sbp_", _HEX + "{40,}"),
    Format("Supabase secret", "sb_secret_", _TOKEN + "{20,}"),
    Format("Tailscale", "tskey-", "[A-Za-z0-9-]{16,}"),
    Format("Telegram bot", ":A", _TOKEN + "{33,}", head=r"(?<!\d)[0-9]{6,12}"),
    Format("Terraform Cloud", ".atlasv1.", "[A-Za-z0-9_=-]{40,}", head=_ALNUM + "{14}"),
    Format("Twilio key", "SK", "[0-9a-f]{32}(?![0-9a-f])", _WORD_START),
    Format("Typeform", "tfp_", "[A-Za-z0-9_.=-]{40,}"),
    Format("Vault service", "hvs.", _TOKEN + "{20,}"),
    Format("Vault batch", "hvb.", _TOKEN + "{20,}"),
    Format("Vault recovery", "hvr.", _TOKEN + "{20,}"),
    Format("Vault legacy", "s.", _ALNUM + "{24}(?![A-Za-z0-9.])", r"(?<![\w./-])"),
    Format("Vercel", "vc", "[pirak]_[A-Za-z0-9]{40,}", _WORD_START),
    Format("VolcEngine", "AKLT", "[A-Za-z0-9_-]{40,}=*", _WORD_START),
    Format("xAI", "xai-", _ALNUM + "{60,}", _WORD_START),
    Format("Yandex IAM", "t1.", r"[A-Za-z0-9_-]{8,}={0,2}\.[A-Za-z0-9_-]{80,}={0,2}", _WORD_START),
    Format("Yandex API", "AQVN", "[A-Za-z0-9_-]{35,}", _WORD_START),
    Format("Yandex static", "YC", "[A-Za-z0-9_-]{38}(?![A-Za-z0-9_-])", _WORD_START),
    Format("Zuplo", "zpka_", "[A-Za-z0-9_]{40,}"),
)


class _Search(NamedTuple):
    """Formats whose literals begin with one character, and a pattern that stands where one of the literals does.

    One pattern for each first character is the fastest way through a text: `re` skips to the character by itself, and
    sees at once whether the rest of a literal follows.
    """

    pattern: re.Pattern[str]
    formats: tuple[Format, ...]


def tokens(text: str) -> Iterator[Span]:
    """Yield a span for every token in `text` whose format is in the table."""
    for search in _searches():
        taken: dict[str, int] = {}
        for match in search.pattern.finditer(text):
            position = match.start()
            for form in search.formats:
                if text.startswith(form.literal, position) and taken.get(form.vendor, 0) <= position:
                    span = _token_at(text, position, form)
                    if span is not None:
                        taken[form.vendor] = span.end  # else a run of literals would be searched again from each
                        yield span


@cache
def _searches() -> tuple[_Search, ...]:
    first: dict[str, list[Format]] = {}
    for form in FORMATS:
        first.setdefault(form.literal[0], []).append(form)
    return tuple(_Search(_standing(forms), tuple(forms)) for forms in first.values())


def _standing(forms: list[Format]) -> re.Pattern[str]:
    """A pattern of one character, at which one of the literals stands; it takes no more, as literals may overlap."""
    rests = "|".join(sorted(re.escape(form.literal[1:]) for form in forms))
    return re.compile(rf"{re.escape(forms[0].literal[0])}(?={rests})")


def _token_at(text: str, position: int, form: Format) -> Span | None:
    # The boundary comes first: it is what keeps a tail from being tried at each place of a run that cannot match.
    if form.boundary and not _compiled(form.boundary).match(text, position):
        return None
    tail = _compiled(form.tail).match(text, position + len(form.literal))
    if tail is None:
        return None
    start = _head_start(text, position, form.head)
    return None if start is None or in_identifier(text, start) else Span(start, tail.end(), start)


def _head_start(text: str, position: int, head: str) -> int | None:
    if not head:
        return position
    match = _compiled(rf"{head}\Z").search(text, max(0, position - _HEAD_LIMIT), position)
    return match.start() if match else None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
