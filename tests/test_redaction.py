"""What the one sink for output promises: harmless to show, no secret in it, and still of use."""

import base64
import html
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from time import process_time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platformctl.model.secret import Secret
from platformctl.redaction import REDACTED, Redactor, sanitise
from platformctl.redaction.known import is_telling
from platformctl.redaction.vendors import FORMATS
from tests.data.redaction_corpus import Planted, context_lines, harmless_lines, vendor_lines

VALUE = "hünter2-pa$$ \"word' <&> \\n/=%41"
ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "JSON": json.dumps,
    "JSON without ASCII escapes": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps(json.dumps(value)),
    "URL": quote,
    "URL, everything": lambda value: quote(value, safe=""),
    "form": quote_plus,
    "JSON in a URL": lambda value: quote(json.dumps(value)),
    "shell": shlex.quote,
    "XML": html.escape,
    "XML by number": lambda value: "".join(f"&#{ord(character)};" for character in value),
    "Python": repr,
    "Compose": lambda value: value.replace("$", "$$"),
    "hex": lambda value: value.encode().hex(),
    "upper-case hex": lambda value: value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64, second place": lambda value: base64.b64encode(b"u" + value.encode() + b"??").decode(),
    "base64, third place": lambda value: base64.b64encode(b"u:" + value.encode() + b"?").decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(b":" + value.encode()).decode(),
    "base64 over lines": lambda value: base64.encodebytes(value.encode() * 4).decode(),
    "wrapped": lambda value: "\n    ".join(value[start : start + 5] for start in range(0, len(value), 5)),
    "wrapped in compose logs": lambda value: f"{value[:9]}\nweb-1  | {value[9:]}",
    "coloured": lambda value: "\x1b[1;31m".join(value),
    "with zero width spaces": lambda value: "\u200b".join(value),
    "coloured, in JSON": lambda value: json.dumps("\x1b[0m".join(value)),
}
# Long enough that no other text contains it by chance.
a_value = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp"]), min_size=8, max_size=40
).filter(lambda value: len("".join(value.split())) >= 8 and len(set(value)) > 4 and is_telling(value))


def cleaned(text: str, *known: str) -> str:
    return Redactor(map(Secret, known)).clean(text)


def streamed(chunks: list[bytes] | list[str], *known: str) -> str:
    stream = Redactor(map(Secret, known)).stream()
    return "".join([*[stream.feed(chunk) for chunk in chunks], stream.finish()])


# Known values


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_known_value_is_redacted_in_each_encoding(encoding: str) -> None:
    shown = ENCODINGS[encoding](VALUE)
    result = cleaned(f"before {shown} after", VALUE)
    assert REDACTED in result
    assert result.startswith("before ")
    assert result.endswith(" after")
    assert not [part for part in ("nter2", "pa$", "word") if part in result]


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "raw"])
def test_an_unrelated_text_in_the_same_encoding_stays(encoding: str) -> None:
    shown = sanitise(ENCODINGS[encoding]("just a sentence, 1 of 2"))
    assert cleaned(shown, VALUE) == shown


def test_a_value_with_escapes_in_it_is_found_escaped_once_more() -> None:
    assert cleaned(json.dumps('50%41"xyz'), '50%41"xyz') == f'"{REDACTED}"'


def test_each_line_of_a_value_with_several_lines_is_redacted() -> None:
    result = cleaned("x second-line y\nfirst-line", "first-line\nsecond-line\n")
    assert result == f"x {REDACTED} y\n{REDACTED}"


def test_a_value_of_several_lines_is_found_in_base64_as_a_whole() -> None:
    value = "first-line\nsecond-line\n"
    assert cleaned(base64.b64encode(value.encode()).decode(), value).startswith(REDACTED)


def test_a_value_that_looks_like_the_name_before_a_log_line_is_found_where_a_line_starts() -> None:
    assert cleaned("one\nweb-1 | two-three\n", "web-1 | two-three") == f"one\n{REDACTED}\n"


def test_overlapping_values_leave_nothing_of_either() -> None:
    assert cleaned("-abcdefgh-", "abcdef", "defgh") == f"-{REDACTED}-"


