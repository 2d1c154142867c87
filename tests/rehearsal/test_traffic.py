"""Requests are drawn and split by a seed, and by nothing else; what clients see is counted as they see it."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import polars as pl
import pytest
from tests.conftest import ROOT
from tests.rehearsal.test_processes import until

from slipway import features, schema
from slipway.adapters import traffic
from slipway.adapters.flights import read_month
from slipway.adapters.traffic import EDGES, Flight, Replay, Tally, Traffic
from slipway.canary.records import Arm

ROWS = [Flight(b"{}", b"client %d" % (number % 40), late=number % 3 == 0) for number in range(400)]
KNOWN_ONLY_AFTER = ("dep_delay", "arr_delay")


def drawn(
    seed: int,
    weight: float,
    *,
    sticky: bool = False,
    address: Callable[[Arm], str | None] = lambda _: None,
    **more: Any,
) -> Traffic:
    """Traffic that has not begun."""
    made = Traffic(
        ROWS, address, seed=seed, sticky=sticky, credential="c", **({"rate": 200.0, "truth_delay": 0.1} | more)
    )
    made.weight = weight
    return made


def test_the_same_seed_draws_the_same_rows_for_the_same_arms() -> None:
    """And another seed draws others."""
    arms = [[split.arm(number) for number in range(2000)] for split in (drawn(seed, 0.3) for seed in (1, 1, 2))]
    orders = [traffic.order(seed, len(ROWS)) for seed in (1, 1, 2)]
    assert (arms[0] == arms[1], arms[0] == arms[2]) == (True, False)
    assert (orders[0] == orders[1], orders[0] == orders[2]) == (True, False)
    assert sorted(orders[0]) == list(range(len(ROWS)))  # each row once a round
    assert orders[0] != sorted(orders[0])


@pytest.mark.parametrize("weight", [0.0, 0.1, 0.3, 0.6, 1.0])
def test_the_canary_gets_its_weight(weight: float) -> None:
    """To within what chance makes of it."""
    split = drawn(7, weight)
    arms = [split.arm(number) for number in range(20000)]
    assert arms.count("canary") / len(arms) == pytest.approx(weight, abs=0.02 if 0 < weight < 1 else 0)


def test_a_growing_weight_only_moves_requests_to_the_canary() -> None:
    """By number, and sticky by client."""
    for sticky in (False, True):
        before: set[object] = set()
        for weight in (0.1, 0.3, 0.6, 1.0):
            split = drawn(3, weight, sticky=sticky)
            now = {number for number in range(1000) if split.arm(number) == "canary"}
            assert before <= now
            before = now


def test_a_sticky_client_keeps_its_arm() -> None:
    """All of its requests go there; without, they are split."""
    order = traffic.order(5, len(ROWS))

    def arms(*, sticky: bool) -> dict[bytes, set[str]]:
        split, found = drawn(5, 0.5, sticky=sticky), dict[bytes, set[str]]()
        for number in range(1200):
            found.setdefault(ROWS[order[number % len(ROWS)]].client, set()).add(split.arm(number))
        return found

    assert {len(each) for each in arms(sticky=True).values()} == {1}
    assert {len(each) for each in arms(sticky=False).values()} == {2}


@pytest.mark.parametrize("catalogue", ["right", "wrong"])
def test_a_caller_does_not_know_what_is_known_only_afterwards(catalogue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No delay is in a request, though a leak may have told the catalogue otherwise; the truth is, beside it."""
    if catalogue == "wrong":
        monkeypatch.setattr(features, "READ", (*features.READ, *KNOWN_ONLY_AFTER))
        for name in KNOWN_ONLY_AFTER:
            monkeypatch.setitem(schema.COLUMNS, name, replace(schema.COLUMNS[name], known=schema.Known.BEFORE))
    table = read_month(ROOT / "replay", "2013-06").head(500)
    made = traffic.flights(table.iter_rows(named=True))
    assert [flight for flight in made for name in KNOWN_ONLY_AFTER if name.encode() in flight.body] == []
    expected = table.select(pl.col("arr_delay") >= 15)["arr_delay"].to_list()
    assert [flight.late for flight in made] == expected
    assert None in expected


