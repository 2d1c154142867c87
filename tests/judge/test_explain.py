"""`slipway judge explain` asks a running judge."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.judge import worlds
from typer.testing import CliRunner

from slipway import records
from slipway.__main__ import app
from slipway.adapters.rehearsal import Rehearsal
from slipway.canary.records import Trace
from slipway.errors import Broken
from slipway.services.judge import Judge

Serve = Callable[[Judge], str]


@pytest.fixture
def address(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> str:
    """A judge of a canary with five points more errors, which began a quarter of an hour ago."""
    monkeypatch.setattr(worlds, "START", time.time() - 915)
    source = Rehearsal(worlds.rehearse(tmp_path / "bad", bad=0.06))
    return serve(Judge(worlds.POLICY, source, source, None))


def explain(address: str, *options: str) -> str:
    """What the command prints; its errors are raised."""
    command = ["judge", "explain", "--judge", address, "--namespace", "shop", *options]
    return CliRunner().invoke(app, command, catch_exceptions=False).stdout


def test_the_trace_of_a_running_judge_is_drawn(address: str) -> None:
    """What it prints is the verdict of now, and with `--json` the trace that it was drawn from."""
    told = explain(address)
    assert "ABORT after" in told
    assert "shop/flights: canary bbb against stable aaa, attempt 1" in told.replace("\n", " ")
    trace = records.loads(Trace, explain(address, "--json"), "the command")
    assert (trace.verdict.verdict, trace.verdict.blame) == ("abort", "errors")


def test_an_unknown_rollout_is_no_verdict(address: str) -> None:
    """A judge that knows no such rollout says so, and the command is broken, with its words."""
    with pytest.raises(Broken, match=r"404.*is not rehearsed here"):
        explain(address, "--rollout", "trains")
