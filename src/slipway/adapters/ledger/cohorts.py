"""What the judge reads of the ledger: requests by arm and cell, and their truth, in one statement a look."""

import math
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Subquery, Table, and_, case, cast, func, select, union

from slipway.adapters.ledger import Ledger
from slipway.adapters.ledger.schema import outcomes, predictions
from slipway.canary.records import Arm, Cohort

NANO = 1e9
TINY = 1e-9
DAY = 86400.0
POSITIVE = func.avg(case((outcomes.c.truth >= 1, 1.0), else_=0.0)).label("positive")


def cohorts(
    ledger: Ledger,
    *,
    environment: str,
    stable: str,
    canary: str,
    started: float,
    grid: float,
    until: float,
    maturity: float,
    scale: float,
    first: int = 0,
) -> tuple[Cohort, ...]:
    """Count the requests of both arms by cell, from `first` on, those whose end + maturity lies at or before `until`.

    A cell holds what the server answered in it, by its own clock. A label counts iff it was received before the cell's
    end + maturity, so that a cell, once it is told, stays as it is, if `until` lies `opening.WAIT_SECONDS` behind the
    clock: so long may a label that was received in time still be on its way. Times in seconds; `stable` and `canary`
    are pod-template hashes.

    Raises:
        Broken: the database does not answer.

    """
    cells = matured(until, started=started, grid=grid, maturity=maturity)
    if cells <= first:
        return ()
    statement = asked(
        ledger.engine.dialect.name,
        environment=environment,
        pods=(stable, canary),
        started=started,
        grid=grid,
        cells=range(first, cells),
        maturity=maturity,
        scale=scale,
    )
    arms: dict[str, Arm] = {stable: "stable", canary: "canary"}
    with ledger.transaction() as connection:
        return tuple(
            Cohort(
                cell=cell,
                arm=arms[pod],
                answered=answered,
                labelled=labelled,
                loss=int(loss) / NANO,
                positives=int(positives) / NANO,
            )
            for cell, pod, answered, labelled, loss, positives in connection.execute(statement)
        )


def matured(until: float, *, started: float, grid: float, maturity: float) -> int:
    """Say how many cells have their end + maturity at or before `until`."""
    return max(0, math.floor((until - maturity - started) / grid))


def asked(
    dialect: str,
    *,
    environment: str,
    pods: tuple[str, ...],
    started: float,
    grid: float,
    cells: range,
    maturity: float,
    scale: float,
) -> Select[*tuple[Any, ...]]:
    """Make the one statement: rows (cell, pod, answered, labelled, loss, positives), the last two in billionths.

    Both halves read one index each, from its first entry of the attempt to its last. The rows of a call have one time:
    their id says so. A label is proof enough of an answer, as its prediction may be on its way.
    """
    # The window is a cell wider than what is told: which cell a time lies in is for one division to say.
    begin, end = started + max(cells.start - 1, 0) * grid, started + (cells.stop + 1) * grid

    def calls(table: Table, *more: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
        c = table.c
        return select(c.at, c.pod, c.call, *more).where(
            c.environment == environment, c.at >= begin, c.at < end, c.pod.in_(pods)
        )

    def by_cell(call: Subquery, *numbers: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
        cell = cell_of(call.c.at, started, grid, dialect)
        return select(cell.label("cell"), call.c.pod, func.count().label("calls"), *numbers).group_by(
            "cell", call.c.pod
        )

    # In the order of both indexes, so that SQLite merges them.
    answers = union(calls(predictions), calls(outcomes)).order_by("at", "pod", "call").subquery()
    answered = by_cell(answers).subquery()
    off = func.abs(outcomes.c.score - outcomes.c.truth)
    # Cut at both ends before it is squared: PostgreSQL refuses the whole statement when one product leaves its range.
    bounded = case((off >= scale, 1.0), (off < scale * TINY, 0.0), else_=(off / scale) * (off / scale))
    loss = func.avg(bounded).label("loss")
    in_time = outcomes.c.received_at < started + (cell_of(outcomes.c.at, started, grid, dialect) + 1) * grid + maturity
    truths = (
        calls(outcomes, loss, POSITIVE).where(in_time).group_by(outcomes.c.at, outcomes.c.pod, outcomes.c.call)
    ).subquery()
    labelled = by_cell(truths, _sum(truths.c.loss).label("loss"), _sum(truths.c.positive).label("positive")).subquery()
    numbers = (func.coalesce(number, 0) for number in (labelled.c.calls, labelled.c.loss, labelled.c.positive))
    return (
        select(answered.c.cell, answered.c.pod, answered.c.calls, *numbers)
        .outerjoin(labelled, and_(answered.c.cell == labelled.c.cell, answered.c.pod == labelled.c.pod))
        .where(answered.c.cell >= cells.start, answered.c.cell < cells.stop)
        .order_by(answered.c.cell, answered.c.pod)
    )


def reference_share(ledger: Ledger, *, environment: str, stable: str, before: float, days: float) -> float | None:
    """Tell the share of positives of stable's requests of the last days whose truth was there `before`, if any was.

    Raises:
        Broken: the database does not answer.

    """
    call = (
        select(POSITIVE)
        .where(
            outcomes.c.environment == environment,
            outcomes.c.at >= before - days * DAY,
            outcomes.c.at < before,
            outcomes.c.pod == stable,
            outcomes.c.received_at < before,
        )
        .group_by(outcomes.c.at, outcomes.c.call)
        .subquery()
    )
    with ledger.transaction() as connection:
        share: float | None = connection.execute(select(func.avg(call.c.positive))).scalar()
    return share


def cell_of(at: ColumnElement[float], started: float, grid: float, dialect: str) -> ColumnElement[int]:
    """Say which cell a time lies in. SQLite's cast cuts, PostgreSQL's rounds, and not every SQLite has floor()."""
    cells = (at - started) / grid
    return cast(cells if dialect == "sqlite" else func.floor(cells), BigInteger)


def _sum(value: ColumnElement[float]) -> ColumnElement[int]:
    """Add whole billionths: the sum is the same in whatever order rows are read, to the last digit."""
    return func.sum(cast(func.round(value * NANO), BigInteger))
