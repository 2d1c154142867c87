"""The ledger on Debian's PostgreSQL: the bodies that SQLite passes in tests/ledger, unchanged."""

from collections.abc import Callable

import pytest
from tests.ledger.bodies import *  # noqa: F403  # the tests


@pytest.fixture(scope="session")
def fresh(postgres: Callable[[], str]) -> Callable[[], str]:
    """Make a new database each time."""
    return postgres
