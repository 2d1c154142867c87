"""Pull requests, of this repository and of a fork; new data; and what is live."""

from collections.abc import Callable

import pytest
from tests.workflows import scenarios
from tests.workflows.github import GitHub


@pytest.mark.parametrize(
    "scenario",
    [
        scenarios.reviewed,
        scenarios.strange,
        scenarios.worse,
        scenarios.loosened,
        scenarios.retrained,
        scenarios.watched,
    ],
    ids=lambda one: one.__name__,
)
def test_a_proposal(scenario: Callable[[GitHub], None], fork: GitHub) -> None:
    """Each scenario, as its own words say it."""
    scenario(fork)
