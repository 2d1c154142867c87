"""The ledger: a database of every prediction that was answered, and of the truth about it, each of them once.

A SQLite file, or PostgreSQL. What a call has stored survives the end of the process, and on SQLite also a loss of power
where the disk keeps its word (every commit is synced; PostgreSQL does the same unless it is told otherwise).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from slipway.adapters.ledger import opening, schema
from slipway.errors import Broken
from slipway.predictions import Outcome, Prediction

Stored = Literal["stored", "same", "conflict"]
BATCH = 500  # ids in one question


class Ledger:
    """An open ledger; threads and processes may share one database.

    `url` is a SQLAlchemy address, `sqlite:////folder/ledger.db` or `postgresql+psycopg://user:password@host/name`. An
    empty database is given its tables: then `made`. With `read_only` nothing is ever written, and the tables must be
    there. `name` is the address without its secrets.

    Raises:
        Broken: the address is none, nothing answers there, or it holds something else. No password is in the message.

    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self.engine = opening.engine(url, read_only=read_only)
        self.name = opening.shown(self.engine.url)
        with self.transaction() as connection:
            self.made = opening.require(connection, self.name, create=not read_only)

    def add(self, predictions: Sequence[Prediction]) -> int:
        """Store predictions in one transaction, those that are not there yet; returns how many.

        Raises:
            Broken: nothing was stored.

        """
        rows = [
            msgspec.structs.asdict(one.origin) | {"features": bytes(one.features).decode(), "decision": one.decision}
            for one in predictions
        ]
        with self.transaction() as connection:
            return len(_insert(connection, schema.predictions, rows))

    def record(self, outcomes: Sequence[Outcome]) -> list[Stored]:
        """Store the truth about predictions in one transaction; says of each, in order, what became of it.

        The first label of an id is its truth. The same again is `same`; another is a `conflict`, which is kept apart
        and never judged. A repetition without a rating takes nothing back.

        Raises:
            Broken: nothing was stored.

        """
        first: dict[str, Outcome] = {}
        for one in outcomes:
            first.setdefault(one.origin.id, one)
        with self.transaction() as connection:
            new = _insert(connection, schema.outcomes, [_row(one) for one in first.values()])
            held = _held(connection, sorted(first.keys() - new))
            held |= {id_: (first[id_].truth, first[id_].rating) for id_ in new}
            said: list[Stored] = []
            for one in outcomes:
                said.append("stored" if one.origin.id in new else _again(one, held[one.origin.id]))
                new.discard(one.origin.id)
            _insert(
                connection,
                schema.restatements,
                [
                    {"id": one.origin.id, "truth": one.truth, "rating": one.rating or 0, "received_at": one.received_at}
                    for one, what in zip(outcomes, said, strict=True)
                    if what == "conflict"
                ],
            )
        return said

    def truths(self, ids: Sequence[str]) -> dict[str, float | None]:
        """Tell the truth of those predictions that are stored; None where nobody has told it yet.

        Raises:
            Broken: the database does not answer.

        """
        known = select(schema.predictions.c.id, schema.outcomes.c.truth).outerjoin_from(
            schema.predictions, schema.outcomes, schema.predictions.c.id == schema.outcomes.c.id
        )
        with self.transaction() as connection:
            found = connection.execute(known.where(schema.predictions.c.id.in_(ids)))
            return {row.id: row.truth for row in found}

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Work in one transaction: all of it is stored, or nothing.

        Raises:
            Broken: the database did not take it.

        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise Broken(
                f"the ledger ({self.name}) cannot be used: {_reason(error)}",
                "Mend what it names: the address, the server, the disk.",
            ) from error

    def close(self) -> None:
        """Let go of the connections."""
        self.engine.dispose()


def _again(one: Outcome, held: tuple[float, int | None]) -> Stored:
    return "same" if one.truth == held[0] and one.rating in (None, held[1]) else "conflict"


def _row(one: Outcome) -> dict[str, Any]:
    said = {"truth": one.truth, "received_at": one.received_at, "rating": one.rating}
    return msgspec.structs.asdict(one.origin) | said


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Insert the rows whose key is not there; returns the ids of those."""
    if not rows:
        return set()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).on_conflict_do_nothing().returning(table.c.id)
    # In one order: two writers of the same ids then wait for each other in line, never in a circle.
    ordered = sorted(rows, key=lambda row: str(row["id"]))
    return set(connection.execute(statement, ordered).scalars())


def _held(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[float, int | None]]:
    table = schema.outcomes
    held: dict[str, tuple[float, int | None]] = {}
    for start in range(0, len(ids), BATCH):
        asked = select(table.c.id, table.c.truth, table.c.rating).where(table.c.id.in_(ids[start : start + BATCH]))
        held |= {id_: (truth, rating) for id_, truth, rating in connection.execute(asked)}
    return held


def _reason(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
