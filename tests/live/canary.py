"""A canary on this machine, from the manifests of production: two bundles, the engine of `slipway rehearse`."""

import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.conftest import ROOT

from slipway import manifests
from slipway.adapters import files
from slipway.adapters.traffic import Flight
from slipway.commands import deciding
from slipway.commands.rehearse_engine import rehearse
from slipway.commands.rehearse_play import Play, Side
from slipway.manifests import tree
from slipway.rollout.records import Rehearsed, Tick

SPEED = 10.0
ASKED = {"bake": "0s", "maturity": "20s", "cycle": "0s", "deadline": "40m"}  # of the judge, before the speed
BETWEEN = 4.0  # seconds from one kill of the judge to the next


@dataclass(frozen=True)
class Played:
    """How a canary ended, what was seen on the way, and how often the judge was killed."""

    result: Rehearsed
    ticks: Sequence[Tick]
    killed: int
    folder: Path

    @property
    def weights(self) -> list[float]:
        """What the canary got, in order."""
        return list(dict.fromkeys(tick.weight for tick in self.ticks))

    def read(self, name: str) -> dict[str, object]:
        """Read a file that the rehearsal has written."""
        return dict(json.loads((self.folder / name).read_text()))


def play(
    folder: Path, stable: Path, canary: Path, rows: list[Flight], ledger: str, *, interruptions: int = 0
) -> Played:
    """Rehearse a canary to its end; once the steps have begun, the judge is killed `interruptions` times."""
    found, problems = manifests.examine(tree.objects(files.read_texts(ROOT / "k8s/next/production", "*.yaml")))
    assert found is not None, problems
    ticks, killed = list[Tick](), list[int]()

    def kill() -> None:
        for _ in range(interruptions):
            while not (ticks and ticks[-1].step):
                time.sleep(0.1)
            time.sleep(BETWEEN)
            killed.append(_kill_judge(folder))

    killing = threading.Thread(target=kill, daemon=True)
    killing.start()
    result = rehearse(
        Play(
            name="production",
            environment=found,
            settings=deciding.read(ROOT / deciding.SETTINGS),
            stable=Side("1.0.0", f"sha256:{64 * 'a'}", stable),
            canary=Side("1.1.0", f"sha256:{64 * 'b'}", canary),
            rows=rows,
            folder=folder,
            speed=SPEED,
            overrides=ASKED,
            ledger=ledger,
        ),
        ticks.append,
    )
    return Played(result, ticks, sum(killed), folder)


def _kill_judge(folder: Path) -> int:
    """Kill the judge of this folder from outside; how many that were."""
    found = 0
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "judge" in words and str(folder) in words:
            with suppress(psutil.NoSuchProcess):
                process.kill()
                found += 1
    return found
