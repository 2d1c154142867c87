"""The engine of a rehearsal: two bentos as processes, real requests, a real judge, and a Rollout's steps to their end.

The steps are `rollout.steps`, pure; here are the clock, the processes and the folder. `--speed` divides what the
manifests and the judge's settings say in seconds; what is evidence stays. Two times keep a floor, for a machine works
no faster: a process needs its time to start, and the judge its time to answer.
"""

import fcntl
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import Literal

import msgspec
import yaml

from slipway.adapters import asking, bento, files, processes, rehearsal
from slipway.adapters.processes import Kept, Probe
from slipway.adapters.rehearsal import Known, Rehearsal, Sample
from slipway.adapters.traffic import EDGES, Flight, Tally, Traffic
from slipway.canary import latency, query, recorded
from slipway.canary.records import ARMS, Arm, Policy, Rollout, Verdict
from slipway.canary.settings import Settings
from slipway.errors import Broken, Rejected
from slipway.manifests import tree
from slipway.manifests.environment import Environment
from slipway.rollout import analysis, steps
from slipway.rollout.analysis import Measurement, Rules
from slipway.rollout.records import Phase, Rehearsed, Seen, Tick
from slipway.rollout.steps import Plan, State

SEEN, TICKS, TRACE, RESULT = "seen.json", "ticks.jsonl", "trace.json", "result.json"
STARTS = 60.0  # seconds: no progress deadline is shorter
ANSWERS = 2.0  # seconds: no timeout of the analysis is shorter
STABLE_STARTS = 180.0  # seconds until a stable that is not ready is no stable
BEFORE = 5.0  # seconds of stable alone, as the hour before in a cluster
LEAST = 500  # requests of stable alone
LOOK = 0.05  # seconds between two looks at everything
BACKOFF = 10.0  # seconds, the kubelet's first
DRAIN = 10.0  # seconds for the last predictions to reach the ledger
OUTCOMES: dict[Phase, Literal["promoted", "aborted", "inconclusive"]] = {
    "healthy": "promoted",
    "aborted": "aborted",
    "paused": "inconclusive",
}


@dataclass(frozen=True)
class Side:
    """A release, unpacked."""

    version: str
    image: str  # digest
    bento: Path


@dataclass(frozen=True, kw_only=True)
class Play:
    """What is rehearsed, and how."""

    name: str  # of the environment
    environment: Environment
    settings: Settings
    stable: Side | None
    canary: Side
    rows: Sequence[Flight]
    folder: Path
    rate: float | None = 600.0  # requests a second; None is as fast as it goes
    speed: float = 1.0
    seed: int = 0
    sticky: bool = False
    truth_delay: float = 0.5  # seconds
    overrides: Mapping[str, str] = field(default_factory=dict)  # arguments of the analysis
    ledger: str | None = None  # by default a file in the folder
    judge: str | None = None  # the address of one that runs already

    @property
    def pods(self) -> dict[Arm, str]:
        """Pod-template hashes, as the ledger and the judge know the arms."""
        sides = {"stable": self.stable, "canary": self.canary}
        return {
            arm: blake2b(f"{arm} {side.image if side else ''}".encode(), digest_size=5).hexdigest()
            for arm, side in ((arm, sides[arm]) for arm in ARMS)
        }

    @property
    def rollback(self) -> bool:
        """Whether a person goes back to the canary's image."""
        return self.environment.deployment.metadata.annotations.get(tree.ROLLBACK) == self.canary.image


OnTick = Callable[[Tick], None]


def rehearse(play: Play, on_tick: OnTick = lambda _: None) -> Rehearsed:
    """Play a Rollout to its end; nothing that was started is alive when this returns or raises.

    Raises:
        Rejected: an argument, a speed or a condition is refused; nothing was started.
        Broken: no rehearsal came about.

    """
    prepared = prepare(play)
    with _alone(play.folder):
        return _Stage(play, prepared, on_tick).run()


@dataclass(frozen=True)
class Prepared:
    """What the manifests and the settings ask for, at the speed of the rehearsal."""

    plan: Plan
    policy: Policy
    asked: dict[str, str]  # arguments of the analysis, those that a person gives the judge, too
    question: str
    timeout: float
    probe: Probe


