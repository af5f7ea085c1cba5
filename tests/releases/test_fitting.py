"""A manifest and a compose file that do not fit are refused before any host is asked."""

import pytest

from platformctl.errors import InvalidInput
from tests.releases.clone import COMPOSE, TAGGED, Clone, both


@both
def test_a_service_that_is_not_there_is_refused_with_those_that_are(clone: Clone, kind: str) -> None:
    runtime = {"orchestrator": "docker-compose", "compose_file": "modules/web/compose.yaml", "compose_service": "wbe"}
    clone.manifest(runtime=runtime)
    with pytest.raises(InvalidInput) as caught:
        clone.release(kind)

    assert caught.value.detail == "modules/web/compose.yaml has no service wbe; it has: stranger, web"
    assert caught.value.hint == "did you mean web? set spec.runtime.compose_service of web"


@both
def test_services_that_wait_for_each_other_are_refused_before_any_host_is_asked(clone: Clone, kind: str) -> None:
    around = "  web: {image: 'redis:7', depends_on: [db]}\n  db: {image: 'redis:7', links: [log]}\n"
    clone.write("modules/web/compose.yaml", f"services:\n{around}  log: {{image: 'redis:7', ipc: 'service:web'}}\n")
    with pytest.raises(InvalidInput) as caught:
        clone.release(kind)

    assert caught.value.summary == "services wait for each other"
    assert {*caught.value.detail.split(" → ")} == {"web", "db", "log"}
    assert (caught.value.file, caught.value.line is not None) == ("modules/web/compose.yaml", True)


def test_services_of_another_module_may_wait_for_each_other(clone: Clone) -> None:
    """Compose refuses that on the host; what this module needs stands in an order."""
    beside = (
        "  a: {image: 'redis:7', profiles: [x], depends_on: [b]}\n  b: {image: 'redis:7', profiles: [x], links: [a]}\n"
    )
    clone.write("modules/web/compose.yaml", f"services:\n  web: {{image: 'redis:7'}}\n{beside}")

    assert clone.release().closure == ("web",)


@pytest.mark.parametrize("image", ["app", "registry.test:5000/app", f"app@sha256:{'a' * 64}", f"sha256:{'a' * 64}"])
def test_a_canary_that_expects_a_tag_where_there_is_none_is_refused(clone: Clone, image: str) -> None:
    clone.write("modules/web/compose.yaml", COMPOSE.replace("redis:7", image, 1))
    clone.manifest(canary=TAGGED)
    with pytest.raises(InvalidInput) as caught:
        clone.release()

    assert caught.value.summary == "the canary expects a tag that the image does not have"


def test_one_name_for_several_containers_is_refused_where_compose_would(clone: Clone) -> None:
    several = COMPOSE.replace("    env_file", "    container_name: web\n    deploy: {replicas: 2}\n    env_file")
    clone.write("modules/web/compose.yaml", several)
    with pytest.raises(InvalidInput) as caught:
        clone.release()
    assert (caught.value.file, caught.value.line) == ("modules/web/compose.yaml", 4)

    rare = several.replace("  stranger:", "  stranger:\n    profiles: [rare]\n    container_name: x\n    scale: 2")
    clone.write("modules/web/compose.yaml", rare.replace("replicas: 2", "replicas: 1"))
    assert clone.release().compose.services
