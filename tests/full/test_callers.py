"""Each verb that relies on a release refuses, by name, a real one that is not as it was signed; and changes nothing."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Project
from tests.full import world as worlds
from tests.full.world import AT_HAND, RELEASED, World

from slipway import digests
from slipway.commands import verifying

MADE = "SLIPWAY_TEST_WORLD"  # tests/full/test_verify_mutated.py makes it once for many processes
BUILT, KEPT = str(verifying.SIGNED), str(verifying.committed(RELEASED)[0])
RECORD, POLICY, RENDERED = f"releases/{RELEASED}.json", str(verifying.POLICY), "k8s/rendered/production"
MODEL_INFO = "bento/src/model/model.json"
HOSTED, OWN = "runner: github-hosted", "runner: self-hosted"
NOT_HOSTED = "its runner is github-hosted, the policy asks for self-hosted"
Fault = Callable[[World], str]  # makes it, and returns how a refusal must name it


@pytest.fixture(scope="session")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world with one release, promoted, and another at hand; read only."""
    if MADE in os.environ:
        return World(Path(os.environ[MADE]))
    copy_repository: Callable[[], Any] = request.getfixturevalue("copy_repository")
    return worlds.make(copy_repository(), tmp_path_factory.mktemp("signed"))


@pytest.fixture
def world(made: World, tmp_path: Path) -> Iterator[World]:
    """A copy of it, and the environment in which its verbs run."""
    copied = worlds.copy(made, tmp_path)
    with copied.environment():
        yield copied


def unsigned(world: World) -> str:
    """Nobody has signed what is at hand."""
    (world.clone / BUILT).unlink()
    return f"{AT_HAND} is not signed: there is no {BUILT}"


def bento(world: World) -> str:
    """One byte more in a file of the bento."""
    with (world.clone / "build/bentos" / AT_HAND / MODEL_INFO).open("ab") as stream:
        stream.write(b" ")
    return "the bento at hand is not what was signed: src/model/model.json was changed"


def executable(world: World) -> str:
    """A file of the bento may be executed."""
    (world.clone / "build/bentos" / AT_HAND / MODEL_INFO).chmod(0o755)
    return "the bento at hand is not what was signed: src/model/model.json was made executable"


def image(world: World) -> str:
    """Another whole image in the place of the one that was signed."""
    images = world.clone / "build/images"
    shutil.rmtree(images / AT_HAND)
    shutil.copytree(images / RELEASED, images / AT_HAND)
    return "the image at hand is sha256:"


def layer(world: World) -> str:
    """One bit of the image's layer."""
    flip(world, AT_HAND)
    return f"{AT_HAND} is damaged: blob sha256:"


def package(world: World) -> str:
    """Another image, and a package that says so."""
    image(world)
    other = world.record(RECORD)["package"]["image_digest"]
    world.edit("build/package.json", world.record("build/package.json")["image_digest"], other)
    return f"{AT_HAND} is not verified: the image is {other}, signed was"


def card(world: World) -> str:
    """The model card says something else of the model."""
    world.edit(str(verifying.CARD), "flight", "fright")
    return f"{AT_HAND} is not verified: the card.cdx.json is sha256:"


def another(world: World) -> str:
    """The signed statement of another release."""
    shutil.copy(world.clone / KEPT, world.clone / BUILT)
    return f"{AT_HAND} is not verified: the image is sha256:"


def decision(world: World) -> str:
    """The gate has decided again since, and measured something else."""
    world.edit("build/gate.json", '"latency_ms": ', '"latency_ms": 1')
    return f"{AT_HAND} is not verified: signed was another decision of the gate"


def policy(world: World) -> str:
    """Main asks for other runners than the one that has signed."""
    world.edit(POLICY, HOSTED, OWN)
    world.publish("Ask for runners of our own")
    return NOT_HOSTED


def loosened(world: World) -> str:
    """Main asks for other runners, and a branch that nobody has merged does not."""
    policy(world)
    world.edit(POLICY, OWN, HOSTED)
    Project(world.clone).commit("Ask for less")
    return NOT_HOSTED


