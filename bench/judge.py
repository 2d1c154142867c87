"""Whether the judge is right: canaries in many worlds, judged by ours and by the rules of others on the same counts.

Exit 0: every target is met; 1: one is missed; 2: the rules of others do not give what they are known to give, so the
bench itself is wrong. The targets mean 2,000 runs, a few minutes on two cores. One seed gives one result, on any number
of cores. With `--only` or `--json` nothing is written into docs/benchmarks.md.
"""

import argparse
import json
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from judging import flights, full, printed, report, targets
from judging.endings import Endings, join
from judging.scenes import OURS, RATIOS, SCENES
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

PROCESSES = 2
CHUNK = 250  # runs at once; part of what a seed means, and of how much memory a process takes
FINE = 10  # times the runs, where a mean is compared with a bound
DEAR = dict.fromkeys(flights.PAIRS, (50, 300)) | dict.fromkeys(full.SCENES, (5, 100))  # at once, and at most


@dataclass(frozen=True)
class Task:
    """Some runs of a scene; each has its own seed, so that the order of tasks means nothing."""

    scene: str
    number: int
    runs: int
    seed: int
    june: flights.June | None

    def play(self) -> Mapping[str, Endings]:
        """Play them."""
        rng = np.random.default_rng([self.seed, zlib.crc32(self.scene.encode()), self.number])
        if self.june is not None:
            return {OURS: flights.replay(self.scene, self.june, rng, self.runs)}
        return (SCENES | full.SCENES)[self.scene](rng, self.runs)


def main(argv: list[str] | None = None) -> int:
    """Play, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="of each scene")
    parser.add_argument("--seed", type=int, default=2013)
    parser.add_argument("--json", action="store_true", help="print everything for a program")
    parser.add_argument("--only", nargs="+", metavar="SCENE", default=[""], help="scenes whose name begins so")
    args = parser.parse_args(argv)
    names = [name for name in (*SCENES, *flights.PAIRS, *full.SCENES) if name.startswith(tuple(args.only))]
    if not names or args.runs < 1:
        parser.error("no scene to play: give a part of its name, and at least one run")

    results = played(names, args.runs, args.seed)
    figures, asked = list(printed.figures(results)), list(targets.targets(results))
    if args.json:
        print(json.dumps(report.as_json(results, figures, asked, args.runs, args.seed), indent=2))
    else:
        table = report.markdown(results, figures, asked, args.runs, args.seed)
        if args.only == [""]:
            from fresh import publish

            publish("judge", table)
        else:
            print(table)
    if not all(figure.within for figure in figures):
        print("The rules of others do not give what they are known to give: mend the bench first.", file=sys.stderr)
        return 2
    return 0 if all(target.met for target in asked) else 1


def played(names: Sequence[str], runs: int, seed: int) -> dict[str, dict[str, Endings]]:
    """Play scenes on two cores."""
    console = Console(stderr=True)
    june = None
    if set(names) & set(flights.PAIRS):
        with console.status("training the champion, the challenger and the leak"):
            june = flights.scored()
    todo = [task for name in names for task in tasks(name, runs, seed, june)]
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    parts: dict[str, list[Mapping[str, Endings]]] = {name: [] for name in names}
    with (
        ProcessPoolExecutor(min(PROCESSES, len(todo)), mp_context=get_context("spawn")) as pool,
        Progress(*columns, console=console, transient=True) as progress,
    ):
        done = zip(todo, pool.map(Task.play, todo), strict=True)
        for task, part in progress.track(done, total=len(todo), description="judging"):
            parts[task.scene].append(part)
    return {
        name: {judge: join([part[judge] for part in chunks]) for judge in chunks[0]} for name, chunks in parts.items()
    }


def tasks(name: str, runs: int, seed: int, june: flights.June | None) -> Iterator[Task]:
    """Cut the runs of a scene into chunks."""
    chunk, most = DEAR.get(name, (CHUNK, sys.maxsize))
    total = min(runs * FINE if name in RATIOS else runs, most)
    for number, start in enumerate(range(0, total, chunk)):
        yield Task(name, number, min(chunk, total - start), seed, june if name in flights.PAIRS else None)


if __name__ == "__main__":
    sys.exit(main())
