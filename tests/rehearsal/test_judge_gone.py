"""With a judge that is stopped, or that says nothing sensible, nothing decides: errors are counted, and that is all."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import pytest
from tests.conftest import ROOT
from tests.rehearsal.plans import CANARY, STABLE, environment

from slipway.adapters import judge
from slipway.adapters.flights import read_month
from slipway.adapters.processes import free_port
from slipway.adapters.traffic import flights
from slipway.commands import deciding
from slipway.commands.rehearse_engine import rehearse
from slipway.commands.rehearse_play import Play, Side
from slipway.manifests.environment import Environment
from slipway.rollout.records import Tick

ZERO = b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0"]}]}}'
ONE = ZERO.replace(b'"0"', b'"1"')
SILLY = {
    "a page": (200, b"<html>promote</html>"),
    "nothing": (200, b""),
    "null": (200, b"null"),
    "another JSON": (200, b'{"verdict": 1}'),
    "a list": (200, b"[1]"),
    "a scalar": (200, b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}'),
    "an error that says 1": (500, ONE),
    "a refusal that says 1": (400, ONE),
    "an error's status": (200, ONE.replace(b"success", b"error")),
    "a number that is none": (200, ONE.replace(b'"1"', b"1")),
    "half an answer": (200, ONE[:-9]),
}


@contextmanager
def judging(*answers: tuple[int, bytes]) -> Iterator[str]:
    """Serve answers in turn, the last one for ever."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status, body = left.pop(0) if len(left) > 1 else left[0]
            if status == 0:  # it hangs
                time.sleep(3)
                return
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", SILLY)
def test_what_is_no_vector_is_an_error(name: str) -> None:
    """Also where it holds a 1."""
    with judging(SILLY[name]) as address:
        result, why = judge.query(address, "verdict{}", 1.0, 2.0)
    assert result is None
    assert why


def test_a_vector_is_taken_as_it_stands() -> None:
    """The check above can fail; an empty one is empty, and no error."""
    empty = ZERO[: ZERO.index(b"[")] + b"[]}}"
    assert json.loads(empty)
    with judging((200, ONE), (200, empty), (200, ZERO.replace(b'"0"', b'"NaN"'))) as address:
        found = [judge.query(address, "verdict{}", 1.0, 2.0)[0] for _ in range(3)]
    assert found[:2] == [[1.0], []]
    assert str(found[2]) == "[nan]"


def test_nobody_there_and_nobody_who_answers_are_errors() -> None:
    """Refused, not running, and slower than the timeout."""
    assert judge.query(f"http://127.0.0.1:{free_port()}", "verdict{}", 1.0, 2.0)[0] is None
    assert judge.query(None, "verdict{}", 1.0, 2.0)[0] is None
    with judging((0, b"")) as address:
        assert judge.query(address, "verdict{}", 1.0, 0.2)[0] is None


def impatient(limit: int) -> Environment:
    """Staging's objects, with fewer errors in a row until the controller gives up."""
    found = environment("staging")
    template = found.templates["judge"]
    metric = msgspec.structs.replace(template.spec.metrics[0], consecutive_error_limit=limit)
    spec = msgspec.structs.replace(template.spec, metrics=(metric,))
    found.templates["judge"] = msgspec.structs.replace(template, spec=spec)
    return found


def test_only_errors_in_a_row_end_a_canary_and_they_never_promote_it(champion: Path, tmp_path: Path) -> None:
    """A few sillinesses, with a doubt before the limit is reached; then nothing but errors."""
    doubts: list[tuple[int, bytes]] = []
    for silly in list(SILLY.values())[:3]:
        doubts += [silly, (200, ZERO)]
    ticks: list[Tick] = []
    rows = flights(read_month(ROOT / "replay", "2013-06").head(500).iter_rows(named=True))
    with judging(*doubts, (0, b""), (500, b"")) as address:
        result = rehearse(
            Play(
                name="staging",
                environment=impatient(3),
                settings=deciding.read(ROOT / deciding.SETTINGS),
                stable=Side("1.0.0", STABLE, champion),
                canary=Side("1.1.0", CANARY, champion),
                rows=rows,
                folder=tmp_path / "rehearsal",
                rate=100,
                speed=10,
                judge=address,
            ),
            ticks.append,
        )
    assert (result.outcome, result.cause, result.evidence) == ("aborted", "error", None)
    assert "consecutiveErrors (4) > consecutiveErrorLimit (3)" in result.message
    assert {tick.weight for tick in ticks} == {0.0, 0.1}  # it never came further
    assert not (tmp_path / "rehearsal/trace.json").exists()
