"""What holds for the ledger on every database. `fresh` gives the address of an empty one; each tier has its own."""

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text, update
from tests.ledger.world import (
    FEATURES,
    GRID,
    MATURITY,
    PODS,
    SCALE,
    STARTED,
    Look,
    World,
    alike,
    origin,
    outcome,
    prediction,
    told,
    worlds,
)
from typer.testing import CliRunner

from slipway.__main__ import app
from slipway.adapters.ledger import Ledger, schema
from slipway.adapters.ledger.cohorts import asked, cohorts, reference_share
from slipway.adapters.ledger.counts import counted
from slipway.canary.records import Cohort
from slipway.errors import Broken

Fresh = Callable[[], str]
WRITERS = 4


def look(ledger: Ledger, until: float = STARTED + 100, first: int = 0) -> tuple[Cohort, ...]:
    """Look as the judge does."""
    return cohorts(
        ledger,
        environment="live",
        stable="pod-s",
        canary="pod-c",
        started=STARTED,
        grid=GRID,
        until=until,
        maturity=MATURITY,
        scale=SCALE,
        first=first,
    )


def stored(ledger: Ledger, table: Any) -> list[dict[str, Any]]:
    """Return all rows of a table."""
    with ledger.transaction() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


# ---- writing ----------------------------------------------------------------------------------------------------


def test_what_is_stored_comes_back_as_it_was(fresh: Fresh) -> None:
    """Every float to its last bit, and the row's JSON letter by letter."""
    ledger, exact = Ledger(fresh()), 0.1 + 0.2
    of = origin("a", 1_800_000_000.123456, score=exact)

    assert ledger.add([prediction(of)]) == 1
    assert ledger.record([outcome(of, -1 / 3, 5e-7, rating=5)]) == ["stored"]

    facts = msgspec.structs.asdict(of)
    assert stored(ledger, schema.predictions) == [facts | {"features": bytes(FEATURES).decode(), "decision": False}]
    assert stored(ledger, schema.outcomes) == [facts | {"truth": -1 / 3, "received_at": of.at + 5e-7, "rating": 5}]


def test_what_is_shipped_again_is_not_stored_again(fresh: Fresh) -> None:
    """A batch that was stored before its spool was removed counts as nothing new, in whatever batch it comes back."""
    url, batch = fresh(), [prediction(origin(str(n), STARTED + n)) for n in range(2500)]

    assert Ledger(url).add(batch[:1500]) == 1500
    assert Ledger(url).add([*batch[:1000], *batch]) == 1000
    assert Ledger(url).add([]) == 0
    assert len(stored(Ledger(url), schema.predictions)) == 2500


def test_the_first_label_is_the_truth(fresh: Fresh) -> None:
    """The same again is the same, inside a batch too; another is a conflict, kept apart once, and changes nothing."""
    ledger, a, b = Ledger(fresh()), origin("a", STARTED), origin("b", STARTED)

    assert ledger.record([outcome(a, 1, 1), outcome(a, 1, 2), outcome(a, 0, 3), outcome(b, 0, 3, rating=4)]) == [
        *("stored", "same", "conflict", "stored")
    ]
    before = look(ledger), stored(ledger, schema.outcomes)
    for _ in range(2):
        said = ledger.record(
            [outcome(a, 0, 4), outcome(b, 0, 4), outcome(b, 0, 4, rating=1), outcome(b, 0, 4, rating=4)]
        )
        assert said == ["conflict", "same", "conflict", "same"]

    assert (look(ledger), stored(ledger, schema.outcomes)) == before
    kept = [(row["id"], row["truth"], row["rating"]) for row in stored(ledger, schema.restatements)]
    assert sorted(kept) == [("a", 0.0, 0), ("b", 0.0, 1)]


@pytest.mark.parametrize("spoilt", [float("nan"), float("inf")])
def test_a_number_that_would_spoil_the_sums_is_refused(fresh: Fresh, spoilt: float) -> None:
    """Neither NaN nor infinity is stored, nor anything beside it: all of a batch, or nothing."""
    ledger, good, bad = Ledger(fresh()), origin("a", STARTED), origin("b", STARTED, score=spoilt)

    with pytest.raises(Broken):
        ledger.record([outcome(good, 1, 1), outcome(good, 0, 1), outcome(origin("c", STARTED), spoilt, 1)])
    with pytest.raises(Broken):
        ledger.add([prediction(good), prediction(bad)])

    assert not any(stored(ledger, table) for table in (schema.predictions, schema.outcomes, schema.restatements))


