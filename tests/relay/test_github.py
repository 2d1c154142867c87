"""What GitHub may answer when a workflow is to be run, and what the relay makes of it."""

from threading import Event

import pytest
import typer.main
from msgspec import structs
from tests.relay.github import answering

from slipway import records
from slipway.__main__ import app
from slipway.adapters import github
from slipway.adapters.github import Workflow
from slipway.adapters.processes import free_port
from slipway.records import Evidence
from slipway.rollout.relay import Action
from slipway.services.relay.acting import MOST, RUNS, Dispatch, Tried, arguments, back_off, inputs

IMAGE = "sha256:" + 64 * "a"
EVIDENCE = Evidence(
    detail='worse, by "far"\n--and more',
    blame="truth",
    requests={"stable": 10.0},
    seconds=1 / 3,
    abort=3.0,
    abort_needed=2.995732274,
    attempt=1,
    step=3,
)
PROMOTE = Action(
    verb="promote", environment="staging", version="1.1.0", image=IMAGE, cause="verdict", evidence=EVIDENCE
)
REVERT = Action(
    verb="revert", environment="production", version="1.1.0", image=IMAGE, cause="person", why="--all of it"
)
CARRY = Action(verb="carry", environment="production", version="1.1.0", image=IMAGE, why="promoted in staging")


def ask(address: str, token: str = "ghs_secret", tries: int = 0) -> Tried:  # noqa: S107
    """Ask for a run of the workflow."""
    return Dispatch(Workflow(address, "owner/name", lambda: token)).act(REVERT, tries, Event())


@pytest.mark.parametrize("status", [200, 201, 204])
def test_taken(status: int) -> None:
    """It is asked again only when a run has had its time."""
    with answering([status]) as (address, bodies):
        tried = ask(f"{address}/")
    assert (tried.result, tried.after) == ("sent", RUNS)
    assert [body["inputs"] for body in bodies] == [inputs(REVERT)]


def test_what_may_wait_for_a_person_is_asked_for_ever_more_rarely() -> None:
    """A pull request stays open for days; an abort is asked for every ten minutes."""
    with answering([503, *(12 * [204])]) as (address, _):
        relay = Dispatch(Workflow(address, "owner/name", lambda: "ghs_secret"))
        assert relay.act(CARRY, 0, Event()).result == "unsent"
        carried = [relay.act(CARRY, tries, Event()).after for tries in range(1, 11)]
        reverted = [relay.act(REVERT, tries, Event()).after for tries in (0, 9)]
    assert carried == [RUNS * times for times in (1, 2, 4, 8, 16, 32, 64, 128, 128, 128)]
    assert reverted == [RUNS, RUNS]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (301, "301"),
        (401, "--github-token-file"),
        (403, "--github-token-file"),
        (404, "--github-repository"),
        (422, "inputs"),
        (429, "429"),
        (500, "500"),
        (503, "503"),
    ],
)
def test_not_taken(status: int, said: str) -> None:
    """In words that say what to mend, and asked again: sooner at first, then more seldom."""
    with answering([status]) as (address, _):
        first, later = ask(address), ask(address, tries=20)
    assert (first.result, later.result) == ("unsent", "unsent")
    assert said in first.said
    assert "ghs_secret" not in first.said
    assert (first.after, later.after) == (1.0, MOST)


@pytest.mark.parametrize("status", [403, 429])
def test_asked_to_wait(status: int) -> None:
    """As long as GitHub says."""
    with answering([status], retry_after="61") as (address, _):
        assert ask(address).after == 61.0


def test_a_foreign_token_is_refused() -> None:
    """The server above looks at it."""
    with answering([204]) as (address, _):
        assert ask(address, token="another").result == "unsent"  # noqa: S106


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, or silent: the same."""
    assert ask(f"http://127.0.0.1:{free_port()}").result == "unsent"
    monkeypatch.setattr(github, "SECONDS", 0.2)
    with answering([0]) as (address, _):
        assert ask(address).result == "unsent"


def test_waits_grow_and_stay_bounded() -> None:
    """Also after a month of tries."""
    assert [back_off(tries) for tries in (0, 1, 2, 3)] == [1, 2, 4, 8]
    assert back_off(100_000) == MOST


@pytest.mark.parametrize("action", [PROMOTE, REVERT, CARRY])
def test_the_command_line_takes_an_action(action: Action) -> None:
    """The real one parses it, also where a text of other people looks like an option."""
    words = arguments(action)
    command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    given = command.make_context(words[0], words[1:]).params
    assert given["environment"] == action.environment
    assert given.get("cause") == action.cause
    assert given.get("digest", action.image) == action.image
    assert given.get("version", given.get("carry", "1.1.0")) == "1.1.0"
    if action.evidence is not None:
        assert records.loads(Evidence, given["evidence"], "the option") == structs.replace(
            EVIDENCE, seconds=0.333333333
        )
    assert given.get("why", action.why) == action.why or action is CARRY
