"""The image of a tree: found, replaced, and never one that was not released."""

from pathlib import Path

import pytest

from slipway.errors import Broken
from slipway.manifests import tree

RELEASED = "ghcr.io/example/flights:1.2.3@sha256:" + 64 * "a"
NEXT = {
    "deployment.yaml": "spec:\n  containers:\n  - image: ghcr.io/example/flights"
    + tree.UNRELEASED
    + "\n    name: flights\n",
    "service.yaml": "spec:\n  ports: []\n",
}


def test_a_release_changes_one_line() -> None:
    """`with_image` changes the image and not another byte."""
    released = tree.with_image(NEXT, RELEASED)
    assert tree.image_of(released) == RELEASED
    assert released["service.yaml"] == NEXT["service.yaml"]
    before, after = NEXT["deployment.yaml"].splitlines(), released["deployment.yaml"].splitlines()
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [(before[2], f"  - image: {RELEASED}")]


@pytest.mark.parametrize(
    "reference",
    [
        "ghcr.io/example/flights:1.2.3",
        "ghcr.io/example/flights@sha256:" + 64 * "a",
        "ghcr.io/example/flights:latest@sha256:" + 64 * "a",
        "ghcr.io/example/flights:1.2.3@sha256:" + 63 * "a",
        "x\n  - image: y",
        RELEASED + "\n",
        "",
    ],
)
def test_an_image_has_version_and_digest(reference: str) -> None:
    """A reference that could come to mean another image is refused."""
    with pytest.raises(Broken, match="version and digest"):
        tree.with_image(NEXT, reference)


def test_exactly_one_image() -> None:
    """No image and two images are both refused: a release would change nothing, or too much. Two lines may name one."""
    twice = {**NEXT, "other.yaml": NEXT["deployment.yaml"]}
    assert tree.images(tree.with_image(twice, RELEASED).values()) == [RELEASED, RELEASED]
    other = NEXT["deployment.yaml"].replace("example", "another")
    for wrong in ({"service.yaml": NEXT["service.yaml"]}, {**NEXT, "other.yaml": other}):
        with pytest.raises(Broken, match="instead of one"):
            tree.with_image(wrong, RELEASED)


def test_what_is_no_object_is_refused() -> None:
    """Text that is no YAML, or a document that is a list, is refused with its file's name."""
    for text in ("a: [", "- a\n"):
        with pytest.raises(Broken, match=r"rollout\.yaml"):
            tree.objects({"rollout.yaml": text})


def test_nothing_runs_before_the_first_release() -> None:
    """A rendered tree may be empty; with the image that was never released it is refused."""
    assert tree.faults("production", NEXT, {}) == []
    assert "never released" in tree.faults("production", NEXT, dict(NEXT))[0]


def test_only_a_release_names_an_image() -> None:
    """A next tree with an image of its own is refused: it would be applied without a release record."""
    assert "k8s/next/staging: image" in tree.faults("staging", tree.with_image(NEXT, RELEASED), {})[0]


def test_staging_follows_and_production_does_not() -> None:
    """A merge that changes k8s/next changes staging with it, and leaves production as it was released."""
    running = tree.with_image(NEXT, RELEASED)
    changed = {**NEXT, "service.yaml": "spec:\n  ports: [80]\n"}
    assert tree.faults("staging", NEXT, running) == []
    assert "more than the image" in tree.faults("staging", changed, running)[0]
    assert tree.faults("production", changed, running) == []


def test_the_unreleased_image_is_that_of_the_sources() -> None:
    """k8s/base names the image that `faults` looks for, in one line of all sources."""
    root = Path(__file__).parents[2]
    sources = [
        path.read_text()
        for folder in ("k8s/base", "k8s/overlays", "rollouts")
        for path in (root / folder).rglob("*")
        if path.is_file()
    ]
    (image,) = tree.images(sources)
    assert image.endswith(tree.UNRELEASED)
