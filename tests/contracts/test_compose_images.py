"""The driver docker-compose finds the images of a release: on the host, else at their registry."""

from pathlib import Path

import pytest

from platformctl.drivers.compose_look import LOOK_TIMEOUT
from platformctl.drivers.interface import Question
from platformctl.errors import or_raise
from platformctl.model.names import ServiceName
from platformctl.model.observed import ImageSeen
from tests.contracts.compose_driver import (
    DRIVER,
    NOW,
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

REFS = ("web:1", "web:2", "web:1")


def test_a_look_waits_for_each_image_whose_registry_is_silent(docker: FakeDocker, root: Path) -> None:
    questions = tuple(Question(release_in(root, WEB.replace("web:1", ref)), hashes=False) for ref in REFS)
    gone = {"message": "no such image"}
    lacking(docker).says("system dial-stdio", engine(gone, gone, statuses={0: 404, 1: 404}))
    granted = docker.hangs("manifest inspect")
    command = DRIVER.look(questions, WHO)
    seen = [or_raise(each) for each in DRIVER.read_look(docker.run(command), questions, WHO, NOW)]

    assert [each.images for each in seen] == [(ImageSeen(ref, None, present=False),) for ref in REFS]
    assert len(granted.read_text().splitlines()) == 2
    assert sum(map(int, granted.read_text().split())) <= command.timeout - LOOK_TIMEOUT


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