def kept_gone(world: World) -> str:
    """Main has lost the statement of a release."""
    (world.clone / KEPT).unlink()
    world.publish("Lose a statement")
    return f"there is no {KEPT}: nobody has signed that release"


def kept_another(world: World) -> str:
    """Main has the statement of another release in its place."""
    shutil.copy(world.clone / BUILT, world.clone / KEPT)
    world.publish("Exchange the statements")
    return f"{RELEASED} is not verified: the image is sha256:"


def kept_card(world: World) -> str:
    """Main has another model card."""
    world.edit(str(verifying.committed(RELEASED)[1]), "flight", "fright")
    world.publish("Say something else of the model")
    return f"{RELEASED} is not verified: the card.cdx.json is sha256:"


def kept_decision(world: World) -> str:
    """The record of the release says that the gate has measured something else."""
    world.edit(RECORD, '"latency_ms": ', '"latency_ms": 1')
    world.publish("Change a record")
    return f"{RELEASED} is not verified: signed was another decision of the gate"


def kept_source(world: World) -> str:
    """The record of the release says that it was made from another commit."""
    world.edit(RECORD, world.record(RECORD)["package"]["bundle"]["source_commit"], world.git("rev-parse", "HEAD"))
    world.publish("Change a record")
    return f"{RELEASED} is not verified: the package is recorded otherwise than it was signed"


AT_HANDS = (unsigned, bento, executable, image, layer, package, card, another, decision, policy)
KEPTS = (kept_gone, kept_another, kept_card, kept_decision, kept_source, policy, loosened)


def flip(world: World, version: str) -> None:
    """Flip one bit in the middle of the layer of an image."""
    blobs = (world.clone / "build/images" / version / "blobs/sha256").iterdir()
    largest = max(blobs, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)


def refused(world: World, named: str, *words: str) -> None:
    """See that a verb says no, names why, and leaves everything as it was."""
    before = world.snapshot()
    answer = world.serve(RELEASED) if words == ("serve",) else world.run(*words, "--json")
    assert (answer.code, named in answer.said) == (1, True), answer
    assert world.snapshot() == before


def test_what_is_as_it_was_signed_is_taken(world: World) -> None:
    """Nothing but its fault refuses what is refused below."""
    for words in (("gate",), ("manifests", "check")):
        answer = world.run(*words)
        assert answer.code == 0, answer
    served = world.serve(RELEASED)
    assert (served.code, "port" in served.said) == (2, True), served


def test_what_is_at_hand_is_taken(world: World) -> None:
    """It becomes the challenger, and a release whose statement and card main holds for ever."""
    for words in (("verify",), ("register",), ("release",), ("verify", AT_HAND), ("manifests", "check")):
        answer = world.run(*words)
        assert answer.code == 0, answer
    aliases = world.query("select alias, version from registered_model_aliases")
    assert dict(aliases) == {"champion": 1, "challenger": 2}
    for made, kept in zip((verifying.SIGNED, verifying.CARD), verifying.committed(AT_HAND), strict=True):
        assert world.git("show", f"origin/main:{kept}") == (world.clone / made).read_text().strip()


@pytest.mark.parametrize(
    ("verb", "fault"),
    [
        (verb, fault)
        for verb in ("verify", "register", "release")
        for fault in AT_HANDS
        if (verb, fault) != ("verify", decision)  # it is asked about no decision
    ],
)
def test_what_is_at_hand_is_refused(world: World, verb: str, fault: Fault) -> None:
    """Before it reaches the registry, and before it reaches main."""
    refused(world, fault(world), verb)


@pytest.mark.parametrize("verb", ["verify", "register"])
def test_a_branch_does_not_loosen_the_policy_for_what_is_at_hand(world: World, verb: str) -> None:
    """Main's counts; `release` runs on main alone."""
    refused(world, loosened(world), verb)


def test_register_refuses_a_model_that_was_committed_after_it_was_signed(world: World) -> None:
    """What DVC is told to believe of the model's record is not what the bento holds."""
    path = world.clone / "artifacts/model/model.json"
    text = path.read_text()
    path.unlink()  # DVC may have linked it
    path.write_text(text + " ")
    done = Project(world.clone).command("dvc", "commit", "--quiet", "--force", "train", "evaluate")
    assert done.returncode == 0, done.stderr
    world.publish("Say something else of the model")
    digest = digests.of_bytes(path.read_bytes())
    refused(world, f"model.json is not the one that was signed of {AT_HAND}: it is {digest}", "register")


