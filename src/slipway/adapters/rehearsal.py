"""A canary on one machine: its facts and its counters in a folder, in place of Kubernetes and Prometheus.

rollout.json, a `Known`, is written whole; samples.jsonl grows by lines, and whoever splits the traffic may be in the
middle of one: what follows the last line end is not there yet.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from slipway import records
from slipway.canary import facts
from slipway.canary.records import ARMS, Arm, Counts, Gap, Kind, Observation, Policy, Rollout, Series
from slipway.errors import Broken

FACTS, SAMPLES = "rollout.json", "samples.jsonl"


class Known(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What rollout.json holds."""

    schema_version: int = 1
    rollout: Rollout
    latency_bound: float | None = None  # seconds, from the gate's record: nothing ran here in the hour before
    asked: Mapping[str, str] = {}  # what the analysis asks for: bake="0s" and the like


class Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of samples.jsonl: a cumulative counter of an arm. `within` is of requests not slower than `le` seconds."""

    time: float
    arm: Arm
    counter: Literal["requests", "errors", "within"]
    value: float
    le: float | None = None


class Rehearsal:
    """A folder that someone rehearses in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rollout(self, namespace: str, name: str, now: float) -> Rollout:
        """Say what is known of the canary at `now`.

        Raises:
            Broken: nothing is known, or of another one.

        """
        found = self._known().rollout
        if (found.namespace, found.name) != (namespace, name):
            raise Broken(
                f"{namespace}/{name} is not rehearsed here, {found.namespace}/{found.name} is",
                "Ask for that one, or name another folder.",
            )
        return facts.as_of(found, now)

    def asked(self, _namespace: str, _name: str) -> Mapping[str, str]:
        """Say what the analysis asks for."""
        return self._known().asked

    def observe(self, rollout: Rollout, policy: Policy, now: float) -> Observation:
        """Read the counters up to `now`.

        Raises:
            Broken: they cannot be read.

        """
        series = self._series(now)
        bounds: dict[Kind, float | None] = {
            "latency": self._known().latency_bound,
            "objective": policy.metrics["objective"].bound if "objective" in policy.metrics else None,
        }
        requests = {arm: series[arm, "requests", None] for arm in ARMS}
        counts: dict[Kind, dict[Arm, Counts]] = {}
        gaps = list[Gap]()
        if "errors" in policy.metrics:
            counts["errors"] = {arm: Counts(total=requests[arm], bad=series[arm, "errors", None]) for arm in ARMS}
        for kind, bound in bounds.items():
            if kind not in policy.metrics:
                continue
            good = {arm: series[arm, "within", bound] for arm in ARMS}
            if bound is None or (requests["stable"] and not good["stable"]):
                gaps.append(Gap(part=kind, detail=f"there is no counter of requests within {bound} s"))
            else:
                counts[kind] = {arm: Counts(total=requests[arm], good=good[arm]) for arm in ARMS}
        return Observation(since=rollout.started - policy.grid, requests=requests, counts=counts, gaps=tuple(gaps))

    def append(self, *samples: Sample) -> None:
        """Add samples, in order of time."""
        with (self._folder / SAMPLES).open("ab") as stream:
            stream.write(msgspec.json.Encoder().encode_lines(samples))

    def _known(self) -> Known:
        return records.loads(Known, self._read(FACTS), str(self._folder / FACTS))

    def _read(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise Broken(f"{self._folder / name} cannot be read: {error.strerror}", "Start the rehearsal.") from None

    def _series(self, now: float) -> defaultdict[tuple[Arm, str, float | None], tuple[Series, ...]]:
        whole = self._read(SAMPLES).rpartition(b"\n")[0]
        try:
            samples = msgspec.json.Decoder(Sample).decode_lines(whole)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Broken(f"{self._folder / SAMPLES} cannot be read: {error}", "Rehearse again.") from None
        points: dict[tuple[Arm, str, float | None], list[tuple[float, float]]] = {}
        for one in samples:
            if one.time <= now:
                points.setdefault((one.arm, one.counter, one.le), []).append((one.time, one.value))
        series: defaultdict[tuple[Arm, str, float | None], tuple[Series, ...]] = defaultdict(tuple)
        for key, found in points.items():
            times, values = zip(*found, strict=True)
            series[key] = (Series(times=times, values=values),)
        return series