def test_a_value_that_the_end_cuts_off_is_redacted_as_far_as_it_goes() -> None:
    assert cleaned("token is correct-horse-bat", "correct-horse-battery-staple") == f"token is {REDACTED}"


@pytest.mark.parametrize("word", ["true", "root", "localhost", "info", "8080", "abc", "production"])
def test_common_words_and_short_values_are_not_replaced_blindly(word: str) -> None:
    assert cleaned(f"state is {word} now", word) == f"state is {word} now"


@pytest.mark.parametrize("word", ["true1", "root-pw", "80801", "abcd"])
def test_values_just_beyond_that_rule_are_replaced(word: str) -> None:
    assert cleaned(f"state is {word} now", word) == f"state is {REDACTED} now"


def test_a_common_word_is_redacted_where_a_name_says_that_it_is_a_secret() -> None:
    assert cleaned("DB_PASSWORD=admin", "admin") == f"DB_PASSWORD={REDACTED}"


@given(a_value, st.sampled_from(sorted(ENCODINGS)), st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_value_is_redacted_in_any_encoding(value: str, encoding: str, before: str, after: str) -> None:
    shown = ENCODINGS[encoding](value)
    result = cleaned(f"{before} {shown} {after}", value)
    assert REDACTED in result
    assert value not in result
    assert sanitise(shown).strip("'\"\n") not in result


# Secrets that only their looks or surroundings give away


def missed(lines: list[Planted]) -> list[str]:
    return [planted.line for planted in lines if planted.secret in Redactor().clean(planted.line)]


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(vendor_lines()) >= 300
    assert len(context_lines()) >= 100
    assert len(harmless_lines()) >= 200


def test_99_of_100_vendor_tokens_are_redacted() -> None:
    assert len(missed(vendor_lines())) <= 0.01 * len(vendor_lines()), missed(vendor_lines())


def test_every_format_of_the_table_is_among_those_tokens() -> None:
    lines = "\n".join(planted.line for planted in vendor_lines())
    forms = {form.vendor: form.head + re.escape(form.literal) + form.tail for form in FORMATS}
    assert [vendor for vendor, form in forms.items() if not re.search(form, lines)] == []
    assert len(forms) == len(FORMATS) >= 300


def test_95_of_100_secrets_in_context_are_redacted() -> None:
    assert len(missed(context_lines())) <= 0.05 * len(context_lines()), missed(context_lines())


def test_99_of_100_harmless_lines_stay_as_they_are() -> None:
    changed = [line for line in harmless_lines() if Redactor().clean(line) != line]
    assert len(changed) <= 0.01 * len(harmless_lines()), changed


def made_of(alphabet: str, length: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=length, max_size=length)


BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
IDENTIFIERS = {
    "engine id": st.lists(made_of(BASE32, 4), min_size=12, max_size=12).map(":".join),
    "engine id with telling groups": st.lists(
        st.sampled_from(["WJWT", "KPWD", "2OTP", "PASS", "AUTH", "SKEY", "CONN", "7DSN"]), min_size=12, max_size=12
    ).map(":".join),
    "digest that begins like a token": made_of("0123456789abcdef", 60).map("sha256:4b1d{}".format),
    "fingerprint": made_of("ABCXYZabcxyz0189+/", 43).map("SHA256:{}".format),
    "fingerprint with the beginning of a token": made_of("ABCabc019", 38).map("SHA256:VG/YC{}".format),
    "machine id": made_of("0123456789abcdef", 32),
    "commit": made_of("0123456789abcdef", 40),
    "digest": made_of("0123456789abcdef", 64).map("sha256:{}".format),
    "UUID": st.uuids().map(str),
}
PRINTED = ('  engine_id: "{}"', '{{"engine_id":"{}"}}', "machine_id: pinned {0}, found {0}", "host_key={}", "{}")


@pytest.mark.parametrize("kind", IDENTIFIERS)
@given(st.data())
@settings(max_examples=200, deadline=None)
def test_an_identifier_survives_wherever_it_is_printed(kind: str, data: st.DataObject) -> None:
    line = data.draw(st.sampled_from(PRINTED)).format(data.draw(IDENTIFIERS[kind]))
    assert cleaned(line) == line


@pytest.mark.parametrize("value", ["PXRJ:SFAO:hunter2:x", "PXRJ", ":".join(["ABCD"] * 13)])
def test_what_only_resembles_an_engine_id_hides_no_secret(value: str) -> None:
    assert cleaned(f"JWT:{value}") == f"JWT:{REDACTED}"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password=hunter2 user=shop", "password=[redacted] user=shop"),
        ("passwd=hunter2 user=shop", "passwd=[redacted] user=shop"),
        ("secret: hunter2", "secret: [redacted]"),
        ("token=hunter2", "token=[redacted]"),
        ("api_key=hunter2 apikey=hunter2 api-key=x", "api_key=[redacted] apikey=[redacted] api-key=[redacted]"),
        ('{"secret": "hunter2"}', '{"secret": "[redacted]"}'),
        ("sent Bearer hunter2hunter2 upstream", "sent Bearer [redacted] upstream"),
        ("tokenizer=hunter2 tokenizer: hunter2", "tokenizer=hunter2 tokenizer: hunter2"),
        ("PASSWORD: correct horse # the old one", "PASSWORD: [redacted] # the old one"),
        ('{"password":"x y","user":"shop"}', '{"password":"[redacted]","user":"shop"}'),
        ("https://shop.example/?token=abc&page=2", "https://shop.example/?token=[redacted]&page=2"),
        ("postgres://shop:hunter2@db/shop", "postgres://shop:[redacted]@db/shop"),
        ("Authorization: Bearer abc", "Authorization: [redacted]"),
        ("curl -H 'X-Api-Key: abc' https://shop.example", "curl -H 'X-Api-Key: [redacted]' https://shop.example"),
        ("password: |\n  one\n  two\nuser: shop\n", "password: [redacted]\nuser: shop\n"),
        ("run --password hunter2 -v", "run --password [redacted] -v"),
        ("Server=db;Password=abc;Database=shop", "Server=db;Password=[redacted];Database=shop"),
        ("bind_pw: hunter2", "bind_pw: [redacted]"),
        ("bindpw hunter2 rootpw=hunter2 WPA_PSK=hunter2", "bindpw hunter2 rootpw=[redacted] WPA_PSK=[redacted]"),
        ("mysqladmin ping -uroot -phunter2 -hdb", "mysqladmin ping -uroot -p[redacted] -hdb"),
        ("mariadb-dump '-phunter2' shop", "mariadb-dump '-p[redacted]' shop"),
        ('["mysqladmin", "-p\'hunter2\'"]', '["mysqladmin", "-p\'[redacted]\'"]'),
        ("redis-cli -h db -a hunter2 ping", "redis-cli -h db -a [redacted] ping"),
        ('["CMD", "valkey-cli", "-a", "hunter2", "ping"]', '["CMD", "valkey-cli", "-a", "[redacted]", "ping"]'),
        ("sshpass -p hunter2 ssh db", "sshpass -p [redacted] ssh db"),
        ("mongosh -u root -p hunter2 --eval x", "mongosh -u root -p [redacted] --eval x"),
        ("ldapsearch -x -w hunter2 -b dc=x", "ldapsearch -x -w [redacted] -b dc=x"),
    ],
)
def test_only_the_value_is_taken_out(line: str, shown: str) -> None:
    assert cleaned(line) == shown


