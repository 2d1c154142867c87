"""The judge's way to the truth: each look reads on where the one before it ended, and says what a new judge would."""

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import delete
from tests.judge.worlds import POLICY, QUERY, START

from slipway.adapters.ledger import Ledger, schema
from slipway.canary.query import parse
from slipway.canary.records import Interval, Metric, Rollout
from slipway.predictions import Origin, Outcome, Prediction
from slipway.services.judge.truths import REMEMBERED, FromLedger

ASKED = parse(QUERY.replace('maturity="0s"', 'maturity="1m"'))
JUDGED = msgspec.structs.replace(POLICY, metrics={"truth": Metric(margin=0.02, base=0.19)})
ROLLOUT = Rollout(
    namespace="live",
    name="flights",
    stable="s",
    canary="c",
    attempt=1,
    intervals=(Interval(start=START, end=None, weight=0.1, step=1),),
    steps=1,
    available=1,
    unavailable_since=None,
)


def fill(ledger: Ledger, begin: int, end: int) -> None:
    """Answer once a second, in turn by both arms, and tell the truth half a minute later."""
    origins = [
        Origin(
            id=str(second),
            call=str(second),
            at=START + second,
            environment=ASKED.environment,
            release="1.0.0",
            pod="sc"[second % 2],
            score=0.25,
        )
        for second in range(begin, end)
    ]
    ledger.add([Prediction(origin=of, features=msgspec.Raw(b"{}"), decision=False) for of in origins])
    ledger.record([Outcome(origin=of, truth=of.at % 3 == 0, received_at=of.at + 30) for of in origins])


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger that knows two hundred seconds before the attempt, and three hundred of it."""
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    fill(made, -200, 300)
    return made


def test_reading_on_says_what_reading_all_says(ledger: Ledger) -> None:
    """Look by look, also at a moment before the last one, as a person may ask."""
    reader = FromLedger(lambda: ledger)
    for seconds in (60, 150, 151, 290, 200, 400):
        now = START + seconds
        anew = FromLedger(lambda: ledger).cohorts(ASKED, ROLLOUT, JUDGED, now)
        assert reader.cohorts(ASKED, ROLLOUT, JUDGED, now) == anew
    assert {cohort.cell for cohort in anew} == set(range(30))


def test_a_cell_is_read_once_and_only_when_it_is_settled(ledger: Ledger) -> None:
    """It is read ten seconds after its maturity, and what was read is not asked for again."""
    reader = FromLedger(lambda: ledger)
    assert {one.cell for one in reader.cohorts(ASKED, ROLLOUT, JUDGED, START + 179.9)} == set(range(10))
    early = reader.cohorts(ASKED, ROLLOUT, JUDGED, START + 180)
    assert {one.cell for one in early} == set(range(11))
    with ledger.transaction() as connection:
        for table in (schema.predictions, schema.outcomes):
            connection.execute(delete(table).where(table.c.at < START + 110))
    late = reader.cohorts(ASKED, ROLLOUT, JUDGED, START + 370)
    assert late[: len(early)] == early
    assert {one.cell for one in late} == set(range(30))


def test_attempts_are_kept_apart_and_not_for_ever(ledger: Ledger) -> None:
    """Another start is another attempt; the oldest of many is forgotten, and read anew when it is asked for."""
    reader, now = FromLedger(lambda: ledger), START + 400
    first = reader.cohorts(ASKED, ROLLOUT, JUDGED, now)
    for number in range(1, REMEMBERED + 5):
        later = Interval(start=START + number, end=None, weight=0.1, step=1)
        other = msgspec.structs.replace(ROLLOUT, intervals=(later,))
        assert reader.cohorts(ASKED, other, JUDGED, now) != first
    assert reader.cohorts(ASKED, ROLLOUT, JUDGED, now) == first


def test_the_usual_share_is_read_once(ledger: Ledger) -> None:
    """It is stable's share before the attempt, and what is told afterwards does not change it."""
    reader = FromLedger(lambda: ledger)
    share = reader.reference_share(ASKED, ROLLOUT)
    assert share == pytest.approx(1 / 3, abs=0.02)
    with ledger.transaction() as connection:
        connection.execute(delete(schema.outcomes).where(schema.outcomes.c.at < START))
    assert reader.reference_share(ASKED, ROLLOUT) == share
    assert FromLedger(lambda: ledger).reference_share(ASKED, ROLLOUT) is None
