"""What Argo CD applies, judged before it does: pure functions over the text of rendered manifests.

tree         a folder of manifests as text, and the one image in it
kinds        which fields may stand in an object, as types
environment  the objects of one environment, each in its place
wiring       do the names resolve
safety       values that depend on one another
delivery     do project, applications and notifications fit the environments
"""

from collections.abc import Iterable

from slipway.manifests import environment, safety, wiring
from slipway.manifests.environment import Environment


def check(objects: Iterable[object]) -> list[str]:
    """Say what is wrong with the objects of one environment, as read from YAML; nothing if they may run."""
    return examine(objects)[1]


def examine(objects: Iterable[object]) -> tuple[Environment | None, list[str]]:
    """Type the objects of one environment, and say what is wrong with them.

    A wrong field hides what depends on it: the rules are asked once every object is typed and all are there, else there
    is no environment.
    """
    fine, problems = environment.typed(objects)
    problems += [] if problems else environment.miscounted(fine)
    if problems:
        return None, problems
    env = environment.assemble(fine)
    return env, [problem for rule in (*wiring.RULES, *safety.RULES) for problem in rule(env)]
