"""Each `run` line is needed: with `true` in its place its scenario is red. Three here, all of them in `make soak`."""

import os
from collections.abc import Callable, Iterator

import pytest
from tests.workflows import conftest, scenarios
from tests.workflows.github import GitHub
from tests.workflows.running import parse
from tests.workflows.test_static import WORKFLOWS

Scenario = Callable[[GitHub], None]
OWNERS: dict[str, Scenario] = {  # of a workflow, or of one of its jobs
    "comment.yml": scenarios.worse,
    "monitor.yml": scenarios.unwell,
    "outcome.yml": scenarios.delivered,
    "release.yml": scenarios.staged,
    "retrain.yml": scenarios.retrained,
    "train.yml": scenarios.reviewed,
    "train.yml: train": scenarios.strange,
}
STAGED = ("monitor.yml", "outcome.yml")  # where their scenarios begin
FORK = 'git fetch --quiet origin "$HEAD_SHA"'  # a fork's commit is on no branch
FIRST = "slipway gate --first"  # of the first release, which the others start from
CHOSEN = (
    ("release.yml", "train", "dvc repro"),
    ("release.yml", "build", "slipway sign"),
    ("outcome.yml", "outcome", "slipway outcome"),
)


def lines() -> Iterator[tuple[str, str, str]]:
    """Each line of each workflow that is played: workflow, job, line."""
    for name, text in WORKFLOWS.items():
        for job, about in parse(text)["jobs"].items():
            yield from ((name, job, step["run"]) for step in about["steps"] if "run" in step and name in OWNERS)


LINES = list(lines()) if os.environ.get("SLIPWAY_MUTATIONS") == "all" else CHOSEN


@pytest.mark.parametrize(("workflow", "job", "line"), [one for one in LINES if one[2] != FIRST])
def test_a_line_is_needed(workflow: str, job: str, line: str, request: pytest.FixtureRequest) -> None:
    """Its scenario fails without it."""
    fork: GitHub = request.getfixturevalue("staged" if workflow in STAGED else "fork")
    fork.replaced = (workflow, job, line)
    owner = scenarios.strange if line == FORK else OWNERS.get(f"{workflow}: {job}", OWNERS[workflow])
    with pytest.raises(AssertionError):
        owner(fork)


def test_the_first_gate_is_needed(fresh: GitHub) -> None:
    """Without it nothing is released."""
    fresh.replaced = ("release.yml", "build", FIRST)
    with pytest.raises(AssertionError):
        conftest.first_release(fresh)
