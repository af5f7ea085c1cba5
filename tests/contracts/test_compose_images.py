"""The driver docker-compose finds the images of a release: on the host, else at their registry."""

from pathlib import Path

import pytest

from platformctl.drivers.interface import Question
from platformctl.model.names import ServiceName
from platformctl.model.observed import ImageSeen
from tests.contracts.compose_driver import (
    DRIVER,
    WEB,
    WHO,
    docker,
    observe,
    release_in,
    root,
    running,
)
from tests.contracts.compose_host import (
    IMAGE,
    OTHER_IMAGE,
    FakeDocker,
    engine,
    line,
)

__all__ = ["docker", "root"]


def test_a_look_waits_for_each_image_that_a_registry_may_be_asked_about(root: Path) -> None:
    first, other = (Question(release_in(root, WEB.replace("web:1", ref)), hashes=False) for ref in ("web:1", "web:2"))
    one, two = (DRIVER.look(questions, WHO) for questions in ((first, first), (first, other)))

    assert "timeout -k 2 20 docker manifest inspect" in one.argv[2]
    assert two.timeout - one.timeout >= 20 + 2


@pytest.mark.parametrize(
    ("image", "policy", "moving"),
    [
        *(("web:1", policy, True) for policy in ("always", "daily", "weekly", "refresh", "every_2h")),
        *(("web:1", policy, False) for policy in ("missing", "if_not_present", "never", "build")),
        (f"web@{IMAGE}", "always", False),
    ],
)
def test_the_registry_is_asked_of_images_that_each_up_would_ask_for(
    root: Path, image: str, policy: str, *, moving: bool
) -> None:
    release = release_in(root, f"services: {{web: {{image: '{image}', pull_policy: {policy}}}}}")

    assert release.compose.services[ServiceName("web")].is_moving == moving


@pytest.mark.parametrize("name", ["web", "ann/web", "localhost:5000/web", "ghcr.io/ann/web"])
@pytest.mark.parametrize("rest", ["", ":1", f"@{OTHER_IMAGE}", f":1@{OTHER_IMAGE}"])
def test_an_image_the_host_lacks_is_asked_of_its_registry_and_pulled_by_digest(
    docker: FakeDocker, root: Path, name: str, rest: str
) -> None:
    manifest = {
        "Descriptor": {"digest": OTHER_IMAGE, "platform": {"os": "linux", "architecture": "amd64"}},
        "OCIManifest": {"config": {"digest": IMAGE}},
    }
    lacking(docker).says("manifest inspect", line([manifest]))
    (image,) = observe(docker, release_in(root, WEB.replace("web:1", name + rest))).images

    assert image == ImageSeen(name + rest, IMAGE, (f"{name}@{OTHER_IMAGE}",), present=False)
    assert image.digest == f"{name}@{OTHER_IMAGE}"


def lacking(docker: FakeDocker) -> FakeDocker:
    """A host where the project runs, and that does not have the image any more."""
    told = engine({"message": "no such image"}, all_images=[], statuses={0: 404})
    return running(docker).says("system dial-stdio", told).says("image inspect", b"", 1)


@pytest.mark.parametrize("said", [b"", b"null", b"[]"])
def test_an_image_nobody_knows_has_no_id(docker: FakeDocker, root: Path, said: bytes) -> None:
    lacking(docker).says("manifest inspect", said)

    assert observe(docker, release_in(root)).images == (ImageSeen("web:1", None, present=False),)
