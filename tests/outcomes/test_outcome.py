"""`slipway outcome`, as outcome.yml runs it: what the relay asks for, decided by what main says."""

import pytest
from tests.outcomes.world import World
from tests.samples import package

from slipway.records import Evidence
from slipway.rollout.relay import Action
from slipway.services.relay.acting import inputs


def ask(world: World, action: Action, **more: str) -> tuple[int, str]:
    """Run it with the inputs of a dispatch in its environment, as the workflow puts them there."""
    given = {f"OUTCOME_{name.upper()}": value for name, value in inputs(action).items()} | more
    done = world.run("slipway", "outcome", **given)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def action(verb: str, version: str, environment: str = "staging", **more: object) -> Action:
    """What the relay asks for of a release."""
    return Action(  # type: ignore[arg-type]
        verb=verb, version=version, environment=environment, image=package(version).image_digest, **more
    )


def test_each_verb_is_run_once(world: World) -> None:
    """Promoted, carried, reverted: as by the verbs themselves, and the second time nothing is done."""
    world.release("1.0.0", "staging")
    evidence = Evidence(
        detail="no worse",
        blame=None,
        requests={"canary": 1.0},
        seconds=1.0,
        abort=0.0,
        abort_needed=3.0,
        attempt=1,
        step=1,
    )
    for _ in range(2):
        assert ask(world, action("promote", "1.0.0", cause="verdict", evidence=evidence))[0] == 0
    assert world.kinds("1.0.0", "staging") == ["proposed", "promoted"]
    assert world.state().releases["1.0.0"].events[-1].evidence == evidence
    for _ in range(2):
        assert ask(world, action("carry", "1.0.0", "production"))[0] == 0
    assert world.kinds("1.0.0") == ["proposed"]
    for _ in range(2):
        assert ask(world, action("revert", "1.0.0", "production", cause="person", why='";rm -rf ~; $(id)"'))[0] == 0
    assert world.state().releases["1.0.0"].events[-1].why == '";rm -rf ~; $(id)"'


@pytest.mark.parametrize("version", ["1.0.0", "7.0.0"])
def test_an_image_that_main_does_not_know_is_refused(version: str, world: World) -> None:
    """Whoever may dispatch cannot promote another image under a version's name."""
    world.release("1.0.0", "staging")
    foreign = action("promote", "1.0.0", cause="verdict")
    code, said = ask(world, foreign, OUTCOME_VERSION=version, OUTCOME_DIGEST=f"sha256:{64 * '0'}")
    assert code == 1
    assert f"main knows no release {version} with the image" in said
    assert world.kinds("1.0.0", "staging") == ["proposed"]


@pytest.mark.parametrize(
    "given",
    [
        {"OUTCOME_VERB": "rollback"},
        {"OUTCOME_ENVIRONMENT": "elsewhere"},
        {"OUTCOME_CAUSE": "boredom"},
        {"OUTCOME_CARRY": "by post"},
    ],
)
def test_what_is_no_input_of_the_relay_is_no_answer(given: dict[str, str], world: World) -> None:
    """A verb, an environment, a cause or a way that does not exist."""
    world.release("1.0.0", "staging")
    assert ask(world, action("promote", "1.0.0", cause="verdict"), **given)[0] == 2


def test_a_verb_that_says_no_is_no(world: World) -> None:
    """The exit code is the verb's own."""
    world.release("1.0.0", "staging")
    assert ask(world, action("carry", "1.0.0", "production"))[0] == 1
