"""By which digest an image goes: that of its own name, however people wrote it."""

import pytest

from platformctl.model.names import Digest
from platformctl.model.observed import ImageSeen

ONE, OTHER = (f"sha256:{digit * 64}" for digit in "12")


def digest(ref: str, *known: str) -> str | None:
    return ImageSeen(ref, Digest(ONE), known).digest


@pytest.mark.parametrize(
    ("ref", "known"),
    [
        ("redis", f"redis@{ONE}"),
        ("redis:7", f"redis@{ONE}"),
        ("library/redis:7", f"redis@{ONE}"),
        ("docker.io/redis:7", f"redis@{ONE}"),
        ("index.docker.io/library/redis:7", f"redis@{ONE}"),
        (f"redis:7@{ONE}", f"redis@{ONE}"),
        ("ann/web:1", f"ann/web@{ONE}"),
        ("docker.io/ann/web", f"ann/web@{ONE}"),
        ("127.0.0.1:5000/web:1", f"127.0.0.1:5000/web@{ONE}"),
        ("localhost/web", f"localhost/web@{ONE}"),
        ("ghcr.io/ann/web:1", f"ghcr.io/ann/web@{ONE}"),
    ],
)
def test_an_image_goes_by_the_digest_of_its_own_name(ref: str, known: str) -> None:
    assert digest(ref, f"aaa@{ONE}", f"127.0.0.1:5000/aaa@{ONE}", known, f"zzz@{ONE}") == known


@pytest.mark.parametrize(
    ("ref", "known"),
    [
        ("redis", f"ann/redis@{ONE}"),
        ("ghcr.io/redis", f"redis@{ONE}"),
        ("127.0.0.1:5000/web", f"127.0.0.1:5001/web@{ONE}"),
        ("ann/web", f"ann/web/more@{ONE}"),
        (ONE, f"redis@{ONE}"),
        (f"redis@{OTHER}", f"redis@{ONE}"),
    ],
)
def test_a_digest_of_another_name_is_none_of_its_own(ref: str, known: str) -> None:
    assert digest(ref, known) is None


def test_of_several_digests_of_a_name_the_one_that_was_written_counts() -> None:
    assert digest(f"redis:7@{OTHER}", f"redis@{ONE}", f"redis@{OTHER}") == f"redis@{OTHER}"
