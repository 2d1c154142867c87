"""The image of a tree: found, replaced, and never one that was not released."""

from pathlib import Path

import pytest

from slipway import manifests
from slipway.errors import Broken
from slipway.manifests import tree

ROOT = Path(__file__).parents[2]
RELEASED = "ghcr.io/example/flights:1.2.3@sha256:" + 64 * "a"
NEXT = {
    "deployment.yaml": "kind: Deployment\nmetadata:\n  name: flights\nspec:\n  containers:\n"
    + "  - image: ghcr.io/example/flights"
    + tree.UNRELEASED
    + "\n    name: flights\n    env:\n    - name: SLIPWAY_BENTO\n      value: "
    + tree.NO_DIGEST
    + "\n",
    "service.yaml": "kind: Service\nmetadata:\n  name: flights\nspec:\n  ports: []\n",
}
DIGEST, BENTO = "sha256:" + 64 * "a", "sha256:" + 64 * "b"
KNOWN = {DIGEST: BENTO}


def test_a_release_changes_two_lines() -> None:
    """`with_image` changes the image and the bento and not another byte."""
    released = tree.with_image(NEXT, RELEASED, BENTO)
    assert tree.image_of(released) == RELEASED
    assert released["service.yaml"] == NEXT["service.yaml"]
    before, after = NEXT["deployment.yaml"].splitlines(), released["deployment.yaml"].splitlines()
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [
        (before[5], f"  - image: {RELEASED}"),
        (before[9], f"      value: {BENTO}"),
    ]
    assert tree.bento_of(released) == BENTO


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
        tree.with_image(NEXT, reference, BENTO)


def test_exactly_one_image() -> None:
    """No image and two images are both refused: a release would change nothing, or too much. Two lines may name one."""
    twice = {**NEXT, "other.yaml": NEXT["deployment.yaml"]}
    assert tree.images(tree.with_image(twice, RELEASED, BENTO).values()) == [RELEASED, RELEASED]
    other = NEXT["deployment.yaml"].replace("example", "another")
    for wrong in ({"service.yaml": NEXT["service.yaml"]}, {**NEXT, "other.yaml": other}):
        with pytest.raises(Broken, match="instead of one"):
            tree.with_image(wrong, RELEASED, BENTO)


@pytest.mark.parametrize("bento", ["", "1.0.0", BENTO[:-1], f"{BENTO}0", f"{BENTO}\n", BENTO.upper()])
def test_a_bento_is_a_digest(bento: str) -> None:
    """What is none would never let a service get ready."""
    with pytest.raises(Broken, match="no digest of a bento"):
        tree.with_image(NEXT, RELEASED, bento)


def test_the_bento_has_its_place() -> None:
    """Manifests that tell the service nothing, in another way, or twice and differently, are not filled in."""
    name, text = "deployment.yaml", NEXT["deployment.yaml"]
    line = f"    - name: SLIPWAY_BENTO\n      value: {tree.NO_DIGEST}\n"
    assert line in text
    for wrong in (
        "",
        f"    - value: {tree.NO_DIGEST}\n      name: SLIPWAY_BENTO\n",
        f"{line}    - name: SLIPWAY_BENTO\n",
    ):
        with pytest.raises(Broken, match="no SLIPWAY_BENTO to fill in"):
            tree.with_image({**NEXT, name: text.replace(line, wrong)}, RELEASED, BENTO)
    for wrong in ("", f"{line}    - name: SLIPWAY_BENTO\n      value: {BENTO}\n"):
        with pytest.raises(Broken, match="bentos instead of one"):
            tree.bento_of({**NEXT, name: text.replace(line, wrong)})


def test_what_is_no_object_is_refused() -> None:
    """Text that is no YAML, or a document that is a list, is refused with its file's name."""
    for text in ("a: [", "- a\n"):
        with pytest.raises(Broken, match=r"rollout\.yaml"):
            tree.objects({"rollout.yaml": text})


def test_nothing_runs_before_the_first_release() -> None:
    """A rendered tree may be empty; with the image that was never released it is refused."""
    assert tree.faults("production", NEXT, {}, {}) == []
    assert "never released" in tree.faults("production", NEXT, dict(NEXT), KNOWN)[0]


def test_only_a_release_names_an_image() -> None:
    """A next tree with an image of its own is refused: it would be applied without a release record."""
    image, bento = tree.faults("staging", tree.with_image(NEXT, RELEASED, BENTO), {}, {})
    assert "k8s/next/staging: image" in image
    assert "k8s/next/staging: SLIPWAY_BENTO: must be sha256:0" in bento


def test_staging_follows_and_production_does_not() -> None:
    """A merge that changes k8s/next changes staging with it, and leaves production as it was released."""
    running = tree.with_image(NEXT, RELEASED, BENTO)
    changed = {**NEXT, "service.yaml": NEXT["service.yaml"].replace("[]", "[80]")}
    assert tree.faults("staging", NEXT, running, KNOWN) == []
    assert "more than the image" in tree.faults("staging", changed, running, KNOWN)[0]
    assert tree.faults("production", changed, running, KNOWN) == []


def test_what_runs_belongs_there_now() -> None:
    """An image that `releases/` does not know there is refused, and so is a known one that expects another's bento."""
    running = tree.with_image(NEXT, RELEASED, BENTO)
    for name in tree.ENVIRONMENTS:
        assert tree.faults(name, NEXT, running, KNOWN | {"sha256:other": DIGEST}) == []
        for known, says in (
            ({}, "neither the recorded stable nor in flight there"),
            ({"sha256:other": BENTO}, "neither the recorded stable nor in flight there"),
            ({DIGEST: DIGEST, "sha256:other": BENTO}, f"SLIPWAY_BENTO: must be {DIGEST}, the bento of that image"),
        ):
            (problem,) = tree.faults(name, NEXT, running, known)
            assert says in problem


