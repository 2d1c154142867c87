"""What a monitor reads of the ledger: one release's predictions and their truth, counted by day and score."""

from sqlalchemy import func, select

from slipway.adapters.ledger import Ledger
from slipway.adapters.ledger.cohorts import DAY, cell_of
from slipway.adapters.ledger.schema import outcomes, predictions
from slipway.predictions import Counted

# Of the scores from 0 to 1; what lies in one is told as its middle. Means would tell late flights from punctual ones.
BUCKETS = 1000


def counted(ledger: Ledger, *, environment: str, release: str, since: float, until: float) -> tuple[Counted, ...]:
    """Count the predictions that a release answered from `since` up to `until`, seconds since 1970, in one statement.

    A month of predictions may be millions: the database counts them, and some ten thousand rows come back.

    Raises:
        Broken: the database does not answer.

    """
    c, dialect = predictions.c, ledger.engine.dialect.name
    day = cell_of(c.at, 0.0, DAY, dialect).label("day")
    bucket = cell_of(c.score, 0.0, 1 / BUCKETS, dialect).label("bucket")
    alike = ("day", "bucket", c.decision, outcomes.c.truth)
    statement = (
        select(day, bucket, c.decision, outcomes.c.truth, func.count())
        .outerjoin(outcomes, c.id == outcomes.c.id)
        .where(c.environment == environment, c.release == release, c.at >= since, c.at < until)
        .group_by(*alike)
        .order_by(*alike)
    )
    with ledger.transaction() as connection:
        return tuple(
            Counted(day=day, score=(bucket + 0.5) / BUCKETS, decision=decision, truth=truth, count=count)
            for day, bucket, decision, truth, count in connection.execute(statement)
        )
