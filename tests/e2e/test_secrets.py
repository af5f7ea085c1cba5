"""No secret leaves: whatever a host prints, no output, plan, log, state, journal, receipt or argv has it (P5)."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platformctl.trust import envelope
from tests.e2e.witness import overheard, untouched
from tests.lab import Host
from tests.platform_repo import Ended, PlatformRepo

SECRET = "Tr0ub4dor&3-correct-horse"
HEALTH = {"timeout": "8s", "stable_for": "1s"}
SHOUTS = """case "$*" in *' up -d '*)
  echo 'PASSWORD=hunter2 on stdout'; echo 'PASSWORD=hunter2 on stderr' >&2
  printf 'Authorization: Bearer hunter2hunter2\\n{"secret": "hunter2"}\\nhttps://x.example/?token=hunter2\\n' >&2
  exit 17 ;;
esac"""


def everything(repo: PlatformRepo, host: Host, *ended: Ended) -> Iterator[tuple[str, str]]:
    """Every text that came of the runs: outputs, and files here and on the host but the operator's env file."""
    for one in ended:
        yield " ".join(one.words), one.stdout + one.stderr
    for path in [*(repo.root / ".platform").rglob("*"), *repo.folder.glob("*.json")]:
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            yield str(path), text
            if path.suffix == ".json" and '"payloadType"' in text:
                yield f"payload of {path}", envelope.read(path.read_bytes()).payload.decode()
    yield "host", host.sh(f"cd {host.root} && find . -type f ! -path './secrets/*' -exec cat {{}} + | tr -d '\\0'")


def spellings(secret: str) -> set[str]:
    """The secret as it is and as programs like to write it."""
    plain = {
        secret,
        secret.replace("&", "&amp;"),
        secret.replace("&", "%26"),
        json.dumps(secret)[1:-1].replace("&", "\\u0026"),
    }
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return plain | {encoded[:-1]}


def assert_nowhere(secret: str, repo: PlatformRepo, host: Host, *ended: Ended) -> None:
    for where, text in everything(repo, host, *ended):
        for spelling in spellings(secret):
            assert spelling not in text, f"{spelling} in {where}"


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    """A module whose container is given a secret from the host's env file, says it and ends with 3."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    host.write("secrets/web.env", f"# comment\nDB_PASSWORD='{SECRET}'\nGREETING=hello-there\n".encode())
    host.sh(f"chmod 600 {host.root}/secrets/web.env")
    return repo


def module(repo: PlatformRepo, command: str) -> None:
    service = {
        "image": "platformctl-lab/sleeper:1",
        "environment": {"DB_PASSWORD": "${DB_PASSWORD:?}"},
        "command": ["sh", "-c", command],
    }
    env = {"file": "secrets/web.env", "required": ["DB_PASSWORD"]}
    repo.add_module("web", {"services": {"web": service}}, health=HEALTH, env=env)


def test_the_values_of_the_env_file_are_in_nothing_that_is_written(repo: PlatformRepo, host: Host) -> None:
    module(repo, "sleep 2147483647")
    with overheard(host) as heard:
        plan = repo.plan("web", "--json", "-v")
        approved = repo.approve(plan)
        applied = repo.apply(plan, "-v")
        told = heard.all()
    said = [repo.run(*map(str, words), "-v") for words in _everything_said_of(plan)]
    said += [repo.run(*map(str, words), "--json", "--log-format", "json", "-v") for words in _everything_said_of(plan)]
    assert_nowhere(SECRET, repo, host, approved, applied, *said)
    assert not [command for command in told if SECRET in " ".join(command.words)]
    assert SECRET in host.docker("inspect", "--format", "{{.Config.Env}}", "web-web-1"), "the container itself has it"


def _everything_said_of(plan: Path) -> tuple[tuple[str | Path, ...], ...]:
    """Commands that tell of a plan, of what runs and of what was done, one of them refused."""
    told = (("show", plan), ("verify", plan), ("explain", plan), ("status",), ("history", "web"), ("audit", "show"))
    again = ("apply", plan, "--approved-sha", "0" * 40, "--result-file", plan.with_suffix(".result.json"))
    return (*told, ("audit", "verify"), ("doctor",), ("validate",), ("recover",), again)


def test_the_last_words_of_a_failing_container_are_shown_without_it(repo: PlatformRepo, host: Host) -> None:
    """As it stands, encoded, over two lines, and beside a word that is no secret."""
    module(repo, 'echo "the value is $$DB_PASSWORD"; echo "$$DB_PASSWORD" >&2; echo "tokenizer works"; exit 3')
    plan = repo.plan("web")
    repo.approve(plan)
    people = repo.run("apply", plan, "--approved-sha", repo.head, "-v", expect=11)
    assert "tokenizer works" in people.stdout + people.stderr
    assert "the value is [redacted]" in people.stdout + people.stderr
    assert_nowhere(SECRET, repo, host, people, repo.run("status"), repo.run("audit", "show", "--json"))
    (failed,) = last_receipt(host)["failed"]
    assert "the value is [redacted]" in failed["log"]
    assert not [spelling for spelling in spellings(SECRET) if spelling in json.dumps(failed)]


def last_receipt(host: Host) -> dict[str, Any]:
    """What the host keeps of the last apply, as it was signed."""
    record = json.loads(host.sh(f"cat {host.root}/.platformctl/modules/web.json"))
    told: dict[str, Any] = json.loads(envelope.read(record["receipts"][-1].encode()).payload)
    return told


def test_a_release_whose_values_the_agent_can_not_read_is_refused(repo: PlatformRepo, host: Host) -> None:
    """A file of another user, which only Docker's root could read."""
    module(repo, 'echo "the value is $$DB_PASSWORD"; exit 3')
    plan = repo.plan("web")
    repo.approve(plan)
    host.sh(f"chown root: {host.root}/secrets/web.env")
    with untouched(host):
        ended = repo.run("apply", plan, "--approved-sha", repo.head, "-v", "--json", expect=4)
    assert_nowhere(SECRET, repo, host, ended)


