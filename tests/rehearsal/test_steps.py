"""A Rollout's steps: a table of what happens where, and what no sequence of events may do."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rehearsal.plans import CANARY, PLAN, RULES, STABLE

from slipway.rollout import analysis, steps
from slipway.rollout.steps import State

OTHER = f"sha256:{64 * 'c'}"


@dataclass
class Told:
    """A rollout that is told one event a second: up, down, what the judge answers, or that time passes."""

    stable: str | None = STABLE
    image: str = CANARY

    def __post_init__(self) -> None:
        self.now, self.available = 0.0, False
        self.state = steps.begin(PLAN, self.image, self.stable, self.now)

    def tell(self, *events: str) -> "Told":
        """Tell events, one after the other."""
        for event in events:
            self.now += 1
            if event in ("up", "down"):
                self.available = event == "up"
            elif event == "late":
                self.now += PLAN.progress_deadline
            elif event in (STABLE, CANARY, OTHER):
                self.state = steps.update(PLAN, self.state, event, self.now)
            else:
                answer = None if event == "error" else [float(event)]
                self.state = steps.told(PLAN, self.state, analysis.measured(RULES, answer), self.now)
            self.state = steps.see(PLAN, self.state, self.now, available=self.available)
        return self

    @property
    def seen(self) -> tuple[str, int, float, str | None]:
        """Phase, step, what the canary gets, cause."""
        state = self.state
        return state.phase, state.step, steps.share(state, available=self.available), state.cause


@pytest.mark.parametrize(
    ("events", "seen"),
    [
        ([], ("progressing", 0, 0.0, None)),
        (["up"], ("progressing", 1, 0.1, None)),
        (["up", "0", "0"], ("progressing", 1, 0.1, None)),
        (["up", "1"], ("progressing", 3, 0.5, None)),
        (["up", "1", "1"], ("healthy", 5, 1.0, "verdict")),
        (["up", "-1"], ("aborted", 0, 0.0, "verdict")),
        (["up", "1", "-2"], ("aborted", 0, 0.0, "unavailable")),
        (["up", "-3"], ("aborted", 0, 0.0, "deadline")),
        (["up", *["error"] * 3], ("progressing", 1, 0.1, None)),
        (["up", *["error"] * 4], ("aborted", 0, 0.0, "error")),
        (["up", *["0"] * 5], ("paused", 1, 0.1, None)),  # a person decides: the weight stays
        (["up", *["0"] * 5, "1", "-1"], ("paused", 1, 0.1, None)),  # and nobody is asked any more
        (["up", "down"], ("progressing", 1, 0.0, None)),  # the controller takes the weight away,
        (["up", "down", "0"], ("progressing", 1, 0.0, None)),  # asks on,
        (["up", "down", "late", "late"], ("progressing", 1, 0.0, None)),  # knows no deadline in an analysis,
        (["up", "down", "up"], ("progressing", 1, 0.1, None)),  # and gives it back
        (["up", "down", "1"], ("progressing", 2, 0.0, None)),  # the next weight waits for pods
        (["up", "down", "1", "up"], ("progressing", 3, 0.5, None)),
        (["up", "down", "1", "late"], ("aborted", 0, 0.0, "deadline")),
        (["late"], ("aborted", 0, 0.0, "deadline")),  # without an AnalysisRun
        (["1", "1", "1"], ("progressing", 0, 0.0, None)),  # nobody was asked
        (["up", "-1", "up", "1", "1"], ("aborted", 0, 0.0, "verdict")),  # an abort stays
        (["up", "-1", STABLE], ("healthy", 5, 1.0, None)),  # the revert: no steps
        (["up", *["0"] * 5, STABLE], ("healthy", 5, 1.0, None)),
        (["up", "1", STABLE], ("healthy", 5, 1.0, None)),
        (["up", "1", OTHER], ("progressing", 1, 0.1, None)),  # a newer release begins anew
        (["up", "-1", OTHER], ("progressing", 1, 0.1, None)),
        (["up", "-1", CANARY], ("aborted", 0, 0.0, "verdict")),  # the same image again is no retry
        (["up", "1", "1", OTHER], ("progressing", 1, 0.1, None)),
        (["up", "1", "1", STABLE], ("progressing", 1, 0.1, None)),  # after the promotion it is an older one: all steps
    ],
)
def test_steps(events: list[str], seen: tuple[str, int, float, str | None]) -> None:
    """From the beginning, through events, to where the rollout stands."""
    assert Told().tell(*events).seen == seen


def test_a_first_deployment_runs_no_analysis() -> None:
    """It is healthy as soon as it is available."""
    told = Told(stable=None)
    assert told.seen == ("progressing", 5, 0.0, None)
    assert told.tell("up").seen == ("healthy", 5, 1.0, None)
    assert (told.state.run, told.state.intervals) == (None, ())
    assert Told(stable=None).tell("late").seen == ("aborted", 0, 0.0, "deadline")
    assert Told(stable=None).tell(OTHER, "up").seen == ("progressing", 1, 0.1, None)  # stable since it was asked for


def test_the_stable_image_takes_no_steps() -> None:
    """Nothing has to be available, nothing is asked."""
    assert Told(image=STABLE).seen == ("healthy", 5, 1.0, None)


def test_what_is_said_is_what_the_controller_says() -> None:
    """Its messages end in Git and in notifications."""
    assert Told().tell("up", "-1").state.detail == (
        "RolloutAborted: Step-based analysis phase error/failed: "
        'Metric "judge" assessed Failed due to failed (1) > failureLimit (0)'
    )
    assert "timed out progressing" in Told().tell("late").state.detail
    assert Told().tell("up", *["0"] * 5).state.detail == "InconclusiveAnalysisRun"


def test_weights_are_in_force_exactly_while_they_are_judged() -> None:
    """The intervals that the judge compares within."""
    told = Told().tell("up", "0", "1", "0", "-1")
    found = [(one.start, one.end, one.weight, one.step) for one in told.state.intervals]
    assert found == [(1, 3, 0.1, 1), (3, 5, 0.5, 2)]
    open_ = Told().tell("up", "0").state.intervals
    assert [(one.start, one.end) for one in open_] == [(1, None)]


EVENTS = ["up", "down", "late", "0", "1", "-1", "-2", "error"]


@given(st.lists(st.sampled_from(EVENTS), max_size=30))
def test_only_as_many_promotes_as_there_are_analyses_promote(events: list[str]) -> None:
    """Whatever else happens in between; and an end is an end."""
    told, ended = Told(), None
    for event in events:
        told.tell(event)
        if ended is not None:
            assert told.state == ended
        elif told.state.phase != "progressing":
            ended = told.state
    if told.state.phase == "healthy":
        assert events.count("1") >= PLAN.gated
    elif told.state.cause in ("verdict", "unavailable"):
        assert {"verdict": "-1", "unavailable": "-2"}[told.state.cause] in events


@given(st.lists(st.sampled_from(["up", "down", "late", "0", "error"]), max_size=60))
def test_without_a_judge_that_says_so_nothing_is_promoted(events: list[str]) -> None:
    """Errors, doubts and time decide no canary's fate but that of one that cannot be judged."""
    state: State = Told().tell(*events).state
    assert state.phase != "healthy"
    assert state.cause in (None, "deadline", "error")
    assert state.cause != "error" or events.count("error") > RULES.error_limit
