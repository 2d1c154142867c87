"""`slipway monitor` on a real repository and a real ledger: well, not well, too little known; and the way back."""

import json
import shlex
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT
from tests.history.story import Story
from tests.monitor.filling import DAYS, EACH, fill
from tests.outcomes import world as worlds
from tests.outcomes.world import World

from slipway.adapters.ledger import Ledger

pytestmark = pytest.mark.usefixtures("author")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, author: None) -> Story:
    """1.0.0 was live, 1.1.0 is; main has the parameters of the small profile. Only to be read."""
    story = Story(tmp_path_factory.mktemp("story"))
    for version in ("1.0.0", "1.1.0"):
        story.release(version)
        story.promote(version)
    shutil.copy(ROOT / "tests/small/params.yaml", story.clone)
    for command in ("add -A", "commit -qm Hold", "push -q origin main"):
        story.world.git(*command.split(), folder=story.clone)
    return story


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger of its own."""
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


def monitored(world: World, ledger: Ledger, code: int, *more: str) -> Any:
    """What the verb answers a program, and that it ends with a code."""
    url = str(ledger.engine.url)
    done = world.run("slipway", "monitor", "--ledger", url, "--json", *more)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_what_does_as_in_training_is_well(story: Story, ledger: Ledger) -> None:
    """Nothing is proposed; what another release has answered is not counted, and what is too young neither."""
    auc = fill(ledger, "1.1.0", right=0.8)
    fill(ledger, "1.0.0", right=0.1)
    fill(ledger, "1.1.0", right=0.0, days=1, ago=3600.0)
    found = monitored(story.world, ledger, 0)
    assert (found["well"], found["version"], found["command"]) == (True, "1.1.0", None)
    assert found["answered"] == found["truths"] == DAYS * EACH
    told = {one["name"]: one for one in found["checks"]}
    assert told["auc_interval"]["detail"].startswith(f"{auc:.3f} [")
    assert told["auc_interval"]["passed"] is True


def test_what_is_bad_is_not_well_and_the_way_back_leads_back(story: Story, ledger: Ledger, tmp_path: Path) -> None:
    """Each rule that fails is in the words of the command; it changes nothing until a person runs it, as it stands.

    Once 1.0.0 is live again and as bad, 1.1.0 is not proposed: a person has left it.
    """
    world = worlds.copy(story.world, tmp_path / "copy")
    before = world.head()
    fill(ledger, "1.1.0", right=0.3)
    found = monitored(world, ledger, 1)
    bad = [one["name"] for one in found["checks"] if one["passed"] is False]
    assert {"auc_floor", "auc_interval"} <= set(bad)
    assert found["way_back"] == "1.0.0"
    assert all(name in found["command"] for name in bad)
    assert world.head() == before

    shown = world.run("slipway", "monitor", "--ledger", str(ledger.engine.url))
    assert found["command"] in shown.stdout
    assert world.run(*shlex.split(found["command"])).returncode == 0
    assert world.state().stable.environments["production"] == "1.0.0"

    fill(ledger, "1.0.0", right=0.3)
    again = monitored(world, ledger, 1)
    assert (again["version"], again["way_back"], again["command"]) == ("1.0.0", None, None)
    assert (
        "No earlier release can come back" in world.run("slipway", "monitor", "--ledger", str(ledger.engine.url)).stdout
    )


def test_what_has_just_gone_live_is_not_judged_yet(story: Story, ledger: Ledger, tmp_path: Path) -> None:
    """Exit code 0, no issue, and the time from which it is judged; once enough is known it is, however young."""
    world = worlds.copy(story.world, tmp_path / "copy")
    world.ok("rollback", "--to", "1.0.0", "--environment", "production", "--why", "test")
    fill(ledger, "1.0.0", right=0.3, days=6)
    found = monitored(world, ledger, 0)
    assert (found["well"], found["version"], found["checks"]) == (None, "1.0.0", [])
    assert found["missing"] == [f"{6 * EACH} truths, needs 1,000", "truths of 6 days, needs 7"]
    began, judged = (datetime.fromisoformat(found[name]) for name in ("live_since", "judged_from"))
    assert datetime.now(UTC) - began < timedelta(minutes=10)
    assert judged - began == timedelta(days=7, hours=24)

    shown = world.ok("monitor", "--ledger", str(ledger.engine.url), "--issue")
    assert f"too early to say: 1.0.0 is live in production since {began:%Y-%m-%d %H:%M} UTC" in shown
    assert f"judged from {judged:%Y-%m-%d %H:%M} UTC" in shown
    assert "truths of 6 days, needs 7" in shown

    fill(ledger, "1.0.0", right=0.3)
    assert monitored(world, ledger, 1)["well"] is False


def test_where_nothing_is_live_nothing_is_judged(story: Story, ledger: Ledger) -> None:
    """Exit code 0 without a version: before the first promotion all is as it should be."""
    found = monitored(story.world, ledger, 0, "--environment", "staging")
    assert (found["well"], found["version"]) == (None, None)
    shown = story.world.ok("monitor", "--ledger", str(ledger.engine.url), "--environment", "staging")
    assert "nothing is live in staging yet" in shown


@pytest.mark.parametrize(
    ("filled", "said"),
    [({}, "0 truths"), ({"days": 5}, "truths of 5 days"), ({"told": 0.5}, "the truth of ")],
    ids=["nothing", "few days", "half of the truth"],
)
def test_too_little_is_said(story: Story, ledger: Ledger, filled: dict[str, Any], said: str) -> None:
    """Exit code 2: neither well nor not, with what is short; even where all that is known is bad."""
    if filled:
        fill(ledger, "1.1.0", right=0.3, **filled)
    found = monitored(story.world, ledger, 2)
    assert found["outcome"] == "broken"
    assert "1.1.0 in production" in found["what"]
    assert said in found["what"]


def test_what_cannot_be_asked_is_broken(story: Story, ledger: Ledger, tmp_path: Path) -> None:
    """There is no ledger; the card is another release's: exit code 2 each."""
    done = story.world.run("slipway", "monitor", "--ledger", f"sqlite:///{tmp_path}/none.db")
    assert done.returncode == 2

    world = worlds.copy(story.world, tmp_path / "copy")
    shutil.copy(world.clone / "attestations/1.0.0.cdx.json", world.clone / "attestations/1.1.0.cdx.json")
    for command in ("add -A", "commit -qm Mix", "push -q origin main"):
        world.git(*command.split(), folder=world.clone)
    fill(ledger, "1.1.0", right=0.8)
    assert "tells no metrics" in monitored(world, ledger, 2)["what"]
