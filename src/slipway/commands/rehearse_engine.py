"""The engine of a rehearsal: two bentos as processes, real requests, a real judge, and a Rollout's steps to their end.

What is decided is pure: `rollout.steps` takes the steps, `rollout.analysis` counts answers, `rollout.scaled` reads the
manifests. Here are the clock and the threads.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Literal

import msgspec

from slipway.adapters import judge
from slipway.adapters.rehearsal import Known
from slipway.adapters.traffic import Tally, Traffic
from slipway.canary import latency, recorded
from slipway.canary.records import ARMS, Arm, Rollout, Trace, Verdict
from slipway.commands.rehearse_folder import Folder, alone
from slipway.commands.rehearse_play import Play
from slipway.commands.rehearse_pods import Pods, pods
from slipway.rollout import analysis, steps
from slipway.rollout.analysis import Measurement, Rules
from slipway.rollout.records import Phase, Rehearsed, Seen, Tick
from slipway.rollout.scaled import Scaled, scale
from slipway.rollout.steps import State

BEFORE = 5.0  # seconds of stable alone, where a cluster takes the hour before
LEAST = 500  # requests of stable alone
QUICK = 0.05  # seconds: below it the scheduler of a machine that both arms share makes more difference than a release
LOOK = 0.05  # seconds between two looks at everything
SHOWN = 1.0  # seconds between two pictures, however seldom the counters are read
TRACE_SECONDS = 30.0
OUTCOMES: dict[Phase, Literal["promoted", "aborted", "inconclusive"]] = {
    "healthy": "promoted",
    "aborted": "aborted",
    "paused": "inconclusive",
}


OnTick = Callable[[Tick], None]


def rehearse(play: Play, on_tick: OnTick = lambda _: None) -> Rehearsed:
    """Play a Rollout to its end; nothing that was started is alive when this returns or raises.

    Raises:
        Rejected: an argument or the speed is refused; nothing was started.
        Broken: a condition is refused, or no rehearsal came about.

    """
    scaled = scale(play.environment, play.settings.policy, play.speed, play.overrides)
    with alone(play.folder):
        return _Stage(play, scaled, on_tick).play()


class _Stage:
    """One rehearsal while it plays."""

    def __init__(self, play: Play, scaled: Scaled, on_tick: OnTick) -> None:
        self._play, self._scaled, self._on_tick = play, scaled, on_tick
        self._folder = Folder(play.folder.resolve(), scaled.policy)
        self._began = time.time()
        self._lost: float | None = None  # since when the canary is not available
        self._asked: Future[Measurement] | None = None
        self._due = self._scraped = self._shown = self._looked = 0.0
        self._verdict: Verdict | None = None
        self._counted = {arm: Tally() for arm in ARMS}
        image = play.stable.image if play.stable else None
        self._state = steps.begin(scaled.plan, play.canary.image, image, self._began)

    def play(self) -> Rehearsed:
        """Play it."""
        self._move(self._state)
        trace = None
        if self._state.phase == "progressing":
            with ExitStack() as stack:
                processes = stack.enter_context(pods(self._folder.path, self._play.ledger, self._play.speed))
                self._raise(processes)
                if self._state.phase == "progressing":
                    trace = self._steps(processes, stack)
        result = self._result()
        self._folder.ended(result, trace)
        return result

    def _raise(self, processes: Pods) -> None:
        """Start everything; the canary has until its progress deadline. In a first deployment that is all."""
        play, scaled = self._play, self._scaled
        sides = {"stable": play.stable, "canary": play.canary}
        for arm in ARMS:
            if (side := sides[arm]) is not None:
                environment = scaled.arguments.get("environment", play.name)
                processes.serve(arm, side, environment, play.pods[arm], scaled.probe)
        if play.stable is not None:
            processes.judge(msgspec.structs.replace(play.settings, policy=scaled.policy), play.judge)
        processes.wait()
        while self._state.phase == "progressing" and not processes.arms["canary"].ready:
            self._move(steps.see(scaled.plan, self._state, time.time(), available=False))
            time.sleep(LOOK)
        if play.stable is None:
            self._move(steps.see(scaled.plan, self._state, time.time(), available=processes.arms["canary"].ready))

    def _steps(self, processes: Pods, stack: ExitStack) -> Trace | None:
        """Take the steps, under traffic."""
        traffic = Traffic(
            self._play.rows,
            lambda arm: processes.arms[arm].address,
            rate=self._play.rate,
            seed=self._play.seed,
            sticky=self._play.sticky,
            credential=processes.credential,
            truth_delay=self._play.truth_delay,
        )
        pool = stack.enter_context(ThreadPoolExecutor(1, "analysis"))
        stack.enter_context(traffic)
        self._stable_alone(traffic)
        self._move(msgspec.structs.replace(self._state, since=time.time()))
        while self._state.phase == "progressing":
            self._look(processes, traffic, pool)
            time.sleep(LOOK)
        traffic.weight = steps.share(self._state, available=True)
        self._scrape(traffic, 0.0)
        if self._verdict is None:
            return None
        return judge.trace(processes.judging(), self._scaled.labels, self._looked, TRACE_SECONDS)

    def _stable_alone(self, traffic: Traffic) -> None:
        """Let stable answer alone, and choose from its latency what is slow, as the judge does in a cluster."""
        scrape, noted = self._scaled.policy.scrape, list[tuple[float, dict[Arm, Tally]]]()
        least = max(BEFORE, self._play.truth_delay + 3.0, 2 * self._scaled.policy.grid)
        begun = time.time()
        while (past := time.time() - begun) < least or (self._counted["stable"].requests < LEAST and past < 6 * least):
            noted.append((time.time(), traffic.counted()))
            self._tick(traffic)
            time.sleep(scrape)
        if "latency" in self._scaled.policy.metrics:
            settled, end = (noted[place][1]["stable"].within() for place in (len(noted) // 3, -1))
            # The first requests of a process are no measure.
            self._folder.bound = max(QUICK, latency.bound([settled], [end]))
        for at, tallies in noted:
            self._folder.sample(at, tallies)

    def _look(self, processes: Pods, traffic: Traffic, pool: ThreadPoolExecutor) -> None:
        """Look at the canary's pods, at an answer of the judge, at the clock; and take what steps can be taken."""
        plan, now, available = self._scaled.plan, time.time(), processes.arms["canary"].ready
        self._lost = None if available else self._lost or now
        if self._asked is not None and self._asked.done():
            found, self._asked = self._asked.result(), None
            before = self._state
            self._move(steps.told(plan, before, found, now))
            self._due = now + analysis.wait(_rules(plan.steps), found) if self._state.step == before.step else 0.0
        self._move(steps.see(plan, self._state, now, available=available))
        traffic.weight = steps.share(self._state, available=available)
        if self._state.intervals:
            bound, asked = self._folder.bound, self._scaled.labels
            self._folder.facts(Known(rollout=self._rollout(), latency_bound=bound, asked=asked))
        runs = self._state.run is not None and self._state.phase == "progressing"
        if runs and self._asked is None and now >= self._due:
            self._asked = pool.submit(self._ask, processes)
        self._scrape(traffic, self._scaled.policy.scrape)

    def _ask(self, processes: Pods) -> Measurement:
        """Ask the judge as the controller does, and then, of the same moment, for its reasons."""
        scaled, now = self._scaled, time.time()
        result, why = judge.query(processes.judging(), scaled.question, now, scaled.timeout)
        if result is not None:
            told = judge.verdict(processes.judging(), scaled.labels, now, scaled.timeout)
            self._verdict, self._looked = (told, now) if told else (self._verdict, self._looked)
        return analysis.measured(_rules(scaled.plan.steps), result, why)

    # ---- what is told

    def _move(self, state: State) -> None:
        self._state = state
        metadata = self._play.environment.rollout.metadata
        self._folder.seen(
            Seen(
                namespace=metadata.namespace,
                rollout=metadata.name,
                image=state.image,
                rollback=self._play.rollback,
                phase=state.phase,
                cause=state.cause,
                detail=state.detail,
                at=0.0,
            ),
            recorded.evidence(self._verdict) if self._verdict else None,
        )

    def _rollout(self) -> Rollout:
        metadata, hashes = self._play.environment.rollout.metadata, self._play.pods
        return Rollout(
            namespace=metadata.namespace,
            name=metadata.name,
            stable=hashes["stable"],
            canary=hashes["canary"],
            attempt=1,
            intervals=self._state.intervals,
            steps=self._scaled.plan.gated,
            available=int(self._lost is None),
            unavailable_since=self._lost,
            rollback=self._play.rollback,
        )

    def _scrape(self, traffic: Traffic, every: float) -> None:
        now = time.time()
        if now - self._scraped >= every:
            self._scraped = now
            self._folder.sample(now, traffic.counted())
            self._tick(traffic)
        elif now - self._shown >= SHOWN:
            self._show(traffic)

    def _tick(self, traffic: Traffic) -> None:
        self._folder.tick(self._show(traffic))

    def _show(self, traffic: Traffic) -> Tick:
        self._counted, self._shown, state = traffic.counted(), time.time(), self._state
        tick = Tick(
            at=time.time(),
            step=state.step,
            steps=len(self._scaled.plan.steps),
            weight=traffic.weight,
            phase=state.phase,
            traffic={arm: tally.told() for arm, tally in self._counted.items()},
            truths=traffic.told,
            verdict=self._verdict,
        )
        self._on_tick(tick)
        return tick

    def _result(self) -> Rehearsed:
        state, play = self._state, self._play
        return Rehearsed(
            environment=play.name,
            stable=play.stable.version if play.stable else "",
            canary=play.canary.version,
            image=play.canary.image,
            outcome=OUTCOMES[state.phase],
            cause=state.cause,
            message=state.detail,
            evidence=recorded.evidence(self._verdict) if self._verdict else None,
            traffic={arm: tally.told() for arm, tally in self._counted.items()},
            seconds=time.time() - self._began,
            seed=play.seed,
            arguments=play.arguments,
        )


def _rules(taken: Sequence[steps.Step]) -> Rules:
    """What all analyses of a plan count by: they ask one template."""
    return next(step for step in taken if isinstance(step, Rules))
