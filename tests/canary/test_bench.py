"""The benchmark of the judge says what its exit code says, sees only the past, and notices when it is wrong itself."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "bench"))

from judging import ours, scenes  # bench/ is no package
from judging.baselines import p95


def bench(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the benchmark of a folder, a hundred times a scene."""
    command = [sys.executable, str(folder / "judge.py"), "--json", "--runs", "100", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_meets_its_targets_and_the_rules_of_others_give_what_they_gave() -> None:
    """Identical arms and +2 points of errors: all targets are met, every figure is within its error, exit 0."""
    done = bench(ROOT / "bench", "--only", "identical arms", "errors +2")
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert {target["scene"] for target in said["targets"]} >= {scenes.SAME, scenes.ERRORS}
    assert all(target["met"] for target in said["targets"])
    assert len(said["figures"]) > 40
    assert all(figure["within"] for figure in said["figures"])
    assert said["scenes"][scenes.SAME]["naive, accuracy -5 points"]["aborted"] > 0.3


@pytest.mark.parametrize(
    ("name", "fault", "scene", "code"),
    [
        ("baselines.py", ("stable.requests) > 0.05", "stable.requests) > 0.10"), scenes.LATENCY, 2),
        ("ours.py", ("-math.log(policy.alpha)", "math.log(policy.alpha)"), scenes.SESSIONS, 1),
    ],
    ids=["a rule of others that is not theirs", "a judge that aborts without evidence"],
)
def test_a_planted_fault_shows_in_the_exit_code(
    tmp_path: Path, name: str, fault: tuple[str, str], scene: str, code: int
) -> None:
    """Exit 2 when a baseline does not give its figures, whatever the targets; 1 when a target is missed."""
    shutil.copytree(ROOT / "bench", tmp_path / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    text = (tmp_path / "bench/judging" / name).read_text()
    assert text.count(fault[0]) == 1
    (tmp_path / "bench/judging" / name).write_text(text.replace(*fault))
    done = bench(tmp_path / "bench", "--only", scene)
    assert done.returncode == code, done.stderr


def test_a_step_ends_by_what_was_seen_before_it() -> None:
    """Whatever the canary does at the next weight, all that ends in the first step ends alike."""

    def endings(later: float) -> tuple[Any, Any]:
        rng, worse = np.random.default_rng(1), scenes.World(canary=scenes.Rates(errors=later))

        def draw(weight: float) -> ours.Counted:
            world = scenes.SIDE_BY_SIDE[scenes.ERRORS] if weight == ours.WEIGHTS[0] else worse
            return ours.counted(world.sample(rng, 60, weight))

        judged = ours.judge(draw, weights=ours.WEIGHTS, times=ours.TIMES)
        opened = ours.shown(
            ours.counted(scenes.SIDE_BY_SIDE[scenes.ERRORS].sample(np.random.default_rng(1), 60, ours.WEIGHTS[0])),
            factor=ours.TIMES[0],
        )
        first = judged.seconds <= (np.minimum(opened, 1000) + 1) * ours.POLICY.grid
        return first, np.where(first, judged.seconds * judged.outcome, 0)

    (early, good), (as_early, bad) = endings(0.0), endings(1.0)
    assert 10 < early.sum() < 60
    assert (early == as_early).all()
    assert (good == bad).all()


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0, 100, 0, 0, 0, 0, 0, 0, 0), 50 + 25 * 0.95),
        ((90, 0, 0, 0, 0, 0, 10, 0, 0, 0), 150 + 50 * 0.5),
        ((90, 0, 0, 0, 0, 0, 0, 0, 0, 10), 500.0),
    ],
)
def test_p95_is_read_as_prometheus_reads_it(counts: tuple[int, ...], expected: float) -> None:
    """Linear inside a bucket, and the last finite edge where it lies beyond."""
    assert p95(np.array([counts]))[0] == pytest.approx(expected)
