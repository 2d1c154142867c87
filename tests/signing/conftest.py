"""Two loopback Sigstores for the session: one whose clients log with Rekor v2, as will be, one with v1, as is."""

from collections.abc import Iterator

import pytest
from tests.signing.instance import Instance, started


@pytest.fixture(scope="session")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Clients log with Rekor v2 and ask a time stamp authority."""
    with started(tmp_path_factory.mktemp("loopback") / "instance") as instance:
        yield instance


@pytest.fixture(scope="session")
def loopback_v1(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Clients log with Rekor v1, whose entry holds the time."""
    with started(tmp_path_factory.mktemp("loopback_v1") / "instance", "--rekor", "1") as instance:
        yield instance