@pytest.mark.parametrize("fault", KEPTS)
@pytest.mark.parametrize("verb", ["gate", "gate --stable", "manifests check", "pull", "serve", f"verify {RELEASED}"])
def test_what_was_released_is_refused(world: World, verb: str, fault: Fault) -> None:
    """As the champion that a model is held against, in what Argo CD applies, and when it is served."""
    refused(world, fault(world), *verb.split())


def test_gate_refuses_a_stable_whose_image_has_another_model(world: World) -> None:
    """It is not compared with, whatever its folder is called."""
    images = world.clone / "build/images"
    shutil.rmtree(images / RELEASED)
    (images / AT_HAND).rename(images / RELEASED)
    refused(world, f"is not the one that was signed of {RELEASED}", "gate", "--stable")


def test_gate_refuses_a_champion_whose_model_was_changed(world: World) -> None:
    """A byte of the model in the registry's files is enough."""
    with world.model_file("model.onnx").open("ab") as stream:
        stream.write(b" ")
    refused(world, "model/model.onnx of version 1 is not what was registered", "gate")


def test_gate_refuses_a_champion_that_the_registry_tells_otherwise(world: World) -> None:
    """Who may write to the registry changes what the champion says of itself, and the tag that vouches for it."""
    path = world.model_file("model.json")
    path.write_text(path.read_text() + " ")
    digest = digests.of_bytes(path.read_bytes())
    world.query("update model_version_tags set value = ? where key = 'info_digest' and version = 1", digest)
    refused(world, f"model.json is not the one that was signed of {RELEASED}: it is {digest}", "gate")


def test_gate_refuses_a_champion_that_was_never_released(world: World) -> None:
    """An alias that somebody moved makes no champion."""
    assert world.run("register").code == 0
    world.query("update registered_model_aliases set version = 2 where alias = 'champion'")
    refused(world, "no release of main has the model sha256:", "gate")


def test_check_refuses_an_image_of_no_release(world: World) -> None:
    """Whatever its tag says."""
    digest = world.record(RECORD)["package"]["image_digest"]
    for path in (world.clone / RENDERED).glob("*.yaml"):
        path.write_text(path.read_text().replace(digest, "sha256:" + 64 * "f"))
    world.publish("Run something else")
    refused(world, f"{RENDERED}: no release has the image sha256:ffff", "manifests", "check")


@pytest.mark.parametrize("gone", [False, True], ids=["edited", "removed"])
@pytest.mark.parametrize("merged", [False, True], ids=["branch", "main"])
@pytest.mark.parametrize("kind", [0, 1], ids=["statement", "card"])
def test_check_refuses_to_rewrite_what_was_signed(world: World, kind: int, *, merged: bool, gone: bool) -> None:
    """What main holds of a release stays byte for byte, in a branch and in the newest commit of main."""
    path = world.clone / verifying.committed(RELEASED)[kind]
    path.unlink() if gone else path.write_text(path.read_text() + " ")
    (world.publish if merged else Project(world.clone).commit)("Rewrite what was signed")
    refused(world, f"{path.relative_to(world.clone)}: was changed or is gone", "manifests", "check")


def test_serve_refuses_an_image_of_other_bytes(world: World) -> None:
    """One bit of the layer."""
    flip(world, RELEASED)
    refused(world, f"{RELEASED} is damaged: blob sha256:", "serve")


def test_serve_refuses_another_image_that_the_record_names(world: World) -> None:
    """Who may write to main says that another image was released, and brings it."""
    images, other = world.clone / "build/images", world.record("build/package.json")["image_digest"]
    world.edit(RECORD, world.record(RECORD)["package"]["image_digest"], other)
    shutil.rmtree(images / RELEASED)
    shutil.copytree(images / AT_HAND, images / RELEASED)
    world.publish("Name another image")
    refused(world, f"{RELEASED} is not verified: the image is {other}, signed was", "serve")
