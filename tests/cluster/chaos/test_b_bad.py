"""A bad canary goes in, and what could hide its abort happens at the worst moment."""

from operator import attrgetter

import pytest
from tests.cluster.chaos.faults import THREATS, Threat
from tests.cluster.chaos.report import Report
from tests.cluster.machine.kubernetes import wait
from tests.cluster.scenarios.playing import Stage


@pytest.mark.parametrize("threat", THREATS, ids=attrgetter("name"))
def test_a_bad_canary_is_aborted(stage: Stage, report: Report, threat: Threat) -> None:
    """It is never promoted, Git takes it back by the judge's verdict, and all is stable again."""
    version, began, back = threat.play(stage)
    found = stage.end(version, began, whole=threat.whole)
    wait(back, f"what was broken ({threat.name})", stage.cluster.box.place)
    print(f"{threat.name}: {found.told()}", flush=True)
    assert (found.kind, found.cause) == ("reverted", "verdict")
    assert 100 not in found.weights
    assert stage.now.weight == 0
    assert found.seconds["verdict -> weight 0"] <= threat.zero
    assert found.seconds["abort -> revert in Git"] <= threat.revert
    stage.agree()
    report.ends(threat, found)
