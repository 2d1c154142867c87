"""The ledger's tables: what was answered, and what was true. The same on SQLite and on PostgreSQL."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

VERSION = 1
METADATA = MetaData()
FINITE = 1e300  # neither infinity nor NaN lies between it and its negative; one of them would spoil every sum
# Compared byte by byte, as SQLite does: a look sorts by it, and a language's order takes PostgreSQL much longer.
WORD = Text().with_variant(Text(collation="C"), "postgresql")


def _finite(name: str) -> CheckConstraint:
    return CheckConstraint(f"{name} BETWEEN -{FINITE} AND {FINITE}", name=f"finite_{name}")


def _origin() -> tuple[Column[str] | Column[float] | CheckConstraint, ...]:
    """Say what a signed id says: it makes a label a fact of its own, wherever its prediction still is."""
    return (
        Column("id", WORD, primary_key=True),
        Column("call", WORD, nullable=False),
        Column("at", Double, nullable=False),
        Column("environment", WORD, nullable=False),
        Column("release", WORD, nullable=False),
        Column("pod", WORD, nullable=False),
        Column("score", Double, nullable=False),
        _finite("score"),
    )


version = Table("schema_version", METADATA, Column("version", Integer, primary_key=True, autoincrement=False))

predictions = Table(
    "predictions",
    METADATA,
    *_origin(),
    Column("features", Text, nullable=False),  # JSON, as it was sent
    Column("decision", Boolean, nullable=False),
    Index("predictions_by_time", "environment", "at", "pod", "call"),
)

outcomes = Table(
    "outcomes",
    METADATA,
    *_origin(),
    Column("truth", Double, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("rating", Integer),
    _finite("truth"),
    # The whole of what a look asks: it never opens the table.
    Index("outcomes_by_time", "environment", "at", "pod", "call", "score", "truth", "received_at"),
)

restatements = Table(
    "restatements",  # what was said later, and differently, once each: kept for people, never judged
    METADATA,
    Column("id", WORD, primary_key=True),
    Column("truth", Double, primary_key=True),
    Column("rating", Integer, primary_key=True, autoincrement=False),  # 0 where none was given
    Column("received_at", Double, nullable=False),
    _finite("truth"),
)