def prepare(play: Play) -> Prepared:
    """Read what is to be played.

    Raises:
        Rejected: the speed leaves no grid, or an argument is unknown or missing.
        Broken: a condition of the analysis is not known.

    """
    policy, spec, speed = play.settings.policy, play.environment.rollout.spec, play.speed
    if not 1 <= speed <= policy.grid:
        raise Rejected(
            f"at --speed {speed:g} the judge's grid of {policy.grid:g} s would be {policy.grid / max(speed, 1e-9):g} s",
            f"Name a speed from 1 to {policy.grid:g}: the grid is at least a second.",
        )
    names = {step.analysis.templates[0].template_name for step in spec.strategy.canary.steps if step.analysis}
    if len(names) != 1:
        raise Rejected(f"the steps ask {len(names)} templates", "A rehearsal plays one.")
    template = play.environment.templates[names.pop()]
    metric = template.spec.metrics[0]
    arguments = _arguments(play, {one.name: one.value for one in template.spec.args})
    if "deadline" in play.overrides:  # the relation that the manifests are held to
        count = int(query.seconds(arguments["deadline"]) // query.seconds(metric.interval)) + SPARE
        metric = msgspec.structs.replace(metric, count=count, inconclusive_limit=count)
    asked = {name: _divided(value, speed) if name in query.SPANS else value for name, value in arguments.items()}
    rules = {template.metadata.name: analysis.rules(metric, speed)}
    ready = play.environment.container.readiness_probe
    return Prepared(
        plan=steps.plan(play.environment.rollout, rules, _floor(spec.progress_deadline_seconds, speed, STARTS)),
        policy=_faster(policy, speed),
        asked=asked,
        question=_filled(metric.provider.prometheus.query, asked),
        timeout=_floor(metric.provider.prometheus.timeout, speed, ANSWERS),
        probe=Probe(
            path=ready.http_get.path,
            period=ready.period_seconds / speed,
            timeout=float(ready.timeout_seconds),
            failures=ready.failure_threshold,
        ),
    )


SPARE = 6  # measurements after the deadline, as `manifests.safety` asks for


def _arguments(play: Play, defaults: Mapping[str, str | None]) -> dict[str, str]:
    metadata = play.environment.rollout.metadata
    facts = {"metadata.namespace": metadata.namespace, "metadata.name": metadata.name}
    found = dict(defaults)
    for step in play.environment.rollout.spec.strategy.canary.steps:
        for argument in step.analysis.args if step.analysis else ():
            found[argument.name] = facts[argument.value_from.field_ref.field_path]
    if unknown := sorted(set(play.overrides) - set(found)):
        raise Rejected(f"the analysis has no argument {unknown[0]!r}", f"It has: {', '.join(sorted(found))}.")
    found |= play.overrides
    for name, value in found.items():
        if value is None:
            raise Rejected(f"the argument {name!r} of the analysis has no value", f"Name one: --set {name}=VALUE")
    return {name: value for name, value in found.items() if value is not None}


def _filled(text: str, arguments: Mapping[str, str]) -> str:
    for name, value in arguments.items():
        text = text.replace(f"{{{{args.{name}}}}}", value)
    if "{{" in text:
        unknown = text.partition("{{")[2].partition("}}")[0]
        raise Rejected(f"the query of the analysis uses {unknown!r}, which is no argument", "Declare it under `args`.")
    return text


def _divided(duration: str, speed: float) -> str:
    return f"{round(1000 * query.seconds(duration) / speed)}ms"


def _floor(seconds: float, speed: float, least: float) -> float:
    return max(seconds / speed, min(seconds, least))


def _faster(policy: Policy, speed: float) -> Policy:
    times = {name: getattr(policy, name) / speed for name in ("grid", "scrape", "grace", "settle", "unavailable")}
    return msgspec.structs.replace(policy, **times)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Make the folder anew, and hold it while it is played in."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Broken(f"a rehearsal plays in {folder}", "Wait until it ends, or name another --folder.") from None
        if folder.exists() and any(folder.iterdir()) and not (folder / SEEN).exists():
            raise Broken(f"{folder} holds something else than a rehearsal", "Name another --folder.")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield


class _Stage:
    """One rehearsal while it is played."""

    def __init__(self, play: Play, prepared: Prepared, on_tick: OnTick) -> None:
        self._play, self._prepared, self._on_tick = play, prepared, on_tick
        self._folder, self._plan = play.folder.resolve(), prepared.plan
        self._samples = Rehearsal(self._folder)
        self._verdict: Verdict | None = None
        self._began = time.time()
        self._bound: float | None = None
        self._lost: float | None = None  # since when the canary is not available
        self._known: Known | None = None
        self._seen: Seen | None = None
        self._scraped = 0.0
        stable = play.stable.image if play.stable else None
        self._state = steps.begin(self._plan, play.canary.image, stable, time.time())
        self._pods: dict[Arm, Kept] = {}
        self._traffic: Traffic | None = None

    def run(self) -> Rehearsed:
        (self._folder / TICKS).touch()
        (self._folder / rehearsal.SAMPLES).touch()
        self._tell_seen()
        if self._state.phase == "progressing":
            with ExitStack() as stack:
                self._start(stack)
                self._await_canary()
                if self._play.stable is not None and self._state.phase == "progressing":
                    self._with_traffic(stack)
        return self._result()

    # ---- processes

    def _start(self, stack: ExitStack) -> None:
        mark = stack.enter_context(processes.family())
        credential, keys = token_hex(32), token_hex(32)
        url = self._play.ledger or f"sqlite:///{self._folder / 'ledger.db'}"
        sides = {"stable": self._play.stable, "canary": self._play.canary}
        shippers, served = list[Kept](), list[Kept]()
        stack.callback(lambda: _stop(served, shippers))
        for arm in ARMS:
            if (side := sides[arm]) is None:
                continue
            here = self._folder / arm
            files.write_texts(here / "secrets", {"url": url, "keys": keys, "credentials": credential})
            (here / "secrets").chmod(0o700)
            (here / "spool").mkdir()
            variables = {
                "SLIPWAY_LEDGER": str(here / "secrets"),
                "SLIPWAY_SPOOL": str(here / "spool"),
                "SLIPWAY_ENVIRONMENT": self._prepared.asked.get("environment", self._play.name),
                "SLIPWAY_POD": self._play.pods[arm],
                **mark,
            }
            log, backoff, folder = here / "log", BACKOFF / self._play.speed, side.bento
            environment = bento.home_environment(here / "home") | variables

            def serve(port: int, folder: Path = folder) -> list[str]:
                return bento.serve_command(folder, port)

            def ship(_: int, folder: Path = folder) -> list[str]:
                return bento.ship_command(folder)

            shippers.append(Kept(ship, environment, here / "shipper.log", None, backoff))
            served.append(Kept(serve, environment, log, self._prepared.probe, backoff))
            self._pods[arm] = served[-1]
        self._credential, self._mark = credential, mark
        self._judge = self._start_judge(stack, url) if self._play.stable else None

    def _start_judge(self, stack: ExitStack, url: str) -> Kept | None:
        if self._play.judge is not None:
            return None
        plain = msgspec.to_builtins(msgspec.structs.replace(self._play.settings, policy=self._prepared.policy))
        files.write_text(self._folder / "judge.yaml", yaml.safe_dump(plain))
        files.write_text(self._folder / "ledger-url", url)

        def command(port: int) -> list[str]:
            return [
                *(sys.executable, "-m", "slipway", "judge", "serve", "--port", str(port)),
                *("--policy", str(self._folder / "judge.yaml"), "--rehearsal", str(self._folder)),
                *("--ledger", str(self._folder / "ledger-url")),
            ]

        probe = Probe(path="/healthz", period=1.0, timeout=5.0, failures=3)
        kept = Kept(command, processes.environment(self._mark), self._folder / "judge.log", probe, 1.0)
        stack.callback(kept.stop, 1.0)
        return kept

    def _judge_address(self) -> str | None:
        return self._judge.address if self._judge else self._play.judge

    # ---- before the steps

    def _await_canary(self) -> None:
        """Wait for both arms: the canary has until its progress deadline, stable must serve in any case."""
        end = time.monotonic() + STABLE_STARTS
        while "stable" in self._pods and not self._pods["stable"].ready:
            if time.monotonic() > end:
                log = (self._folder / "stable/log").read_text(errors="replace")[-1500:]
                raise Broken(f"stable does not get ready: {log}", "Run it alone: `slipway serve`.")
            self._pause()
        if self._judge:
            while not self._judge.ready:
                if time.monotonic() > end:
                    raise Broken("the judge does not start", f"Read {self._folder / 'judge.log'}.")
                self._pause()
        while self._state.phase == "progressing" and not self._pods["canary"].ready:
            self._update(steps.see(self._plan, self._state, time.time(), available=False))
            self._pause()
        if self._play.stable is None:
            self._update(steps.see(self._plan, self._state, time.time(), available=self._pods["canary"].ready))

    def _with_traffic(self, stack: ExitStack) -> None:
        play = self._play
        self._traffic = stack.enter_context(
            Traffic(
                play.rows,
                lambda arm: self._pods[arm].address,
                rate=play.rate,
                seed=play.seed,
                sticky=play.sticky,
                credential=self._credential,
                truth_delay=play.truth_delay,
            )
        )
        self._warm_up(self._traffic)
        pool = stack.enter_context(ThreadPoolExecutor(1, "analysis"))
        asked: Future[Measurement] | None = None
        due = 0.0
        self._update(msgspec.structs.replace(self._state, since=time.time()))
        while self._state.phase == "progressing":
            now, available = time.time(), self._pods["canary"].ready
            self._lost = None if available else self._lost or now
            if asked is not None and asked.done():
                found, asked = asked.result(), None
                rules = self._plan.steps[self._state.step]
                due = now + analysis.wait(rules, found) if isinstance(rules, Rules) else 0.0
                step = self._state.step
                self._update(steps.told(self._plan, self._state, found, now))
                due = due if self._state.step == step else 0.0
            self._update(steps.see(self._plan, self._state, now, available=available))
            self._traffic.weight = steps.share(self._state, available=available)
            self._tell_facts(available=available)
            if self._state.run is not None and self._state.phase == "progressing" and asked is None and now >= due:
                asked = pool.submit(self._ask)
            self._scrape(self._traffic)
            self._pause()
        self._traffic.weight = steps.share(self._state, available=True)
        self._scrape(self._traffic, anyway=True)
        self._keep_trace()

    def _warm_up(self, traffic: Traffic) -> None:
        """Let stable answer alone, and choose from its latency what is slow, as the judge does in a cluster."""
        begun, noted = time.time(), list[tuple[float, dict[Arm, Tally]]]()
        wanted = max(BEFORE, self._play.truth_delay + 3.0, 2 * self._prepared.policy.grid)
        while time.time() < begun + wanted or (
            traffic.counted()["stable"].requests < LEAST and time.time() < begun + 6 * wanted
        ):
            noted.append((time.time(), traffic.counted()))
            self._tick(traffic)
            time.sleep(self._prepared.policy.scrape)
        if "latency" in self._prepared.policy.metrics:
            self._bound = latency.bound([{}], [noted[-1][1]["stable"].within()])
        for at, tallies in noted:
            self._note(at, tallies)

    # ---- the analysis

    def _ask(self) -> Measurement:
        """Ask the judge as the controller does, and then, of the same moment, for its reasons."""
        prepared, now = self._prepared, time.time()
        rules = next(step for step in self._plan.steps if isinstance(step, Rules))
        result, why = asking.query(self._judge_address(), prepared.question, now, prepared.timeout)
        if result is not None:
            self._verdict = (
                asking.verdict(self._judge_address(), self._labels(), now, prepared.timeout) or self._verdict
            )
            self._looked = now
        return analysis.measured(rules, result, why)

    def _labels(self) -> dict[str, str]:
        names = (*query.NAMES, *query.SPANS)
        return {name: value for name, value in self._prepared.asked.items() if name in names}

    def _keep_trace(self) -> None:
        if self._verdict is not None:
            found = asking.trace(self._judge_address(), self._labels(), self._looked, 30.0)
            if found is not None:
                files.write_record(self._folder / TRACE, found)

    # ---- what is told

    def _pause(self) -> None:
        time.sleep(LOOK)

    def _update(self, state: State) -> None:
        if state != self._state:
            self._state = state
            self._tell_seen()

    def _tell_seen(self) -> None:
        metadata, state = self._play.environment.rollout.metadata, self._state
        seen = Seen(
            namespace=metadata.namespace,
            rollout=metadata.name,
            image=state.image,
            rollback=self._play.rollback,
            phase=state.phase,
            cause=state.cause,
            detail=state.detail,
            at=0.0,
        )
        if seen != self._seen:
            self._seen = seen
            files.write_record(self._folder / SEEN, msgspec.structs.replace(seen, at=time.time()))

    def _tell_facts(self, *, available: bool) -> None:
        metadata, pods = self._play.environment.rollout.metadata, self._play.pods
        if not self._state.intervals:
            return
        rollout = Rollout(
            namespace=metadata.namespace,
            name=metadata.name,
            stable=pods["stable"],
            canary=pods["canary"],
            attempt=1,
            intervals=self._state.intervals,
            steps=self._plan.gated,
            available=int(available),
            unavailable_since=self._lost,
            rollback=self._play.rollback,
        )
        known = Known(rollout=rollout, latency_bound=self._bound, asked=self._labels())
        if known != self._known:
            self._known = known
            files.write_record(self._folder / rehearsal.FACTS, known)

    def _scrape(self, traffic: Traffic, *, anyway: bool = False) -> None:
        now = time.time()
        if anyway or now - self._scraped >= self._prepared.policy.scrape:
            self._scraped = now
            self._note(now, traffic.counted())
            self._tick(traffic)

    def _note(self, at: float, tallies: Mapping[Arm, Tally]) -> None:
        objective = self._prepared.policy.metrics.get("objective")
        edges = {self._bound, objective.bound if objective else None} & set(EDGES)
        for arm, tally in tallies.items():
            within = tally.within()
            self._samples.append(
                Sample(time=at, arm=arm, counter="requests", value=tally.requests),
                Sample(time=at, arm=arm, counter="errors", value=tally.errors),
                *(Sample(time=at, arm=arm, counter="within", value=within[edge], le=edge) for edge in edges if edge),
            )

    def _tick(self, traffic: Traffic) -> None:
        state = self._state
        tick = Tick(
            at=time.time(),
            step=state.step,
            steps=len(self._plan.steps),
            weight=traffic.weight,
            phase=state.phase,
            traffic={arm: tally.told() for arm, tally in traffic.counted().items()},
            truths=sum(count for status, count in traffic.truths.items() if status in (200, 207)),
            verdict=self._verdict,
        )
        with (self._folder / TICKS).open("ab") as stream:
            stream.write(msgspec.json.encode(tick) + b"\n")
        self._on_tick(tick)

    def _result(self) -> Rehearsed:
        state, play = self._state, self._play
        counted = self._traffic.counted() if self._traffic else {arm: Tally() for arm in ARMS}
        found = Rehearsed(
            environment=play.name,
            stable=play.stable.version if play.stable else "",
            canary=play.canary.version,
            image=play.canary.image,
            outcome=OUTCOMES[state.phase],
            cause=state.cause,
            message=state.detail,
            evidence=recorded.evidence(self._verdict) if self._verdict else None,
            traffic={arm: tally.told() for arm, tally in counted.items()},
            seconds=time.time() - self._began,
            seed=play.seed,
        )
        files.write_record(self._folder / RESULT, found)
        return found


def _stop(served: Sequence[Kept], shippers: Sequence[Kept]) -> None:
    """Let the services end, then the shippers, which take the last predictions to the ledger; all of a kind at once."""
    for kind in (served, shippers):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda one: one.stop(DRAIN), kind))
