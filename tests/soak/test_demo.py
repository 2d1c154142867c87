"""The whole demo, with other seeds: the same story. And it is ended in the middle of a canary: nothing is left."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT

from demo.playing import interrupt

N = int(os.environ.get("SLIPWAY_SOAK_N", "2"))
SEEDS = (2013, 1, 2)[:N]
STORY = [
    ("1.0.0", "promoted", "person", None),
    ("1.1.0", "promoted", "verdict", None),
    ("1.2.0", "reverted", "verdict", "truth"),
    ("1.3.0", "promoted", "verdict", None),
    ("1.0.0", "restored", "person", None),
]


def slipway(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a verb with the code of a clone."""
    code = {"PYTHONPATH": str(root / "src"), "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'build/demo/mlflow.db'}"}
    trust = root / "build/demo/sigstore/trust.json"
    code |= {"SLIPWAY_LOOPBACK_TRUST": str(trust)} if trust.exists() else {}
    command = [sys.executable, "-m", "slipway", *arguments]
    return subprocess.run(command, cwd=root, env=os.environ | code, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone")], check=True)
    return tmp_path / "clone"


@pytest.mark.parametrize("seed", SEEDS)
def test_each_seed_tells_the_same_story(seed: int, clone: Path) -> None:
    """The seed decides which flights are asked about, in which order, and which arm answers; not how it ends."""
    done = slipway(clone, "demo", "--seed", str(seed), "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    scenes = result["scenes"]
    first, better, leak, twin, back = scenes

    assert [(one["release"], one["verdict"], one["cause"], one["blame"]) for one in scenes] == STORY
    assert (result["version"], result["champion_digest"]) == ("1.0.0", first["model_digest"])
    assert twin["model_digest"] == better["model_digest"]
    assert twin["image"] != better["image"]
    assert all(one["requests"]["canary"] > 0 and one["seconds"] > 0 for one in (better, leak, twin, back))
    assert result["refused"]["release"] == leak["release"]
    assert result["refused"]["data_digest"] != leak["data_digest"]
    assert len({one["git_head"] for one in scenes}) == len(scenes)

    assert slipway(clone, "demo", "--check").returncode == 0
    if seed == SEEDS[0]:
        made = slipway(clone, "rebuild", better["release"], "--root", "build/demo/clone", "--json")
        assert made.returncode == 0, made.stdout + made.stderr
    status = slipway(clone, "status", "--root", "build/demo/clone", "--rehearsal", "build/demo/clone/build/rehearsal")
    assert status.returncode == 0, status.stdout + status.stderr


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT)[:N])  # both end a stage, in tests/demo
def test_a_demo_that_is_ended_in_a_canary_leaves_nothing(number: signal.Signals, clone: Path) -> None:
    """Two services, their shippers, a judge, the traffic, a relay: all of them end with it."""

    def under_way(demo: Path) -> bool:
        ticks = demo / "clone/build/rehearsal/production/ticks.jsonl"
        return ticks.exists() and ticks.stat().st_size > 0

    assert interrupt(clone, number, under_way, "--short") == []
