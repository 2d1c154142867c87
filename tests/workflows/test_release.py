"""From a merge to staging and to production, and back."""

from collections.abc import Callable

import pytest
from tests.workflows import scenarios
from tests.workflows.github import GitHub

FIRST = [
    "Promote 1.0.0 in production",
    "Release 1.0.0 to production",
    "Promote 1.0.0 in staging",
    "Release 1.0.0 to staging",
    scenarios.RECORDED,
]


def test_the_first_release_reaches_production(released: GitHub, founded: GitHub) -> None:
    """Trained, recorded, signed, attested, released to staging; promoted there, carried, and promoted again."""
    assert scenarios.subjects(released, founded.git("rev-parse", "main")) == FIRST
    runs = [(run.workflow, run.event, run.outcome) for run in released.runs]
    assert runs[:3] == [
        ("release.yml", "workflow_dispatch", "success"),  # it recorded, and released nothing
        ("release.yml", "push", "failure"),  # there is no champion, and nobody said that it is the first
        ("release.yml", "workflow_dispatch", "success"),
    ]
    assert runs[3:] == 3 * [("outcome.yml", "workflow_dispatch", "success")]


@pytest.mark.parametrize("scenario", [scenarios.raced, scenarios.run_again], ids=lambda one: one.__name__)
def test_a_change(scenario: Callable[[GitHub], None], fork: GitHub) -> None:
    """Each scenario, as its own words say it."""
    scenario(fork)


@pytest.mark.parametrize(
    "scenario",
    [
        scenarios.delivered,
        scenarios.asked,
        scenarios.aborted,
        scenarios.not_retrained,
        scenarios.believed,
        scenarios.unwell,
    ],
    ids=lambda one: one.__name__,
)
def test_an_outcome(scenario: Callable[[GitHub], None], staged: GitHub) -> None:
    """Each scenario, as its own words say it."""
    scenario(staged)
