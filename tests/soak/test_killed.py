"""Every verb, killed after every effect, in both environments."""

from collections.abc import Callable

import pytest
from tests.outcomes.conftest import make_world, no_proxy, registry, untouched, webhook  # noqa: F401  # fixtures
from tests.outcomes.killing import MIRRORED, MOMENTS, same_end, verbs
from tests.outcomes.webhook import Webhook
from tests.outcomes.world import World


@pytest.mark.parametrize("moment", [*MOMENTS, MIRRORED])
@pytest.mark.parametrize("verb", ["promote", "revert", "rollback"])
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_killed_after_an_effect_and_repeated(
    make_world: Callable[[], World],  # noqa: F811
    webhook: Webhook,  # noqa: F811
    environment: str,
    verb: str,
    moment: str,
) -> None:
    """The same end as undisturbed."""
    same_end(make_world, webhook, verbs(environment)[verb], moment)
