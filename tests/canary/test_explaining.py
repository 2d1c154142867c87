"""What a picture of a verdict says: from traces that the judge itself has made."""

import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from canary.worlds import POLICY, T0, World, changed, rollout
from slipway import records
from slipway.__main__ import app
from slipway.adapters import chart
from slipway.canary import decision, explaining
from slipway.canary.records import Gap, Metric, Policy, Timing, Trace
from slipway.canary.units import duration
from slipway.commands.judge_explain import terminal
from slipway.errors import Broken

ALIKE = {"errors": (0.01, 0.01), "latency": (0.033, 0.033), "truth": (0.2, 0.2)}
LAST = Policy(metrics={**POLICY.metrics, "truth": Metric(margin=0.03, base=0.2, required_from=3)})


@pytest.fixture(scope="module")
def promoted() -> Trace:
    """Both arms alike, through three steps; truth is asked for at the last."""
    weights = np.repeat([0.1, 0.3, 0.6], [20, 20, 60])
    world = World.drawn(3, 100, ALIKE, weights=weights)
    canary = rollout(200, 400, weights=(0.1, 0.3, 0.6))
    return decision.trace(canary, world.observed(), LAST, Timing(deadline=1e5), T0 + 905)


@pytest.fixture(scope="module")
def aborted() -> Trace:
    """A canary whose truth is worse by six points and comes five minutes late."""
    world = World.drawn(3, 200, ALIKE | {"truth": (0.2, 0.26)})
    return decision.trace(rollout(), world.observed(), POLICY, Timing(deadline=1e5, maturity=300), T0 + 1005)


@pytest.fixture(scope="module")
def undecided() -> Trace:
    """So little traffic that the deadline comes first, and a Prometheus that did not answer."""
    world = World.drawn(3, 360, ALIKE, rps=0.5)
    seen = world.observed(gaps=(Gap(part="requests", detail="Prometheus did not answer"),))
    return decision.trace(rollout(), seen, POLICY, Timing(deadline=3600), T0 + 3600)


def drawn(trace: Trace, width: int) -> list[str]:
    """The terminal's picture, line by line."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(width=width, file=nowhere, record=True)
        console.print(terminal(explaining.picture(trace), width))
    return console.export_text().splitlines()


def test_a_promotion(promoted: Trace) -> None:
    """Each step's boundary is reached upwards before the step ends, as the evidence of the verdict says."""
    picture = explaining.picture(promoted)
    assert (picture.headline, picture.tone) == ("PROMOTE after 15 min 5 s", "harmless")
    assert [span.label for span in picture.weights] == ["10%", "30%", "60%"]
    verdict, *metrics = picture.lanes
    assert verdict.name == "verdict"
    assert [lane.name for lane in metrics] == ["errors", "latency", "truth"]
    assert [lane.asked_from for lane in metrics] == [0, 0, 400]
    asked = promoted.verdict.metrics[0].promote[0].needed
    at_the_end = promoted.metrics[0].promote[0][promoted.metrics[0].times.index(T0 + 200)]
    assert dict(metrics[0].harmless)[200] == min(at_the_end / asked, explaining.TOP)  # still asked at the first margin
    first = next(time for time, share in verdict.harmless if share >= 1)
    reached = [metric.promote[0].reached_at for metric in promoted.verdict.metrics[:2]]
    assert first == max(at - T0 for at in reached if at is not None)
    assert max(share for _, share in verdict.worse) < 1


def test_what_is_reached_stays_reached(promoted: Trace) -> None:
    """A metric may fall below its boundary again: the verdict's lane stays above it until the next step begins."""
    metrics = tuple(
        replace_evidence(metric, [5.0, -9.0, -9.0] if metric.name == "errors" else [5.0, 5.0, 5.0])
        for metric in promoted.metrics
    )
    verdict = explaining.picture(
        changed(promoted, metrics=metrics, times=metrics[0].times, abort=promoted.abort[:3])
    ).lanes[0]
    assert [share >= 1 for _, share in verdict.harmless] == [True, True, True]


def replace_evidence(metric: Any, evidence: list[float]) -> Any:
    """A metric of three strata in the first step with this evidence at each margin."""
    return changed(
        metric,
        times=(T0 + 10, T0 + 20, T0 + 30),
        stable=metric.stable[:3],
        canary=metric.canary[:3],
        abort=metric.abort[:3],
        promote=(tuple(evidence),) * len(metric.promote),
    )


def test_an_abort(aborted: Trace) -> None:
    """The moment is the one at which the boundary was reached, not the look; the metric to blame is named."""
    picture = explaining.picture(aborted)
    assert aborted.verdict.aborted_at is not None
    assert picture.decided == aborted.verdict.aborted_at - T0
    assert picture.headline == f"ABORT after {duration(picture.decided)}: truth"
    assert picture.tone == "worse"
    assert next(time for time, share in picture.lanes[0].worse if share >= 1) == picture.decided
    assert [span.label for span in picture.held] == ["sample-ratio", "maturity"]
    row = next(row for row in picture.rows if row.name == "truth")
    assert (row.worse, row.margin) == ("100%", "3 pt")
    assert row.difference.startswith("+6.0")


def test_doubt(undecided: Trace) -> None:
    """What held the promotion up is said and drawn; that evidence is missing the lanes show."""
    picture = explaining.picture(undecided)
    assert (picture.headline, picture.tone) == ("CANNOT TELL after 1 h", "open")
    assert any("Prometheus did not answer" in sentence for sentence in picture.sentences)
    assert {"samples", "evidence"} & {span.label for span in picture.held} == {"samples"}


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_terminal(promoted: Trace, aborted: Trace, width: int) -> None:
    """No line is wider than the terminal; a full bar stands where the boundary is reached, and nowhere else."""
    for trace, direction, other in ((promoted, "harmless", "worse"), (aborted, "worse", "harmless")):
        lines = drawn(trace, width)
        assert max(map(len, lines)) <= width
        start = next(number for number, line in enumerate(lines) if line.startswith("verdict"))
        lane = lines[start - 2 : start + 4]
        assert "100% reached" in next(line for line in lane if direction in line)
        assert "█" not in next(line for line in lane if other in line)


def test_the_picture_is_the_same_twice(tmp_path: Path, promoted: Trace, aborted: Trace, undecided: Trace) -> None:
    """One trace, one picture, to the byte; another trace, another picture."""
    pictures = []
    for number, trace in enumerate((promoted, aborted, undecided, aborted)):
        chart.write(explaining.picture(trace), tmp_path / f"{number}.png")
        pictures.append((tmp_path / f"{number}.png").read_bytes())
    assert pictures[1] == pictures[3]
    assert len(set(pictures)) == 3
    assert pictures[0].startswith(b"\x89PNG")


def test_a_saved_trace_is_drawn_again(tmp_path: Path, aborted: Trace) -> None:
    """`--json` prints a trace that `explain` reads, and gives again unchanged."""
    saved = tmp_path / "trace.json"
    saved.write_text(records.dumps(aborted))
    again = CliRunner().invoke(app, ["judge", "explain", str(saved), "--json", "--png", str(tmp_path / "trace.png")])
    assert again.stdout == saved.read_text()
    assert (tmp_path / "trace.png").exists()
    told = CliRunner().invoke(app, ["judge", "explain", str(saved)])
    assert "ABORT after" in told.stdout


def test_a_judge_that_is_not_there() -> None:
    """Where nothing listens, no answer could be reached, and it says what it tried."""
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = CliRunner().invoke(app, ["judge", "explain", "--judge", url])
    assert isinstance(done.exception, Broken)
    assert f"no judge answers at {url}/trace" in str(done.exception)
