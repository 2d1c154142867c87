"""What was seen, of which a full run makes the page; and what only a full run plays."""

from collections.abc import Iterator

import pytest
from tests.cluster.chaos import FULL
from tests.cluster.chaos.report import Report, commit

collect_ignore = [] if FULL else ["test_c_proceeds.py"]


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """The page on reliability, written when all of it was seen."""
    made = Report(commit())
    yield made
    if FULL:
        made.write()