@pytest.mark.parametrize(
    "line",
    [
        'mysqladmin ping -p"$MYSQL_ROOT_PASSWORD"',
        "mysql -p${MYSQL_PASSWORD} -P 3306 -p",
        "redis-cli -a $REDIS_PASSWORD -p 6379",
        "docker run -p 3306:3306 mysql:8",
        "mongosh --port 27017 -p",
        "sshpass -f file ssh db",
        "pwm: 3",
        "max_power: 40",
    ],
)
def test_what_only_looks_like_the_option_of_a_client_stays(line: str) -> None:
    assert cleaned(line) == line


@pytest.mark.parametrize("kind", ["RSA ", "", "OPENSSH ", "EC ", "ENCRYPTED "])
def test_a_private_key_block_is_redacted_whole(kind: str) -> None:
    block = f"-----BEGIN {kind}PRIVATE KEY-----\nMIIEabcd\nEFGH==\n-----END {kind}PRIVATE KEY-----"
    assert cleaned(f"key:\n{block}\ndone") == f"key:\n{REDACTED}\ndone"
    assert cleaned(json.dumps(block)) == f'"{REDACTED}"'


def test_a_private_key_block_without_its_end_is_redacted_as_far_as_it_looks_like_one() -> None:
    assert cleaned("-----BEGIN PRIVATE KEY-----\nMIIEabcd\nEFGH\nIt ended here.") == f"{REDACTED}\nIt ended here."


