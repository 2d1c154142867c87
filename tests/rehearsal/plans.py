"""Plans as manifests ask for them, and those manifests themselves."""

from collections.abc import Callable
from typing import Any

import yaml
from tests.conftest import ROOT

from slipway import manifests
from slipway.adapters import files
from slipway.manifests import tree
from slipway.manifests.environment import Environment
from slipway.rollout.analysis import Rules
from slipway.rollout.steps import Plan

STABLE, CANARY = f"sha256:{64 * 'a'}", f"sha256:{64 * 'b'}"
SUCCESS, FAILURE = "len(result) == 1 && result[0] == 1", "len(result) == 1 && result[0] < 0"
RULES = Rules(
    name="judge",
    interval=30,
    retry=10,
    count=5,
    success=SUCCESS,
    failure=FAILURE,
    failure_limit=0,
    success_limit=1,
    inconclusive_limit=5,
    error_limit=3,
)
PLAN = Plan(steps=(0.1, RULES, 0.5, RULES, 1.0), progress_deadline=300)

Change = Callable[[list[dict[str, Any]]], object]


def texts(name: str = "production", folder: str = "next") -> dict[str, str]:
    """The manifests of an environment, which run the canary's image."""
    following = files.read_texts(ROOT / "k8s" / folder / name, "*.yaml")
    return tree.with_image(following, f"ghcr.io/example/flights:1.1.0@{CANARY}", tree.NO_DIGEST)


def environment(name: str = "production") -> Environment:
    """Its objects."""
    found, problems = manifests.examine(tree.objects(texts(name)))
    assert found is not None, problems
    return found


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The object of a kind."""
    (found,) = (each for each in objects if each["kind"] == kind)
    return found


def changed(how: Change, name: str = "production") -> dict[str, str]:
    """The manifests, with one thing changed."""
    objects = tree.objects(texts(name))
    how(objects)
    return {f"{number}.yaml": yaml.safe_dump(each) for number, each in enumerate(objects)}
