"""What the judge reads of the ledger: requests by arm and cell, and their truth, in one statement a look."""

import math
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Select,
    and_,
    case,
    cast,
    func,
    null,
    select,
    union_all,
)

from slipway.adapters.ledger import Ledger
from slipway.adapters.ledger.schema import outcomes, predictions
from slipway.canary.records import Arm, Cohort

NANO = 1e9
DAY = 86400.0


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
) -> tuple[Cohort, ...]:
    """Count the requests of both arms by cell, those cells whose end + maturity lies at or before `until`.

    A cell holds what the server answered in it, by its own clock. A label counts iff it was received before the cell's
    end + maturity, so that a cell, once it is told, stays as it is. Times in seconds; `stable` and `canary` are
    pod-template hashes.

    Raises:
        Broken: the database does not answer.

    """
    cells = math.floor((until - maturity - started) / grid)
    if cells <= 0:
        return ()
    statement = asked(
        ledger.engine.dialect.name,
        environment=environment,
        pods=(stable, canary),
        started=started,
        grid=grid,
        cells=cells,
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


def asked(
    dialect: str,
    *,
    environment: str,
    pods: tuple[str, ...],
    started: float,
    grid: float,
    cells: int,
    maturity: float,
    scale: float,
) -> Select[*tuple[Any, ...]]:
    """Make the one statement: rows (cell, pod, answered, labelled, loss, positives), the last two in billionths."""
    # The window is a cell wider than what is told: which cell a time lies in is for one division to say.
    end = started + (cells + 1) * grid
    rows = []
    for table in (predictions, outcomes):
        cell = _floor((table.c.at - started) / grid, dialect)
        loss, positive = cast(null(), Double), cast(null(), Double)
        if table is outcomes:
            timely = outcomes.c.received_at < started + (cell + 1) * grid + maturity
            off = (outcomes.c.score - outcomes.c.truth) / scale
            loss = cast(case((and_(timely, off * off < 1.0), off * off), (timely, 1.0)), Double)
            positive = cast(case((and_(timely, outcomes.c.truth >= 1), 1.0), (timely, 0.0)), Double)
        rows.append(
            select(table.c.call, table.c.pod, cell.label("cell"), loss.label("loss"), positive.label("positive")).where(
                table.c.environment == environment, table.c.at >= started, table.c.at < end, table.c.pod.in_(pods)
            )
        )
    row = union_all(*rows).subquery()
    call = (
        select(
            func.min(row.c.cell).label("cell"),
            row.c.pod,
            func.avg(row.c.loss).label("loss"),
            func.avg(row.c.positive).label("positive"),
        )
        .group_by(row.c.pod, row.c.call)
        .subquery()
    )
    return (
        select(call.c.cell, call.c.pod, func.count(), func.count(call.c.loss), _sum(call.c.loss), _sum(call.c.positive))
        .where(call.c.cell < cells)
        .group_by(call.c.cell, call.c.pod)
        .order_by(call.c.cell, call.c.pod)
    )


def reference_share(ledger: Ledger, *, environment: str, stable: str, before: float, days: float) -> float | None:
    """Tell the share of positives of stable's requests of the last days whose truth was there `before`, if any was.

    Raises:
        Broken: the database does not answer.

    """
    call = (
        select(func.avg(case((outcomes.c.truth >= 1, 1.0), else_=0.0)).label("positive"))
        .where(
            outcomes.c.environment == environment,
            outcomes.c.at >= before - days * DAY,
            outcomes.c.at < before,
            outcomes.c.pod == stable,
            outcomes.c.received_at < before,
        )
        .group_by(outcomes.c.call)
        .subquery()
    )
    with ledger.transaction() as connection:
        share: float | None = connection.execute(select(func.avg(call.c.positive))).scalar()
    return share


def _floor(value: ColumnElement[Any], dialect: str) -> ColumnElement[int]:
    """Round down what is not negative: SQLite's cast cuts, PostgreSQL's rounds, and not every SQLite has floor()."""
    return cast(value if dialect == "sqlite" else func.floor(value), BigInteger)


def _sum(value: ColumnElement[Any]) -> ColumnElement[int]:
    """Add whole billionths: the sum is the same in whatever order rows are read, to the last digit."""
    return func.coalesce(func.sum(cast(func.round(value * NANO), BigInteger)), 0)
