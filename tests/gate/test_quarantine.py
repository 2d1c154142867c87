"""A recipe that an abort has barred, trained again on other data: refused by that check alone, until it is lifted."""

from typing import Any

import pytest
from tests import signed
from tests.conftest import IDENTITY
from tests.gate.conftest import reproduce

from slipway import digests, outcomes, recipe
from slipway import quarantine as barring
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.changes import Change, State
from slipway.commands import settling, shelf
from slipway.records import Bundle, GateDecision, ModelInfo, Package

AT = "2013-06-20T00:00:00+00:00"


def packaged(project: Any, version: str) -> Package:
    """A package of the model and the recipe at hand, as `slipway package` would name them."""
    bundle = Bundle(
        version=version,
        source_commit=Repository(project.root).head(),
        data_digest="md5:0",
        recipe_digest=recipe.digest(files.read_matching(project.root, recipe.PATTERNS)),
        model_digest=files.read_record(ModelInfo, project.root / "artifacts/model/model.json").model_digest,
        request_version=1,
    )
    image, bento = (digests.of_bytes(f"{kind} {version}".encode()) for kind in ("image", "bento"))
    return Package(bundle=bundle, bento_digest=bento, image_digest=image)


def release(project: Any, version: str) -> str:
    """Sign and release the model at hand, by the gate's own decision about it; returns its image's digest."""
    made = packaged(project, version)
    decided = files.read_record(GateDecision, project.root / "build/gate.json")
    model = {name: (project.root / "artifacts/model" / name).read_bytes() for name in ("model.onnx", "model.json")}

    def decide(state: State, tree: Repository) -> Change:
        holds = ((f"src/model/{name}", digests.of_bytes(content)) for name, content in model.items())
        signed.write(tree.root, made, decided, *holds)
        return outcomes.propose(state, made, decided, environment="production", at=AT)

    settling.settle(Repository(project.root), decide)
    return made.image_digest


def red(project: Any) -> list[str]:
    """The checks that refuse."""
    decided = files.read_record(GateDecision, project.root / "build/gate.json")
    return [check.name for check in decided.checks if check.passed is False]


@pytest.fixture
def published(champion: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The champion's repository with an origin, on whose main it is production's recorded stable."""
    for key, value in IDENTITY.items():
        monkeypatch.setenv(key, value)
    origin = champion.root.parent / "origin.git"
    for command in (
        f"init -q --bare --initial-branch=main {origin}",
        f"remote add origin {origin}",
        "push -q origin HEAD:main",
        "fetch -q",
    ):
        assert champion.command("git", *command.split()).returncode == 0
    return champion


def test_an_aborted_recipe_is_refused_on_other_data_until_a_person_lifts_it(published: Any, slipway: Any) -> None:
    """Accepted, released, aborted; trained by the same recipe on other data it is refused, whatever its own tree says.

    A person's lift on main, and nothing less, lets it in; and the champion's own recipe was never barred.
    """
    with (published.root / "src/slipway/features.py").open("a") as stream:
        stream.write("# another recipe\n")
    reproduce(published)
    published.commit("Another recipe")
    assert published.command("git", "push", "-q", "origin", "HEAD:main").returncode == 0
    assert slipway(published, "gate")[0] == 0, red(published)
    barred = packaged(published, "1.1.0").bundle.recipe_digest
    aborted = release(published, "1.1.0")
    settling.settle(
        Repository(published.root),
        lambda state, _: outcomes.revert(state, aborted, environment="production", at=AT, cause="verdict"),
    )
    assert barred in barring.active(shelf.quarantine(published.root))

    published.flights(lambda flights: flights.filter(flights["sched_dep_time"] % 100 != 17), "2013-03")
    assert published.command("dvc", "add", "-q", "data").returncode == 0
    reproduce(published)
    published.commit("Other data")
    again = packaged(published, "1.2.0").bundle
    assert again.recipe_digest == barred
    assert again.model_digest not in barring.active(shelf.quarantine(published.root))

    code, said = slipway(published, "gate")
    assert (code, red(published)) == (1, ["quarantine"])
    assert f"recipe {barred[:19]}… is quarantined since 1.1.0 was aborted in production (verdict)" in said

    own = barring.lift(shelf.quarantine(published.root), barred, at=AT, why="I want it in")
    shelf.write_quarantine(published.root, own)
    published.commit("Let myself in")
    assert slipway(published, "gate")[0] == 1
    assert red(published) == ["quarantine"]

    lifted = published.command("slipway", "quarantine", "lift", barred, "--why", "the sensor was broken")
    assert lifted.returncode == 0, lifted.stderr
    assert published.command("git", "fetch", "-q").returncode == 0
    assert slipway(published, "gate")[0] == 0, red(published)