def test_a_certificate_is_no_secret() -> None:
    certificate = "-----BEGIN CERTIFICATE-----\nMIIEabcd\n-----END CERTIFICATE-----\n"
    assert cleaned(certificate) == certificate


# Streams


@given(st.data(), a_value, st.sampled_from(sorted(ENCODINGS)))
@settings(max_examples=300, deadline=None)
def test_no_split_into_chunks_lets_a_known_value_through(data: st.DataObject, value: str, encoding: str) -> None:
    shown = ENCODINGS[encoding](value)
    output = f"one\n{data.draw(st.text(max_size=8))} {shown} two\nthree\n".encode("utf-8", "surrogatepass")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(output)), max_size=6)))
    chunks = [output[start:end] for start, end in zip([0, *cuts], [*cuts, len(output)], strict=True)]
    result = streamed(chunks, value)
    assert REDACTED in result
    assert value not in result
    assert sanitise(shown).strip("'\"\n") not in result


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_stream_shows_what_clean_shows(data: st.DataObject) -> None:
    lines = data.draw(st.lists(st.sampled_from([*harmless_lines(), *(p.line for p in context_lines())]), max_size=8))
    text = "\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert streamed(chunks) == cleaned(text)


def test_a_private_key_is_redacted_when_it_comes_line_by_line() -> None:
    lines = ["a\n", "-----BEGIN PRIVATE KEY-----\n", "MIIEabcd\n", "EFGH==\n", "-----END PRIVATE KEY-----\n", "b\n"]
    assert streamed(lines) == f"a\n{REDACTED}\nb\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('DB_PASSWORD="hunter2\nhunter3\n\nhunter4"\nA=1\n', 'DB_PASSWORD="[redacted]"\nA=1\n'),
        ("export API_TOKEN='hunter2\nhunter3' # ours\nA=1\n", "export API_TOKEN='[redacted]' # ours\nA=1\n"),
        ('CREDENTIALS=\'{\n "a": "hunter2"\n}\'\nA=1\n', "CREDENTIALS='[redacted]'\nA=1\n"),
        ('PASSWORD="\nhunter2\n"\nA=1\n', 'PASSWORD="[redacted]"\nA=1\n'),
        ('password: "hunter2\n  hunter3"\nother: x\n', 'password: "[redacted]"\nother: x\n'),
        ('db: {password: "hunter2\n    hunter3", a: b}\n', 'db: {password: "[redacted]", a: b}\n'),
        ('-password: "hunter2\n-  hunter3"\n+a: b\n', '-password: "[redacted]"\n+a: b\n'),
        ("+  password: |\n+    hunter2\n+  a: b\n", "+  password: [redacted]\n+  a: b\n"),
        ("password: |\n  hunter2\n\n  hunter3\nother: x\n", "password: [redacted]\nother: x\n"),
        ("password: | # the old one\n  hunter2\nother: x\n", "password: [redacted]\nother: x\n"),
        ("password: !vault |\n  hunter2\nother: x\n", "password: [redacted]\nother: x\n"),
        ("password: &it !!str >-\n  hunter2\nother: x\n", "password: [redacted]\nother: x\n"),
        ("+  password: hunter2 hunter3\n", "+  password: [redacted]\n"),
        ('API_TOKEN="hunter2\nhunter3\n', 'API_TOKEN="[redacted]'),
        ('KUBECONFIG_TOKEN="' + "hunter2\n" * 1500 + '"\nA=1\n', 'KUBECONFIG_TOKEN="[redacted]"\nA=1\n'),
    ],
)
def test_a_value_that_goes_on_over_lines_is_redacted_whole_also_when_they_come_one_by_one(
    text: str, shown: str
) -> None:
    assert cleaned(text) == shown
    assert streamed(text.splitlines(keepends=True)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('password: "hunter2\nall "is well" here\nmore\n', 'password: "[redacted]\nall "is well" here\nmore\n'),
        ("password: 'hunter2\nit's well\n", "password: '[redacted]\nit's well\n"),
        ('password: "hunter2\n' + "x\n" * 10_000, 'password: "[redacted]\n' + "x\n" * 10_000),
    ],
    ids=["another quote", "an apostrophe", "no quote for long"],
)
def test_a_quote_that_nothing_closes_hides_its_own_line_alone(text: str, shown: str) -> None:
    assert cleaned(text) == shown
    assert streamed(text.splitlines(keepends=True)) == shown


