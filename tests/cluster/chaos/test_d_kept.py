"""Whatever was killed: no prediction that was acknowledged is lost."""

from contextlib import closing

from sqlalchemy import select
from tests.cluster.chaos.report import Report
from tests.cluster.machine import outside
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.place import NODE
from tests.cluster.scenarios.playing import Stage

from slipway.adapters.ledger import Ledger, schema


def test_what_was_acknowledged_is_in_the_ledger(stage: Stage, report: Report) -> None:
    """Each id that a client was given since the clients began, once the spools have been shipped."""
    acknowledged = stage.traffic.ids(0, stage.traffic.mark())
    assert acknowledged
    place = stage.cluster.box.place

    def kept() -> bool:
        opened = closing(Ledger(outside.ledger(place, outside.READER, NODE), read_only=True))
        with opened as ledger, ledger.transaction() as connection:
            return acknowledged <= set(connection.execute(select(schema.predictions.c.id)).scalars())

    wait(kept, f"each of {len(acknowledged)} predictions in the ledger", place, 120)
    report.kept = f"Of {len(acknowledged):,} predictions that clients had acknowledged, all are in the ledger."
