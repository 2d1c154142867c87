"""Kill a verb from outside at the moment that something outside of it sees, and say what the world holds then."""

import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from tests.outcomes.webhook import Webhook
from tests.outcomes.world import World, copy
from tests.samples import package

SECONDS = 120
HOOK = """#!/bin/sh
while read line; do
  case "$line" in *{reference}*)
    if [ -e {hold} ]; then touch {hold}.reached; while [ -e {hold} ]; do sleep 0.05; done; fi ;;
  esac
done
"""
MOMENTS: Mapping[str, tuple[str, str]] = {  # what sees it: a hook, and the reference that it looks at
    "committed": ("clone/.git/hooks/pre-push", "refs/heads/main"),
    "pushed": ("origin.git/hooks/post-receive", "refs/heads/main"),
    "told": ("origin.git/hooks/pre-receive", "refs/slipway"),
    "marked": ("origin.git/hooks/post-receive", "refs/slipway"),
}
MIRRORED = "mirrored"  # seen by the receiver of the notification, which is not answered


@dataclass(frozen=True)
class Verb:
    """A command, and the world in which it has something to do."""

    prepare: Callable[[World], object]
    command: tuple[str, ...]


def _two(world: World, environment: str) -> None:
    world.release("1.0.0", environment)
    world.promote("1.0.0", environment)
    world.release("1.3.0", environment)


def _three(world: World, environment: str) -> None:
    _two(world, environment)
    world.promote("1.3.0", environment)


def verbs(environment: str) -> dict[str, Verb]:
    """Each verb with something to do in an environment."""
    there = ("-e", environment)
    image = package("1.3.0").image_digest
    return {
        "promote": Verb(lambda world: _two(world, environment), ("promote", "1.3.0", *there)),
        "revert": Verb(
            lambda world: _two(world, environment), ("revert", "--digest", image, "--cause", "verdict", *there)
        ),
        "rollback": Verb(lambda world: _three(world, environment), ("rollback", "--to", "1.0.0", "--why", "!", *there)),
    }


def kill(world: World, webhook: Webhook, command: tuple[str, ...], moment: str, *, orphan: bool = False) -> None:
    """Run a verb until a moment, and kill it there, by default with all that it has started."""
    hold = world.folder / "hold"
    if moment == MIRRORED:
        webhook.answer.clear()
    else:
        path, reference = MOMENTS[moment]
        hook = world.folder / path
        hook.write_text(HOOK.format(reference=reference, hold=hold))
        hook.chmod(0o755)
        hold.touch()
    process = subprocess.Popen(
        ("slipway", *command),
        cwd=world.clone,
        env=world.environment(SLIPWAY_NOTIFY=webhook.url),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    reached = webhook.heard.is_set if moment == MIRRORED else hold.with_name("hold.reached").exists
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert process.poll() is None, f"it ended before it was {moment}"
        assert time.monotonic() < deadline, f"it was never {moment}"
        time.sleep(0.01)
    if orphan:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    webhook.answer.set()
    hold.unlink(missing_ok=True)


def facts(world: World) -> dict[str, Any]:
    """All that the world holds, without the times and names that differ from run to run."""
    state = world.state()
    subjects = world.git("log", "--format=%s", "main").splitlines()
    references = [line.split()[2] for line in world.git("for-each-ref").splitlines()]
    with sqlite3.connect(world.folder / "mlflow.db") as registry:
        aliases = registry.execute("SELECT alias, version FROM registered_model_aliases ORDER BY 1").fetchall()
        tags = registry.execute("SELECT version, key, value FROM model_version_tags ORDER BY 1, 2").fetchall()
    return {
        "manifests": {environment: world.manifests(environment) for environment in ("staging", "production")},
        "stable": state.stable.environments,
        "events": {
            version: [_timeless(event) for event in release.events] for version, release in state.releases.items()
        },
        "quarantine": [_timeless(event) for event in state.quarantine.events],
        "commits": subjects,
        "references": sorted(re.sub("[0-9a-f]{40}", "<commit>", name) for name in references),
        "aliases": aliases,
        "tags": tags,
        "left": sorted(path.name for path in (world.clone / ".git/slipway").iterdir()),
    }


def _timeless(event: msgspec.Struct) -> dict[str, Any]:
    return {key: value for key, value in msgspec.to_builtins(event).items() if key not in {"at", "commit"}}


def undisturbed(make_world: Callable[[], World], webhook: Webhook, verb: Verb) -> tuple[World, dict[str, Any]]:
    """A world in which a verb has something to do, and the facts once it has; made once per verb."""
    if verb.command not in _KNOWN:
        prepared, played = make_world(), make_world()
        verb.prepare(prepared)
        copy(prepared, played.folder)
        played.ok(*verb.command, SLIPWAY_NOTIFY=webhook.url)
        _KNOWN[verb.command] = prepared, facts(played)
        webhook.received.clear()
        webhook.heard.clear()
    return _KNOWN[verb.command]


_KNOWN: dict[tuple[str, ...], tuple[World, dict[str, Any]]] = {}


def same_end(make_world: Callable[[], World], webhook: Webhook, verb: Verb, moment: str) -> None:
    """See that killed at a moment and repeated, a verb ends as undisturbed, and tells at least once, by one key."""
    prepared, expected = undisturbed(make_world, webhook, verb)
    world = copy(prepared, prepared.folder.with_name(f"{prepared.folder.name}-{moment}"))

    kill(world, webhook, verb.command, moment)
    world.ok(*verb.command, SLIPWAY_NOTIFY=webhook.url)

    assert facts(world) == expected
    assert set(webhook.keys) == {world.head()}
    assert len(webhook.keys) == (2 if moment in {MIRRORED, "told"} else 1)