def test_the_edges_are_those_that_a_router_is_asked_for() -> None:
    """rollouts/judge.yaml names them for Traefik."""
    (listed,) = re.findall(r"--metrics.prometheus.buckets=(\S+)", (ROOT / "rollouts/judge.yaml").read_text())
    assert tuple(float(edge) for edge in listed.split(",")) == EDGES


def test_a_tally_counts_what_a_client_sees() -> None:
    """An answer of 400 or more, and none, are errors; an edge counts what is at it."""
    tally = Tally()
    for status, seconds in ((200, 0.002), (204, 0.0021), (399, 0.25), (400, 0.25), (500, 3.0), (0, 5.0)):
        tally.add(status, seconds)
    assert (tally.requests, tally.errors) == (6, 3)
    assert (tally.within()[0.002], tally.within()[0.25], tally.within()[float("inf")]) == (1, 4, 6)
    quick = Tally()
    for _ in range(100):
        quick.add(200, 0.0045)
    p95 = quick.told().p95
    assert p95 is not None
    assert 0.004 < p95 <= 0.005
    assert Tally().told().p95 is None


@contextmanager
def answering(
    status: Callable[[str], int], heard: list[Any] | None = None, port: int = 0
) -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a server, and the paths it was asked for; `heard` collects headers, too."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            asked.append(self.path)
            if heard is not None:
                heard.append((self.path, self.headers["host"], self.headers["authorization"]))
            body = b'{"id": "x"}'
            self.send_response(status(self.path))
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_refusals_and_silence_are_errors_and_have_no_truth() -> None:
    """Stable answers, the canary refuses; then nobody is there."""
    with answering(lambda _: 200) as (good, asked), answering(lambda _: 422) as (bad, refused):
        addresses: dict[Arm, str | None] = {"stable": good, "canary": bad}
        with drawn(1, 0.5, address=addresses.__getitem__) as split:
            until(lambda: split.told > 20)
            addresses["canary"] = None
            before = split.counted()["canary"].requests
            until(lambda: split.counted()["canary"].requests > before + 10)
        counted = split.counted()
    assert counted["stable"].errors == 0
    assert counted["canary"].errors == counted["canary"].requests
    assert set(refused) == {"/predict"}
    assert 20 < split.told <= counted["stable"].requests
    assert "/feedback" in asked


def test_a_truth_that_nobody_took_is_told_again() -> None:
    """503 says that nothing of it was stored."""
    ready: list[int] = []
    with (
        answering(lambda path: 503 if path == "/feedback" and not ready else 200) as (address, _),
        drawn(1, 0.0, address=lambda _: address) as split,
    ):
        until(lambda: split.truths.get(503))
        assert split.told == 0
        ready.append(1)
        until(lambda: split.told >= split.truths[503])


def replayed(address: str, rate: float = 200.0) -> Replay:
    """Traffic to one address that has not begun."""
    return Replay(ROWS, address, host="flights.example", rate=rate, seed=1, credential="c", truth_delay=0.1)


def test_a_router_is_asked_by_its_name_and_told_the_truth() -> None:
    """All requests and all truths go to one address; they are the same rows in the same order as in a rehearsal."""
    heard: list[tuple[str, str, str]] = []
    answers = iter([200] * 30 + [503] * 5)
    with answering(lambda path: next(answers, 200) if path == "/predict" else 200, heard) as (address, _):
        with replayed(address) as replay:
            until(lambda: replay.tally.requests > 60 and replay.told > 10)
        assert {(path, *rest) for path, *rest in heard} == {
            ("/predict", "flights.example", "Bearer c"),
            ("/feedback", "flights.example", "Bearer c"),
        }
    assert (replay.tally.errors, replay.statuses) == (5, {200: replay.tally.requests - 5, 503: 5})
    assert [replay._flight(number) for number in range(900)] == [drawn(1, 0.0)._flight(number) for number in range(900)]


@pytest.mark.parametrize("catches_up", [False, True])
def test_a_router_that_was_silent_is_not_sent_all_that_was_missed(catches_up: bool) -> None:
    """An hour's requests at once would be no traffic; a rehearsal sends as many as it said it would."""
    split = drawn(1, 0.0, rate=1.0) if catches_up else replayed("http://127.0.0.1:1", rate=1.0)
    split._start = time.monotonic() - 3600
    assert split._take() == (0, 0.0)
    number, pause = split._take()
    assert (number, pause > 0) == (1, not catches_up)
    assert pause <= 1.0
