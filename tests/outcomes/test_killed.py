"""A verb is killed from outside after each of its effects; the repetition ends as if nothing had happened."""

from collections.abc import Callable

import pytest
from tests.outcomes.killing import MIRRORED, MOMENTS, facts, kill, same_end, verbs
from tests.outcomes.webhook import Webhook
from tests.outcomes.world import World


@pytest.mark.parametrize("moment", [*MOMENTS, MIRRORED])
def test_killed_after_an_effect_and_repeated(make_world: Callable[[], World], webhook: Webhook, moment: str) -> None:
    """Committed, pushed, mirrored (there is nothing to mirror in staging), told, marked: the same end."""
    same_end(make_world, webhook, verbs("staging")["promote"], moment)


def test_killed_after_the_registry_and_repeated(make_world: Callable[[], World], webhook: Webhook) -> None:
    """An abort in production: the alias is gone, the version tagged, and nobody told yet."""
    same_end(make_world, webhook, verbs("production")["revert"], MIRRORED)


def test_a_push_that_outlives_its_verb_is_not_doubled(world: World, webhook: Webhook) -> None:
    """Only the verb is killed; its git pushes on while the repetition is on its way."""
    verb = verbs("staging")["rollback"]
    verb.prepare(world)
    before = world.git("rev-list", "--count", "main")
    kill(world, webhook, verb.command, "committed", orphan=True)
    world.ok(*verb.command, SLIPWAY_NOTIFY=webhook.url)

    assert int(world.git("rev-list", "--count", "main")) == int(before) + 1
    assert facts(world)["left"] == ["lock"]
    assert len(webhook.keys) == 1
