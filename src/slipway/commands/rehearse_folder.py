"""What a rehearsal writes while it plays: for the judge, for the relay, and for people."""

import fcntl
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from slipway.adapters import files
from slipway.adapters.rehearsal import FACTS, SAMPLES, Known, Rehearsal, Sample
from slipway.adapters.seen import FILE as SEEN
from slipway.adapters.seen import WORD
from slipway.adapters.traffic import EDGES, Tally
from slipway.canary.records import Arm, Policy, Trace
from slipway.errors import Broken
from slipway.records import Evidence
from slipway.rollout.records import Rehearsed, Seen, Tick

TICKS, TRACE, RESULT = "ticks.jsonl", "trace.json", "result.json"


class Folder:
    """The folder of one rehearsal. What is not new is not written again."""

    def __init__(self, path: Path, policy: Policy) -> None:
        self.path, self._policy = path, policy
        self.bound: float | None = None  # seconds: what is slow, once it is known
        self._samples, self._known, self._seen = Rehearsal(path), None, None
        for name in (TICKS, SAMPLES):
            (path / name).touch()

    _known: Known | None
    _seen: Seen | None

    def seen(self, seen: Seen, word: Evidence | None) -> None:
        """Tell the relay how the rollout stands, and before it, what the judge has said last; `at` is filled in."""
        if seen != self._seen:
            self._seen = seen
            if word is not None:
                files.write_record(self.path / WORD, word)
            files.write_record(self.path / SEEN, msgspec.structs.replace(seen, at=time.time()))

    def facts(self, known: Known) -> None:
        """Tell the judge what is known of the rollout."""
        if known != self._known:
            self._known = known
            files.write_record(self.path / FACTS, known)

    def sample(self, at: float, tallies: Mapping[Arm, Tally]) -> None:
        """Tell the judge what clients have seen until `at`."""
        objective = self._policy.metrics.get("objective")
        edges = {self.bound, objective.bound if objective else None} & set(EDGES)
        for arm, tally in tallies.items():
            within = tally.within()
            self._samples.append(
                Sample(time=at, arm=arm, counter="requests", value=tally.requests),
                Sample(time=at, arm=arm, counter="errors", value=tally.errors),
                *(Sample(time=at, arm=arm, counter="within", value=within[edge], le=edge) for edge in edges if edge),
            )

    def tick(self, tick: Tick) -> None:
        """Keep a tick, for whoever watches or comes later."""
        with (self.path / TICKS).open("ab") as stream:
            stream.write(msgspec.json.encode(tick) + b"\n")

    def ended(self, result: Rehearsed, trace: Trace | None) -> None:
        """Keep how it ended, and how the last verdict came about."""
        if trace is not None:
            files.write_record(self.path / TRACE, trace)
        files.write_record(self.path / RESULT, result)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Make a folder anew, and hold it while it is played in.

    Raises:
        Broken: another one plays there, or something else is there.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Broken(f"a rehearsal plays in {path}", "Wait until it ends, or name another --folder.") from None
        if path.exists() and any(path.iterdir()) and not (path / SEEN).exists():
            raise Broken(f"{path} holds something else than a rehearsal", "Name another --folder.")
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(exist_ok=True)
        yield
