"""An AnalysisRun is counted as Argo Rollouts v1.10.1 counts it: reference tables, and what no sequence may do."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rehearsal.plans import RULES, environment

from slipway.errors import Broken
from slipway.rollout import analysis
from slipway.rollout.analysis import Measurement, Run

NAN, INF = float("nan"), float("inf")
ANSWERS = {"promote": [1.0], "continue": [0.0], "abort": [-1.0], "empty": [], "error": None}


def played(*answers: Sequence[float] | None, limit: int = RULES.error_limit, count: int = RULES.count) -> Run:
    """Count answers until the run ends."""
    rules = msgspec.structs.replace(RULES, error_limit=limit, count=count, inconclusive_limit=count)
    run = Run()
    for answer in answers:
        assert run.phase == "Running", "the run has ended, and is asked again"
        run = analysis.take(rules, run, analysis.measured(rules, answer, "" if answer is not None else "HTTP 500"))
    return run


@pytest.mark.parametrize(
    ("result", "phase"),
    [
        ([1.0], "Successful"),
        ([0.0], "Inconclusive"),
        ([0.5], "Inconclusive"),
        ([2.0], "Inconclusive"),
        ([NAN], "Inconclusive"),
        ([INF], "Inconclusive"),
        ([], "Inconclusive"),
        ([1.0, 1.0], "Inconclusive"),
        ([-1.0, -1.0], "Inconclusive"),
        ([-1.0], "Failed"),
        ([-2.0], "Failed"),
        ([-INF], "Failed"),
        (None, "Error"),
    ],
)
def test_a_measurement(result: Sequence[float] | None, phase: str) -> None:
    """Failure is looked at before success; what meets neither condition is inconclusive."""
    assert analysis.measured(RULES, result).phase == phase


@pytest.mark.parametrize(
    ("answers", "phase", "message"),
    [
        ([[1.0]], "Successful", ""),
        ([[0.0], [0.0], [0.0], [1.0]], "Successful", ""),  # the table's row 6: stops at the first promote
        ([None, [0.0], None, [1.0]], "Successful", ""),
        ([[0.0]] * 5, "Inconclusive", ""),  # row 5: the count is over, and there is no message
        ([[]] * 5, "Inconclusive", ""),
        ([[0.0], [-1.0]], "Failed", 'Metric "judge" assessed Failed due to failed (1) > failureLimit (0)'),
        (
            [None] * 4,
            "Error",
            'Metric "judge" assessed Error due to consecutiveErrors (4) > consecutiveErrorLimit (3):'
            ' "Error Message: HTTP 500"',
        ),
        ([None] * 3, "Running", ""),
        ([None, None, None, [0.0], None, None, None], "Running", ""),  # alternating errors never end it
        ([[0.0]] * 4 + [None], "Running", ""),  # an error is none of the count
    ],
)
def test_a_run(answers: list[Sequence[float] | None], phase: str, message: str) -> None:
    """Measurements to the end of a run."""
    run = played(*answers)
    assert (run.phase, run.message) == (phase, message)


def test_an_error_is_asked_again_after_ten_seconds_and_all_else_after_the_interval() -> None:
    """Whatever the interval is."""
    waits = {name: analysis.wait(RULES, analysis.measured(RULES, answer)) for name, answer in ANSWERS.items()}
    assert waits == {"promote": 30, "continue": 30, "abort": 30, "empty": 30, "error": 10}


@pytest.mark.parametrize(
    ("answer", "cause"), [([-1.0], "verdict"), ([-2.0], "unavailable"), ([-3.0], "deadline"), ([-7.0], "error")]
)
def test_the_cause_is_what_the_judge_said(answer: list[float], cause: str) -> None:
    """What it has never said quarantines nothing."""
    assert analysis.cause(played(answer)) == cause
    assert analysis.cause(played(*[None] * 4)) == "error"
    assert analysis.cause(played([1.0])) is analysis.cause(played(*[[0.0]] * 5)) is None


@given(st.lists(st.sampled_from([None, (), (0.0,), (NAN,), (1.0, 1.0), (3.0,)]), max_size=40))
def test_nothing_but_a_promote_promotes(answers: list[Sequence[float] | None]) -> None:
    """Errors, empty vectors, doubts: in no order do they succeed, and in none do they fail."""
    run = Run()
    for answer in answers:
        if run.phase == "Running":
            run = analysis.take(RULES, run, analysis.measured(RULES, answer))
    assert run.phase in ("Running", "Inconclusive", "Error")
    assert run.phase != "Error" or answers.count(None) > RULES.error_limit


@given(st.lists(st.sampled_from(list(ANSWERS.values())), max_size=40))
def test_a_run_ends_at_the_first_answer_that_ends_it(answers: list[Sequence[float] | None]) -> None:
    """As the controller's loop, told once more in other words."""
    expected, errors, counted = "Running", 0, 0
    run = Run()
    for answer in answers:
        if run.phase != "Running":
            break
        run = analysis.take(RULES, run, analysis.measured(RULES, answer))
        errors = errors + 1 if answer is None else 0
        counted += answer is not None
        if answer == [-1.0]:
            expected = "Failed"
        elif errors == 4:
            expected = "Error"
        elif answer == [1.0]:
            expected = "Successful"
        elif counted == 5:
            expected = "Inconclusive"
        assert run.phase == expected


def test_another_condition_is_refused_by_its_text() -> None:
    """Nothing is evaluated that is not known."""
    (metric,) = environment().templates["judge"].spec.metrics
    assert analysis.rules(metric, 10).interval == 3
    loose = msgspec.structs.replace(metric, success_condition="true")
    with pytest.raises(Broken, match="'true' of metric judge is not known"):
        analysis.rules(loose)


def test_speed_divides_times_and_no_count() -> None:
    """Evidence is not scaled."""
    (metric,) = environment().templates["judge"].spec.metrics
    slow, fast = analysis.rules(metric), analysis.rules(metric, 10)
    assert (slow.interval, slow.retry, fast.interval, fast.retry) == (30, 10, 3, 1)
    assert msgspec.structs.replace(fast, interval=30, retry=10) == slow


def test_a_measurement_keeps_what_was_said() -> None:
    """The value tells the cause, the message the error."""
    assert analysis.measured(RULES, [-2.0]) == Measurement(phase="Failed", value=-2.0)
    assert analysis.measured(RULES, None, "HTTP 500") == Measurement(phase="Error", message="HTTP 500")