# ---- many at once -----------------------------------------------------------------------------------------------

WRITER = """
import sys
from slipway.adapters.ledger import Ledger
from slipway.predictions import Origin, Outcome, Prediction
import msgspec, random
url, who = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
ledger, added = Ledger(url), 0
order = random.Random(who).sample(range(300), 300)
def of(n): return Origin(id=str(n), call=str(n), at=1.0, environment="e", release="1", pod="p", score=0.5)
for start in range(0, 300, 50):
    ids = [of(n) for n in order[start : start + 50]]
    added += ledger.add([Prediction(origin=one, features=msgspec.Raw(b"{}"), decision=True) for one in ids])
    said = ledger.record([Outcome(origin=one, truth=float(who), received_at=2.0) for one in ids])
    print(*("S" + one.id for one, what in zip(ids, said) if what == "stored"), *("C" for s in said if s == "conflict"))
print("A" + str(added))
"""


def test_one_of_many_processes_stores_each_label(fresh: Fresh) -> None:
    """Each id is stored by one writer and refused to the rest, each prediction is counted once.

    They open one empty database at the same instant, and say other labels of the same ids in other orders.
    """
    url = fresh()
    writers = [_process(WRITER, url, str(who)) for who in range(WRITERS)]
    for writer in writers:
        writer.stdout.readline()
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    printed = [writer.communicate()[0].split() for writer in writers]

    assert [writer.returncode for writer in writers] == [0] * WRITERS
    winners = {word[1:]: float(who) for who, words in enumerate(printed) for word in words if word[0] == "S"}
    every = [word for words in printed for word in words]
    assert sum(word[0] == "S" for word in every) == len(winners) == 300
    assert sum(word[0] == "C" for word in every) == (WRITERS - 1) * 300
    assert sum(int(word[1:]) for word in every if word[0] == "A") == 300
    assert {row["id"]: row["truth"] for row in stored(Ledger(url), schema.outcomes)} == winners


def test_threads_share_a_ledger(fresh: Fresh) -> None:
    """A service ships in one thread and takes labels in others, through one object."""
    ledger, said = Ledger(fresh()), []
    ids = [origin(str(n), STARTED + n / 10) for n in range(200)]

    def work(seed: int) -> None:
        mixed = random.Random(seed).sample(ids, len(ids))  # noqa: S311
        ledger.add([prediction(of) for of in mixed])
        said.extend(ledger.record([outcome(of, 1, 1) for of in mixed]))
        look(ledger)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(said) == ["same"] * 600 + ["stored"] * 200


KILLED = """
import sys
from slipway.adapters.ledger import Ledger
from slipway.predictions import Origin, Outcome
ledger, n = Ledger(sys.argv[1]), 0
while True:
    of = Origin(id=str(n), call=str(n), at=1.0, environment="e", release="1", pod="p", score=0.5)
    ledger.record([Outcome(origin=of, truth=1.0, received_at=2.0)])
    print(n, flush=True)
    n += 1
"""


def test_an_acknowledged_label_survives_kill_9(fresh: Fresh) -> None:
    """Every label that record() had returned for is there after the writer was killed in the midst of its work."""
    url = fresh()
    writer = _process(KILLED, url)
    seen = [writer.stdout.readline() for _ in range(60)]
    writer.kill()
    seen += writer.communicate()[0].splitlines()

    acknowledged = {line.strip() for line in seen}
    assert len(acknowledged) >= 60
    assert acknowledged <= {row["id"] for row in stored(Ledger(url), schema.outcomes)}


def _process(code: str, *arguments: str) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdin=pipe, stdout=pipe, text=True)


