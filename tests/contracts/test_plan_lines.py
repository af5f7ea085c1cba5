"""What an operator reads of a plan: changes alone, why, both values of what differs, one line for what is one thing."""

from dataclasses import replace
from typing import Any

from platformctl.errors import ExitCode
from platformctl.model.finding import Finding
from platformctl.model.names import ModuleId, RepoPath
from platformctl.model.plan import Action, Cause, Change, Place, Remove, Step
from platformctl.model.reports import PlannedModule, PlanReport, ValidateReport
from platformctl.redaction import Redactor
from platformctl.render import human, markdown, plans
from tests.trust.workshop import a_change, a_plan, some_digest

HASHES: tuple[dict[str, Any], dict[str, Any]] = (
    {"config_hash": "a", "image": "web:1"},
    {"config_hash": "b", "image": "web:1"},
)


def changed(before: dict[str, Any], after: dict[str, Any], action: Action = Action.RECREATE) -> Change:
    return replace(a_change(action=action), before=before, after=after)


def upgraded(service: str, *causes: Cause) -> Change:
    before, after = HASHES
    return replace(
        a_change(service, Action.RECREATE), causes=(Cause.COMPOSE_VERSION, *causes), before=before, after=after
    )


def planned(name: str, *changes: Change) -> PlannedModule:
    plan = a_plan(module=ModuleId(name), changes=changes)
    return PlannedModule(name, some_digest(name), f"{name}.json", True, plan, {})


def told(change: Change, *, long: bool = False) -> list[str]:
    """The lines of the fields."""
    return list(plans.change_lines(change, long=long))[1:]


def test_fields_that_differ_stand_below_each_other_with_both_values() -> None:
    before = {"image": "web:1", "restart": "no", "limits": {"memory": "32m", "cpus": "1"}, "same": 1}
    after = {"image": "web:2", "ports": ["80:80", "81:81"], "limits": {"memory": "64m", "cpus": "1"}, "same": 1}

    assert told(changed(before, after)) == [
        "      image:         web:1 -> web:2",
        "      limits.memory: 32m -> 64m",
        "      ports:         (none) -> 80:80, 81:81",
        "      restart:       no -> (none)",
    ]


def test_a_text_is_told_by_the_lines_that_differ() -> None:
    before = {"files": {"a.yaml": "---\na: 1\nb: 1\n"}, "image": "web:1"}
    after = {"files": {"a.yaml": "a: 2\nb: 1\n++\n"}, "image": "web:2"}

    assert told(changed(before, after)) == [
        "      files.a.yaml:",
        "        @@ -1,3 +1,3 @@",
        "        ----",
        "        -a: 1",
        "        +a: 2",
        "         b: 1",
        "        +++",
        "      image: web:1 -> web:2",
    ]


def test_of_a_new_container_the_fields_are_told_once() -> None:
    new = replace(a_change(), after={"image": "web:1", "restart": "always", "config_hash": "a", "state": "running"})

    assert told(new) == ["      image:   web:1", "      restart: always"]
    assert len(told(new, long=True)) == 4


def test_what_only_machines_compare_is_shown_when_everything_is() -> None:
    before = {"config_hash": "a", "image": "web:1", "image_id": "sha256:1", "state": "exited"}
    after = {"config_hash": "b", "image": "web:2", "image_id": "sha256:2", "state": "running"}

    assert told(changed(before, after)) == ["      image: web:1 -> web:2"]
    assert len(told(changed(before, after), long=True)) == 4


def test_a_moved_tag_is_told_by_the_images_ids() -> None:
    before, after = {"image": "web:1", "image_id": "sha256:1"}, {"image": "web:1", "image_id": "sha256:2"}

    assert told(changed(before, after)) == ["      image_id: sha256:1 -> sha256:2"]


def test_a_stopped_container_is_told_by_its_state() -> None:
    assert told(changed({"state": "exited"}, {"state": "running"}, Action.START)) == ["      state: exited -> running"]


def test_an_upgrade_of_compose_that_recreates_31_services_is_one_line() -> None:
    services = [upgraded(f"s{number}", *[Cause.DEPENDENCY] * (number % 2)) for number in range(31)]
    text = human.render(PlanReport(plans=(planned("shop", *services),)))

    assert text.count("recreate 31 services") == 1
    assert text.count("\n  ±") == 1
    assert "s0, s1, s2" in text
    assert human.render(PlanReport(plans=(planned("shop", *services),), long=True)).count("\n  ± recreate s") == 31


def test_an_upgrade_of_compose_is_one_line_for_all_modules_of_a_host() -> None:
    modules = tuple(planned(f"m{number}", upgraded("web")) for number in range(31))
    text = human.render(PlanReport(plans=modules, index="index.json"))

    assert markdown.render(PlanReport(plans=modules, index="index.json"), Redactor()).count("<details>") == 0
    assert text.splitlines() == [
        "Plan: 31 to change, 0 unchanged, 0 failed",
        "± recreate 31 services of 31 modules on rs2000: the host's Compose is another version, and nothing else "
        f"differs: {', '.join(f'm{number}' for number in range(31))}",
        "index: index.json",
        "next: platformctl approve index.json",
    ]