def test_a_complete_line_is_given_out_at_once() -> None:
    assert Redactor([Secret("correct-horse")]).stream().feed("ready\n") == "ready\n"


def test_a_line_that_may_begin_a_known_value_is_held_back() -> None:
    stream = Redactor([Secret("correct-horse")]).stream()
    assert stream.feed("ready\ncorrect-\n") == "ready\n"
    assert stream.feed("horse and cart\n") == f"{REDACTED} and cart\n"


def test_a_character_split_over_chunks_is_whole_again() -> None:
    assert streamed([b"caf\xc3", b"\xa9\n"]) == "café\n"


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert streamed([b"\xff\xfe ok\n"]) == "\\xff\\xfe ok\n"


# The sink as a whole


@given(st.text(), st.lists(a_value, max_size=3))
@settings(max_examples=300, deadline=None)
def test_clean_is_idempotent_and_never_raises(text: str, known: list[str]) -> None:
    redactor = Redactor(map(Secret, known))
    once = redactor.clean(text + " ".join(known))
    assert redactor.clean(once) == once


@pytest.mark.parametrize("planted", [*vendor_lines(), *context_lines()], ids=lambda planted: planted.line[:24])
def test_cleaning_a_corpus_line_twice_changes_nothing_more(planted: Planted) -> None:
    once = cleaned(planted.line)
    assert cleaned(once) == once


@given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Lu"])))
def test_sanitise_is_idempotent_and_leaves_no_hidden_character(text: str) -> None:
    shown = sanitise(text)
    assert sanitise(shown) == shown
    assert all(character in "\n\t" or character.isprintable() for character in shown)


@pytest.mark.parametrize("text", ["plain text\n", "tab\tseparated\n", "naïve 日本語 😀 é", "a::b", "# [x]", "1 :: 2"])
def test_ordinary_text_is_not_changed_by_sanitising(text: str) -> None:
    assert sanitise(text) == text


def test_a_line_of_a_megabyte_is_clean_within_a_second_of_the_processor() -> None:
    line = "user=shop path=/items/4711 digest=0a1b2c3d " * 24_000
    began = process_time()
    Redactor([Secret("correct-horse"), Secret("battery staple")]).clean(line)
    assert process_time() - began < 1


def test_five_megabytes_of_log_are_clean_within_a_second_of_the_processor() -> None:
    """Digests, ids and names as a log has them; 1 MB, so that the run of all tests is not held up."""
    line = "2026-03-01T10:11:12Z level=info image=registry.example/shop@sha256:{:064x} id={:032x} path=/items\n"
    log = "".join(line.format(number**20, number**9) for number in range(5000))[:1_000_000]
    known = Redactor([Secret("correct-horse"), Secret("battery staple")])
    spent = []
    for _ in range(3):
        began = process_time()
        known.clean(log)
        spent.append(process_time() - began)
    assert min(spent) < len(log) / 5e6


def test_importing_the_sink_builds_none_of_its_tables() -> None:
    program = (
        "import sys, platformctl.redaction; print([name for name in sys.modules if name.startswith('platformctl')])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "platformctl.redaction.sanitising" in loaded
    assert "platformctl.redaction.formats" not in loaded
    assert "platformctl.redaction.settings" not in loaded