# ---- reading ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(fresh: Fresh) -> Ledger:
    """One ledger for all examples of a property, which empty it."""
    return Ledger(fresh())


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds(), seed=st.integers(0, 99))
def test_a_look_does_not_depend_on_batches(shared: Ledger, world: World, seed: int) -> None:
    """Whatever order, batches and repetitions rows come in, a look says what counting by hand says.

    Calls once, cells by the server's time, labels by the cut-off, what is not mature not at all.
    """
    mix = random.Random(seed)  # noqa: S311
    with shared.transaction() as connection:
        connection.execute(delete(schema.predictions))
        connection.execute(delete(schema.outcomes))
    work: list[Any] = [*world.shipped, *world.labels]
    work += mix.choices(work, k=len(work) // 2) if work else []
    mix.shuffle(work)
    while work:
        batch, work = work[: (cut := mix.randint(1, 12))], work[cut:]
        labels = [one for one in batch if one in world.labels]
        shared.record(labels)
        shared.add([one for one in batch if one not in labels])

    assert alike(look(shared, world.until), told(world))


def holds_the_cut_off(read: Look) -> None:
    """Require that a label is told in the cell of its request, and counts iff it came before that one's cut-off."""
    first, second = origin("a", STARTED + 3), origin("b", STARTED + 9)
    end = STARTED + GRID + MATURITY
    labels = [outcome(first, 1, end - first.at - 1e-6), outcome(second, 1, end - second.at)]
    cell = read(World([first, second], [prediction(first), prediction(second)], labels))
    assert [(one.cell, one.answered, one.labelled) for one in cell] == [(0, 2, 1)]
    assert cell[0].loss == pytest.approx((0.75 / SCALE) ** 2)


def holds_that_a_label_counts_once(read: Look) -> None:
    """Require that the same label twice, and another label later, leave the first one's loss, once."""
    of = origin("a", STARTED + 3)
    labels = [outcome(of, 1, 1), outcome(of, 1, 2), outcome(of, 0, 3)]
    assert alike(read(World([of], [prediction(of)], labels)), told(World([of], [prediction(of)], labels[:1])))


def holds_that_a_call_counts_once(read: Look) -> None:
    """Require that a call of three rows is one request, with the mean over the two that have truth."""
    rows = [origin(f"a{n}", STARTED + 3, call="a", score=score) for n, score in enumerate((0.0, 1.0, 0.5))]
    labels = [outcome(rows[0], 1, 1), outcome(rows[1], 1, 1)]
    (cell,) = read(World(rows, [prediction(of) for of in rows], labels))
    assert (cell.answered, cell.labelled, cell.positives) == (1, 1, 1.0)
    assert cell.loss == pytest.approx(((1 / SCALE) ** 2 + 0) / 2)


def holds_that_a_label_needs_no_prediction(read: Look) -> None:
    """Require that a label whose prediction is on its way says that there was an answer, late or not."""
    labels = [outcome(origin("a", STARTED), 1, 1), outcome(origin("b", STARTED), 1, 99)]
    (cell,) = read(World([], [], labels))
    assert (cell.answered, cell.labelled) == (2, 1)


def holds_that_a_loss_is_bounded(read: Look) -> None:
    """Require a loss from 0 to 1 of whatever is finite: a square that no float holds must not end the look."""
    pairs = [(0.0, 5e-324), (1e-200, 0.0), (0.5, 1e299), (-1e299, 1e299)]
    labels = [outcome(origin(str(n), STARTED, score=score), truth, 1) for n, (score, truth) in enumerate(pairs)]
    (cell,) = read(World([], [], labels))
    assert (cell.labelled, cell.loss) == (4, 2.0)


PROPERTIES = (
    holds_that_a_loss_is_bounded,
    holds_the_cut_off,
    holds_that_a_label_counts_once,
    holds_that_a_call_counts_once,
    holds_that_a_label_needs_no_prediction,
)


@pytest.mark.parametrize("holds", PROPERTIES)
def test_a_look_keeps_its_rules(fresh: Fresh, holds: Callable[[Look], None]) -> None:
    """Each rule of a look, on rows that were made to break it."""

    def read(world: World) -> tuple[Cohort, ...]:
        ledger = Ledger(fresh())
        ledger.add(world.shipped)
        for label in world.labels:
            ledger.record([label])
        return look(ledger)

    holds(read)


def test_a_told_cell_stays_as_it_is(fresh: Fresh) -> None:
    """Labels after a cell's cut-off, and later looks, change nothing of what was told, at the edges of cells too."""
    ledger, edges = Ledger(fresh()), [origin(f"edge{n}", STARTED + n * GRID) for n in range(8)]
    ids = [*edges, *(origin(str(n), STARTED + n / 3) for n in range(240))]
    ledger.add([prediction(of) for of in ids])
    ledger.record([outcome(of, n % 2, 5) for n, of in enumerate(ids) if n % 3])
    looks = [look(ledger, until=STARTED + n * GRID + MATURITY + 1) for n in range(8)]
    ledger.record([outcome(of, 1, 100) for of in ids[::3]])

    last = look(ledger, until=STARTED + 8 * GRID + MATURITY + 1)
    assert [one.cell for one in last] == list(range(8))
    assert looks == [last[:n] for n in range(8)]
    assert [look(ledger, until=STARTED + 8 * GRID + MATURITY + 1, first=n) for n in range(9)] == [
        last[n:] for n in range(9)
    ]


def test_the_reference_is_the_stable_pods_own_share(fresh: Fresh) -> None:
    """Calls of stable alone, of the last days, with truth that was there before; None where there is none."""
    ledger, day = Ledger(fresh()), 86400.0
    rows = [origin("a0", STARTED - 60, call="a"), origin("a1", STARTED - 60, call="a"), origin("b", STARTED - day)]
    left_out = [origin("c", STARTED - 5), origin("d", STARTED - 3 * day), origin("e", STARTED - 60, pod="pod-c")]
    ask = {"environment": "live", "stable": "pod-s", "before": STARTED, "days": 2.0}

    assert reference_share(ledger, **ask) is None
    ledger.record([outcome(of, truth, 10) for of, truth in zip(rows, (1, 0, 0), strict=True)])
    ledger.record([outcome(of, 1, 10) for of in left_out])

    assert reference_share(ledger, **ask) == pytest.approx((0.5 + 0) / 2)


HISTORY = 20_000


def plan(ledger: Ledger) -> list[str]:
    """Ask the database how it would read a look."""
    dialect = ledger.engine.dialect
    window = {"started": STARTED, "grid": GRID, "cells": range(10), "maturity": MATURITY, "scale": SCALE}
    statement = asked(dialect.name, environment="live", pods=tuple(PODS), **window)
    question = statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if dialect.name == "sqlite" else "EXPLAIN"
    with ledger.transaction() as connection:
        connection.exec_driver_sql("ANALYZE")
        return [str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {str(question).replace('%', '%%')}")]


def scans(lines: list[str]) -> list[str]:
    """Find the steps of a plan that read a table from end to end."""
    whole = ("SCAN predictions", "SCAN outcomes", "Seq Scan")
    return [line for line in lines if any(word in line for word in whole)]


def test_a_look_reads_two_indexes_and_no_table(fresh: Fresh) -> None:
    """With a history around the attempt, the plan names both indexes and no scan; without an index, it has one."""
    ledger = Ledger(fresh())
    old = [origin(str(n), STARTED - 5 * HISTORY + 10 * n) for n in range(HISTORY)]
    ledger.add([prediction(of) for of in old])
    ledger.record([outcome(of, 1, 1) for of in old])

    lines = plan(ledger)
    assert not scans(lines), lines
    for index, reads in (("predictions_by_time", 1), ("outcomes_by_time", 2)):
        steps = [line for line in lines if index in line]
        assert len(steps) == reads, lines
        assert all("COVERING INDEX" in line or "Index Only Scan" in line for line in steps), lines

    with ledger.transaction() as connection:
        connection.execute(text("DROP INDEX outcomes_by_time"))
    assert len(scans(plan(ledger))) == 2


# ---- opening ----------------------------------------------------------------------------------------------------


def test_a_reader_writes_nothing(fresh: Fresh) -> None:
    """It reads what a writer stores while it is open, and cannot store itself."""
    url = fresh()
    writer = Ledger(url)
    reader, of = Ledger(url, read_only=True), origin("a", STARTED)
    assert look(reader) == ()

    writer.add([prediction(of)])
    assert [one.answered for one in look(reader)] == [1]
    with pytest.raises(Broken, match=r"read-?only"):
        reader.record([outcome(of, 1, 1)])
    assert stored(writer, schema.outcomes) == []


def test_a_reader_makes_no_tables(fresh: Fresh) -> None:
    """Where nobody has written yet, it says who has to."""
    url = fresh()
    for _ in range(2):
        with pytest.raises(Broken, match=r"is empty|there is no ledger") as caught:
            Ledger(url, read_only=True)
        assert caught.value.remedy.startswith("Start the service that writes it first")


@pytest.mark.parametrize("read_only", [False, True])
def test_another_schema_is_refused(fresh: Fresh, read_only: bool) -> None:
    """A ledger of another version is neither read nor written: it says both versions."""
    url = fresh()
    ledger = Ledger(url)
    with ledger.transaction() as connection:
        connection.execute(update(schema.version).values(version=schema.VERSION + 1))

    with pytest.raises(Broken, match=f"has schema {schema.VERSION + 1}, this is slipway's {schema.VERSION}"):
        Ledger(url, read_only=read_only)


def test_tables_are_made_once(fresh: Fresh) -> None:
    """`slipway ledger migrate` makes them in an empty database and says so; again, it says so, and nothing is lost."""
    url, runner, of = fresh(), CliRunner(), origin("a", 1.0)

    def migrate() -> Any:
        done = runner.invoke(app, ["ledger", "migrate", "--ledger", url, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    first = migrate()
    assert (first["made"], first["schema"]) == (True, schema.VERSION)
    Ledger(url, read_only=True).close()
    Ledger(url).add([prediction(of)])
    assert migrate() == first | {"made": False}
    assert Ledger(url).truths(["a"]) == {"a": None}


def test_somebody_elses_database_is_refused(fresh: Fresh) -> None:
    """A database that holds other tables gets none of ours."""
    url = fresh()
    ledger = Ledger(url)
    with ledger.transaction() as connection:
        for table in reversed(schema.METADATA.sorted_tables):
            connection.execute(text(f"DROP TABLE {table.name}"))
        connection.execute(text("CREATE TABLE experiments (id INTEGER)"))

    for _ in range(2):
        with pytest.raises(Broken, match="holds something else: experiments"):
            Ledger(url)


# ---- what a monitor counts --------------------------------------------------------------------------------------


def test_a_monitor_counts_one_release_in_its_window(fresh: Fresh) -> None:
    """By day of UTC, score, decision and truth; not another release, environment or time; the first label alone.

    Scores that differ in the fourth digit are one, whatever became of their flights.
    """
    ledger, noon = Ledger(fresh()), 1_800_000_000.0 // 86400 * 86400 + 43200
    known = {
        "a": (noon, 0.2511, 0.0),
        "b": (noon + 43199.9, 0.2513, 0.0),
        "c": (noon + 43200.0, 0.2511, 0.0),  # the next day
        "d": (noon, 0.9004, 1.0),
        "e": (noon, 0.9009, None),
        "early": (noon - 0.1, 0.9, 1.0),
        "late": (noon + 86400.0, 0.9, 1.0),
        "other": (noon, 0.9, 1.0),
        "staging": (noon, 0.9, 1.0),
    }
    changes = {"other": {"release": "0.9.0"}, "staging": {"environment": "staging"}}
    of = {
        name: msgspec.structs.replace(origin(name, at, score=score), **changes.get(name, {}))
        for name, (at, score, _) in known.items()
    }
    ledger.add([prediction(one) for one in of.values()])
    ledger.record([outcome(of[name], truth, 5.0) for name, (_, _, truth) in known.items() if truth is not None])
    ledger.record([outcome(of["d"], 0.0, 6.0)])  # a conflict

    found = counted(ledger, environment="live", release="1.0.0", since=noon, until=noon + 86400.0)

    day = int(noon // 86400)
    told = {(one.day, one.decision, one.truth): (one.count, one.score) for one in found}
    assert len(told) == len(found)
    assert told == {
        (day, False, 0.0): (2, 0.2515),
        (day + 1, False, 0.0): (1, 0.2515),
        (day, True, 1.0): (1, 0.9005),
        (day, True, None): (1, 0.9005),
    }