def test_the_last_words_are_left_out_where_not_all_values_are_known(repo: PlatformRepo, host: Host) -> None:
    """What is not known can not be taken out: the value stands behind more than is read of the file."""
    host.sh(f"""cd {host.root}/secrets; yes '# padding' | head -c 9000000 >big; echo >>big; cat web.env >>big
        cat big >web.env; rm big""")
    module(repo, 'echo "the value is $$DB_PASSWORD"; exit 3')
    plan = repo.plan("web")
    repo.approve(plan)
    ended = repo.run("apply", plan, "--approved-sha", repo.head, "-v", "--json", expect=11)
    assert "the value is" not in ended.stdout + ended.stderr
    assert [failed["log"] for failed in last_receipt(host)["failed"]] == [""]
    assert_nowhere(SECRET, repo, host, ended)


def test_a_value_that_is_put_together_is_hidden_in_all_its_parts(repo: PlatformRepo, host: Host) -> None:
    """Compose fills in variables and defaults of the env file itself."""
    lines = 'NAME=first-half\nDB_PASSWORD=${NAME}second-half${NOBODY:-third-part}\nTABBED="one-and\\ttwo-and"\n'
    host.write("secrets/web.env", lines.encode())
    host.sh(f"chmod 600 {host.root}/secrets/web.env")
    service = {
        "image": "platformctl-lab/sleeper:1",
        "environment": {"DB_PASSWORD": "${DB_PASSWORD:?}", "TABBED": "${TABBED}"},
        "command": ["sh", "-c", 'echo "said: $$DB_PASSWORD and $$TABBED"; exit 3'],
    }
    env = {"file": "secrets/web.env", "required": ["DB_PASSWORD"]}
    repo.add_module("web", {"services": {"web": service}}, health=HEALTH, env=env)
    plan = repo.plan("web")
    repo.approve(plan)
    ended = repo.run("apply", plan, "--approved-sha", repo.head, "-v", expect=11)
    assert "said: [redacted] and [redacted]" in ended.stdout + ended.stderr
    for part in ("first-half", "second-half", "third-part", "one-and", "two-and"):
        assert_nowhere(part, repo, host, ended)


def test_what_compose_prints_is_redacted_on_both_streams(repo: PlatformRepo, host: Host) -> None:
    """P5, P34, P55: a failing step's last words are told, the passwords in them are not."""
    module(repo, "sleep 2147483647")
    plan = repo.plan("web")
    repo.approve(plan)
    with overheard(host, SHOUTS):
        text = repo.run("apply", plan, "--approved-sha", repo.head, "-v", expect=11)
    assert "on stderr" in text.stderr
    assert_nowhere("hunter2", repo, host, text)


def test_a_compose_error_about_a_secret_does_not_repeat_it(repo: PlatformRepo, host: Host) -> None:
    """Interpolated into a place where it does not fit, Compose would quote the value in its complaint."""
    service = {"image": "platformctl-lab/sleeper:1", "mem_limit": "${DB_PASSWORD:-1g}"}
    env = {"file": "secrets/web.env", "required": ["DB_PASSWORD"]}
    repo.add_module("web", {"services": {"web": service}}, health=HEALTH, env=env)
    assert_nowhere(SECRET, repo, host, repo.run("validate"), repo.run("plan", "web", "--json", "-v"))
