"""Files of the design load as they are meant; every error in a file is told at once, with line, field and way out."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from platformctl.errors import ExitCode
from platformctl.manifests.load import InvalidManifest, read_module
from platformctl.model.desired import (
    Canary,
    Delivery,
    Environment,
    FileChange,
    Health,
    ModuleKind,
    ServedVersion,
    Strategy,
)
from platformctl.model.duration import seconds
from platformctl.model.finding import Finding
from platformctl.model.names import ModuleId, RepoPath, VariableName

PATH = RepoPath("modules/honcho-redis/module.yaml")
DOCS = Path(__file__).parents[2] / "docs"
SMALL = {
    "apiVersion": "platform/v1",
    "kind": "Module",
    "metadata": {"id": "honcho-redis"},
    "spec": {
        "host": "rs2000",
        "runtime": {"orchestrator": "docker-compose", "compose_file": "compose/core/compose.yaml"},
    },
}


def changed(document: Any, path: str, value: Any) -> bytes:
    """`document` with `value` at the dotted `path`, as YAML; the value ... removes the key."""
    whole = copy.deepcopy(document)
    parent = whole
    *above, last = path.split(".")
    for key in above:
        parent = parent.setdefault(key, {})
    parent[last] = value
    if value is ...:
        del parent[last]
    return yaml.safe_dump(whole, sort_keys=False).encode()


def module_findings(text: bytes) -> tuple[Finding, ...]:
    with pytest.raises(InvalidManifest) as caught:
        read_module(text, PATH)
    assert caught.value.exit_code is ExitCode.INVALID_INPUT
    assert all(f.module == "honcho-redis" and f.file == PATH and f.severity == "error" for f in caught.value.findings)
    return caught.value.findings


def test_the_annotated_example_means_what_it_says() -> None:
    module = read_module((DOCS / "module.example.yaml").read_bytes(), PATH)
    assert (module.id, module.host, module.path) == ("honcho-redis", "rs2000", PATH)
    assert module.runtime.compose_file == "compose/core/compose.yaml"
    assert (module.runtime.compose_service, module.runtime.project) == ("redis", "honcho")
    assert module.env == Environment(
        {VariableName("DATA_DIR"): "/srv/honcho"},
        RepoPath("secrets/honcho.env"),
        (VariableName("REDIS_PASSWORD"),),
    )
    assert module.canary == Canary(
        "https://cache.example/health", 200, "ok", ServedVersion("{tag}", "X-App-Version"), 3, 20
    )
    assert module.health == Health(120, 30)


def test_p24_a_small_manifest_has_the_defaults_of_the_design() -> None:
    module = read_module(yaml.safe_dump(SMALL).encode(), PATH)
    assert (module.runtime.compose_service, module.runtime.project) == ("honcho-redis", "honcho-redis")
    assert (module.kind, module.delivery, module.rollback) == (ModuleKind.SERVICE, Delivery.PUSH, Strategy.PREVIOUS)
    assert module.on_file_change is FileChange.RECREATE
    assert (module.env, module.health, module.canary, module.depends_on) == (Environment(), Health(), None, ())


def test_keys_that_begin_with_x_are_the_author_s() -> None:
    assert read_module(changed(SMALL, "spec.runtime.x-note", {"any": ["thing"]}), PATH).id == "honcho-redis"


@pytest.mark.parametrize(
    ("path", "value", "rule", "hint"),
    [
        ("spec.hots", "a", "unknown-key", "did you mean host?"),
        ("spec.runtime.composefile", "a", "unknown-key", "did you mean compose_file?"),
        ("spec.host", ..., "missing-key", "write host: with a host name"),
        ("spec.host", "100.64.0.7", "wrong-value", "for example rs2000"),
        ("spec.host", "user@rs2000", "wrong-value", "for example rs2000"),
        ("spec.host", "-oProxyCommand=x", "wrong-value", "for example rs2000"),
        ("spec.host", {"name": "rs2000"}, "wrong-type", "for example rs2000"),
        ("spec.runtime.orchestrator", "swarm", "wrong-value", "write docker-compose"),
        ("spec.runtime.orchestrator", "", "wrong-value", "write docker-compose"),
        ("spec.runtime.orchestrator", None, "wrong-type", "write docker-compose"),
        ("spec.runtime.orchestrator", ..., "missing-key", "docker-compose"),
        ("spec.runtime.compose_file", ..., "missing-key", "relative path"),
        ("spec.runtime.compose_file", "", "wrong-value", "for example compose/core"),
        ("spec.runtime.compose_file", 5, "wrong-type", "put it in quotes"),
        ("spec.runtime.compose_file", "/etc/sudoers.d/x", "wrong-value", "for example compose/core"),
        ("spec.runtime.compose_file", "~/x.yaml", "wrong-value", "for example compose/core"),
        ("spec.runtime.compose_file", "../../etc/x", "wrong-value", "for example compose/core"),
        ("spec.runtime.compose_file", "a/../../x", "wrong-value", "for example compose/core"),
        ("spec.runtime.compose_file", "a.yaml\n", "wrong-value", "for example compose/core"),
        ("spec.runtime.compose_service", "", "wrong-value", "for example redis"),
        ("spec.runtime.compose_service", "--privileged", "wrong-value", "for example redis"),
        ("spec.runtime.compose_service", "web; rm -rf /", "wrong-value", "for example redis"),
        ("spec.runtime.compose_service", 5, "wrong-type", "put it in quotes"),
        ("spec.runtime.project", "Honcho", "wrong-value", "for example honcho"),
        ("spec.kind", "servcie", "wrong-value", "write service"),
        ("spec.delivery", "pull", "wrong-value", "write push"),
        ("spec.env.set.PORT", 8080, "wrong-type", "put it in quotes"),
        ("spec.env.set.DEBUG", True, "wrong-type", "put it in quotes"),
        ("spec.env.set.1X", "a", "wrong-value", "for example DATA_DIR"),
        ("spec.env.file", "/etc/shadow", "wrong-value", "for example"),
        ("spec.env.required.0", "", "wrong-type", "write [one, two]"),
        ("spec.health.timeout", 30, "wrong-type", "put it in quotes"),
        ("spec.health.timeout", "30", "wrong-value", "for example 30s"),
        ("spec.health.stable_for", "1.5h", "wrong-value", "for example 30s"),
        ("spec.canary.url", "ftp://x/", "wrong-value", "for example https://"),
        ("spec.canary.url", "https://user:pw@x/", "wrong-value", "for example https://"),
        ("spec.canary.url", "file:///etc/passwd", "wrong-value", "for example https://"),
        ("spec.canary.expect_status", "200", "wrong-type", "write the number without quotes"),
        ("spec.canary.expect_status", 1000, "wrong-value", "range"),
        ("spec.rollback.strategy", "never", "wrong-value", "write"),
        ("spec.depends_on", "db", "wrong-type", "write [one, two]"),
        ("apiVersion", "platform/v2", "wrong-value", "write platform/v1"),
    ],
)
def test_p20_p21_p22_p24_p49_a_field_that_does_not_fit_is_told_with_what_to_write(
    path: str, value: Any, rule: str, hint: str
) -> None:
    # given
    document = copy.deepcopy(SMALL)
    document["spec"]["canary"] = {"url": "https://x/"}  # type: ignore[index]
    # when
    finding, *others = module_findings(changed(document, path, value))
    # then
    assert (finding.rule, others) == (rule, [])
    assert hint in finding.hint
    assert path.removesuffix(".0") in (finding.field, f"{finding.field}.{path.rpartition('.')[2]}")


def test_every_error_is_told_in_the_order_of_lines() -> None:
    # given
    text = (
        b"apiVersion: platform/v1\nkind: Module\nmetadata: {id: honcho-redis, ownr: me}\nspec:\n  host: A\n  run: {}\n"
    )
    # when
    findings = module_findings(text)
    # then
    assert [(f.line, f.rule, f.field) for f in findings] == [
        (3, "unknown-key", "metadata.ownr"),
        (4, "missing-key", "spec"),
        (5, "wrong-value", "spec.host"),
        (6, "unknown-key", "spec.run"),
    ]


@pytest.mark.parametrize("text", ["", "[]", "just text", "5", "null"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    finding = module_findings(text.encode())[0]
    assert (finding.rule, finding.line) == ("wrong-type", 1)


def test_p27_the_id_is_the_name_of_the_folder() -> None:
    assert module_findings(changed(SMALL, "metadata.id", "other"))[0].rule == "module-id"
    assert module_findings(changed(SMALL, "metadata.id", "../x"))[0].rule == "wrong-value"


def test_yaml_that_does_not_parse_is_one_finding_with_its_line() -> None:
    (finding,) = module_findings(b"a: 1\na: 2\n")
    assert (finding.rule, finding.line) == ("yaml", 2)


def test_a_required_variable_that_nothing_sets_is_refused() -> None:
    document = copy.deepcopy(SMALL)
    document["spec"]["env"] = {"required": ["A", "B"], "set": {"A": "1"}}  # type: ignore[index]
    (finding,) = module_findings(yaml.safe_dump(document).encode())
    assert (finding.rule, finding.field, finding.message) == ("env-required", "spec.env.required.1", "nothing sets B")
    assert read_module(changed(document, "spec.env.file", "secrets/a.env"), PATH).env.required == ("A", "B")


def test_the_hosts_own_values_lie_in_no_file_that_travels() -> None:
    """Else a later release of it would decide what was judged without it."""
    compose_file = SMALL["spec"]["runtime"]["compose_file"]  # type: ignore[index]
    assert module_findings(changed(SMALL, "spec.env.file", compose_file))[0].rule == "env-file"
    assert read_module(changed(SMALL, "spec.env.file", f"{compose_file}.env"), PATH).env.file == f"{compose_file}.env"


def test_a_module_can_not_depend_on_itself() -> None:
    assert module_findings(changed(SMALL, "spec.depends_on", ["honcho-redis"]))[0].rule == "depends-on"
    assert read_module(changed(SMALL, "spec.depends_on", ["db"]), PATH).depends_on == (ModuleId("db"),)


@pytest.mark.parametrize(
    "text",
    [
        changed(SMALL, "spec.env.set.TOKEN", ["hunter2"]),
        changed(SMALL, "spec.env.set.TOKEN", "hunter2\x07"),
        changed(SMALL, "spec.env.set.hunter2 hunter2", "x"),
        changed(SMALL, "spec.env.file", "/hunter2"),
        changed(SMALL, "spec.canary.url", "https://me:hunter2@x/"),
        changed(SMALL, "spec.host", "hunter2 hunter2"),
        b"spec: {env: {set: {TOKEN: hunter2: hunter2}}}",
    ],
)
def test_no_finding_repeats_a_value(text: bytes) -> None:
    assert "hunter2" not in str(module_findings(text))


@pytest.mark.parametrize(("text", "expected"), [("0s", 0), ("30s", 30), ("5m", 300), ("2h", 7200), ("7d", 604800)])
def test_durations_are_whole_seconds(text: str, expected: int) -> None:
    assert seconds(text) == expected