def test_what_differs_beside_an_upgrade_is_told_by_itself() -> None:
    mixed = planned("shop", upgraded("a"), upgraded("b"), upgraded("c", Cause.IMAGE_DIGEST))
    text = human.render(PlanReport(plans=(mixed, planned("m1", upgraded("web")), planned("m2", upgraded("web")))))

    assert "recreate 2 services of 2 modules on rs2000" in text
    assert "± recreate 2 services  (compose-version)" in text
    assert "± recreate c  (compose-version, image-digest)" in text


def test_what_stays_is_shown_only_when_everything_is() -> None:
    both = planned("shop", a_change(), a_change("db", Action.KEEP))

    assert "keep db" not in human.render(PlanReport(plans=(both,)))
    assert "keep db" in human.render(PlanReport(plans=(both,), long=True))


def test_a_module_without_changes_is_a_number() -> None:
    text = human.render(PlanReport(plans=(planned("shop", a_change("db", Action.KEEP)),), unchanged=("web",)))

    assert text == "Plan: 0 to change, 2 unchanged, 0 failed\n"


def test_the_lines_of_a_text_are_coloured_for_a_pull_request() -> None:
    text = markdown.render(PlanReport(plans=(planned("shop", changed({"a": "1\n2\n"}, {"a": "1\n3\n"})),)), Redactor())

    assert "\n-      2\n+      3\n" in text


def test_a_line_that_stays_is_not_coloured_for_the_sign_it_begins_with() -> None:
    before, after = "jobs:\n- one\n+ two\n  - three\n! four\nx: 1\n", "jobs:\n- one\n+ two\n  - three\n! four\nx: 2\n"
    text = markdown.render(PlanReport(plans=(planned("shop", changed({"a": before}, {"a": after})),)), Redactor())

    stays = ("+ two", "  - three", "! four")
    assert "\n" + "".join(f"       {line}\n" for line in stays) + "-      x: 1\n+      x: 2\n" in text


def test_what_is_not_there_is_told_apart_from_an_empty_text_and_from_no() -> None:
    before, after = {"labels": {"a": "x"}, "read_only": True}, {"labels": {"a": "", "b": ""}, "read_only": False}

    assert told(changed(before, after)) == [
        "      labels.a:  x -> (empty)",
        "      labels.b:  (none) -> (empty)",
        "      read_only: true -> false",
    ]


def test_texts_that_differ_in_their_line_breaks_alone_are_told_apart() -> None:
    ends = told(changed({"files": {"a": "one\ntwo"}}, {"files": {"a": "one\ntwo\n"}}))
    breaks = told(changed({"files": {"a": "one\r\n"}}, {"files": {"a": "one\n"}}))

    assert ends[-2:] == ["        -two (no line break at the end)", "        +two"]
    assert breaks[-2:] == ["        -one\\r", "        +one"]


def test_a_file_that_goes_from_the_host_is_told_apart_from_one_that_is_placed() -> None:
    place, remove = Place(RepoPath("conf/a"), some_digest("a"), 0o644), Remove(RepoPath("conf/b"))
    plan = a_plan(changes=(a_change(),), steps=(Step("bring-up", (place, remove), ()),))
    lines = list(plans.lines(PlannedModule("shop", some_digest("shop"), "", True, plan, {}), long=False))

    assert [line for line in lines if " file " in line] == ["  ~ file conf/a", "  - file conf/b"]


def test_every_form_for_people_says_what_to_be_careful_of() -> None:
    host = replace(a_plan().host, allow_root=True)
    plan = a_plan(changes=(replace(a_change(), destructive=True),), host=host, source_dirty=True, speculative=True)
    report = PlanReport(plans=(PlannedModule("shop", some_digest("shop"), "", True, plan, {}),))

    assert "[dirty, speculative, DESTRUCTIVE, as root]" in human.render(report)
    assert "1 to create, dirty, speculative, destructive, as root</summary>" in markdown.render(report, Redactor())


def test_where_there_is_no_cause_nothing_stands_in_its_place() -> None:
    gone = replace(a_change(action=Action.DELETE), causes=(), reason="its module is gone")
    kept = replace(a_change(action=Action.KEEP), causes=(), reason="")

    first = [next(iter(plans.change_lines(change))) for change in (gone, kept, a_change())]
    assert first == ["  - delete web  its module is gone", "    keep web", "  + create web  (missing) is missing"]


def test_of_two_mistakes_in_one_line_people_learn_which_fields_they_are_in() -> None:
    at = ("web", "wrong-type", "error", "modules/web/module.yaml", 8)
    findings = tuple(Finding(*at, f"spec.env.set.{name}", "expected text", "") for name in ("DB_PASSWORD", "A"))
    report = ValidateReport(exit_code=ExitCode.INVALID_INPUT, status="invalid", modules=("web",), findings=findings)

    told = Redactor().clean(human.render(report)).splitlines()
    assert [line.rpartition("expected text")[2] for line in told[:2]] == [
        " (spec.env.set.DB_PASSWORD)",
        " (spec.env.set.A)",
    ]