def test_the_unreleased_image_is_that_of_the_sources() -> None:
    """k8s/base names the image that `faults` looks for, in one line of all sources."""
    sources = [
        path.read_text()
        for folder in ("k8s/base", "k8s/overlays", "rollouts")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    ]
    (image,) = tree.images(sources)
    assert image.endswith(tree.UNRELEASED)


def test_a_rollback_is_one_annotation_of_the_deployment() -> None:
    """`with_rollback` adds it, beside others that are there, and changes no other byte."""
    released = tree.with_image(NEXT, RELEASED, BENTO)
    back = tree.with_rollback(released, DIGEST)
    before, after = released["deployment.yaml"], back["deployment.yaml"]
    added = f"  annotations:\n    slipway.dev/rollback: {DIGEST}\n"
    assert after == before.replace("metadata:\n", f"metadata:\n{added}")
    assert back["service.yaml"] == released["service.yaml"]
    assert tree.objects(back)[0]["metadata"]["annotations"] == {tree.ROLLBACK: DIGEST}
    other = before.replace("metadata:\n", "metadata:\n  annotations:\n    a: b\n")
    both = tree.with_rollback({**released, "deployment.yaml": other}, DIGEST)
    assert tree.objects(both)[0]["metadata"]["annotations"] == {"a": "b", tree.ROLLBACK: DIGEST}


def test_the_shipped_deployment_can_go_back() -> None:
    """The real manifests take the annotation where the cluster reads it."""
    for name in tree.ENVIRONMENTS:
        shipped = {path.name: path.read_text() for path in (ROOT / "k8s/next" / name).glob("*.yaml")}
        back = tree.with_rollback(tree.with_image(shipped, RELEASED, BENTO), DIGEST)
        (deployment,) = (each for each in tree.objects(back) if each["kind"] == "Deployment")
        assert deployment["metadata"]["annotations"][tree.ROLLBACK] == DIGEST
        assert manifests.check(tree.objects(back)) == []
        assert tree.faults(name, shipped, back, KNOWN, {DIGEST}) == []


def test_only_to_the_image_that_runs_and_once() -> None:
    """Another digest, a second rollback and a tree without exactly one Deployment are refused."""
    released = tree.with_image(NEXT, RELEASED, BENTO)
    for digest in ("sha256:" + 64 * "b", DIGEST[:-1], DIGEST.removeprefix("sha256:"), ""):
        with pytest.raises(Broken, match="the manifests run"):
            tree.with_rollback(released, digest)
    with pytest.raises(Broken, match="already"):
        tree.with_rollback(tree.with_rollback(released, DIGEST), DIGEST)
    for wrong in (
        {**released, "other.yaml": released["deployment.yaml"]},
        {"job.yaml": released["deployment.yaml"].replace("Deployment", "Job")},
    ):
        with pytest.raises(Broken, match="Deployments"):
            tree.with_rollback(wrong, DIGEST)


def _back(kind: str, digest: str, path: str = "metadata:\n") -> dict[str, str]:
    """A released tree with a rollback on some object, as a hand might have put it there."""
    name = {"Deployment": "deployment.yaml", "Service": "service.yaml"}[kind]
    released = tree.with_image(NEXT, RELEASED, BENTO)
    indent = len(path) - len(path.lstrip()) + 2
    added = f"{path}{indent * ' '}annotations:\n{indent * ' '}  {tree.ROLLBACK}: {digest}\n"
    return {**released, name: released[name].replace(path, added, 1)}


@pytest.mark.parametrize(
    ("rendered", "says"),
    [
        (_back("Deployment", DIGEST), None),
        (_back("Deployment", "sha256:" + 64 * "b"), "not the image's digest"),
        (_back("Deployment", "1"), "not the image's digest"),
        (_back("Service", DIGEST), "belongs on the Deployment"),
        (_back("Deployment", DIGEST, "spec:\n"), "belongs on the Deployment"),
    ],
)
def test_a_rollback_that_may_run(rendered: dict[str, str], says: str | None) -> None:
    """On the Deployment and to its own image; and that image was promoted here before."""
    for name in tree.ENVIRONMENTS:
        problems = [
            problem for problem in tree.faults(name, NEXT, rendered, KNOWN, {DIGEST}) if tree.ROLLBACK in problem
        ]
        assert len(problems) == (says is not None)
        assert all(says in problem for problem in problems if says)
    assert "never promoted" in tree.faults("production", NEXT, _back("Deployment", DIGEST), KNOWN, {"sha256:other"})[0]


def test_no_source_goes_back() -> None:
    """In k8s/next an annotation would wave every later release through."""
    proposed = _back("Deployment", DIGEST)
    assert any("only a rollback writes it" in problem for problem in tree.faults("production", proposed, {}, {}))


def test_a_rollback_waves_no_change_through() -> None:
    """Staging keeps its rollback while its sources stay, and loses it with the first change that they bring."""
    back = tree.with_rollback(tree.with_image(NEXT, RELEASED, BENTO), DIGEST)
    assert tree.followed(NEXT, back) == back
    assert tree.faults("staging", NEXT, back, KNOWN, {DIGEST}) == []
    changed = {**NEXT, "service.yaml": NEXT["service.yaml"].replace("[]", "[80]")}
    assert tree.followed(changed, back) == tree.with_image(changed, RELEASED, BENTO)
    assert "more than the image" in tree.faults("staging", changed, back, KNOWN, {DIGEST})[0]
