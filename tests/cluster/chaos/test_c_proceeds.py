"""After all that: a good canary is promoted as ever."""

from tests.cluster.chaos.report import Report
from tests.cluster.scenarios.playing import Stage


def test_a_good_canary_is_promoted(stage: Stage, report: Report) -> None:
    """By the judge's verdict, step by step, and no request fails."""
    version, began = stage.release()
    found = stage.end(version, began)
    print(found.told(), flush=True)
    assert (found.kind, found.cause) == ("promoted", "verdict"), found.told()
    assert found.weights == [10, 30, 60, 100]
    assert found.clients.failed == 0
    stage.agree()
    report.proceeded = f"A good canary after all that was promoted by verdict in {found.seconds['in all']:.0f} s."
