"""A Rollout's steps to their end, as Argo Rollouts v1.10.1 takes them with a traffic router. Pure.

A weight is set only while the canary is available, and goes to 0 while it is not; an analysis goes on meanwhile, and
knows no progress deadline. A first deployment, and the way back to the stable image, take no steps and no analysis.

One difference: a first image is stable from the beginning, so the controller never aborts it, and a rehearsal must end.
"""

import msgspec

from slipway.canary.records import Interval
from slipway.manifests.kinds import rollouts
from slipway.records import Cause
from slipway.rollout import analysis
from slipway.rollout.analysis import Measurement, Rules, Run
from slipway.rollout.records import Phase

Step = float | Rules  # a weight from 0 to 1, or an analysis


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a Rollout asks for; seconds."""

    steps: tuple[Step, ...]
    progress_deadline: float

    @property
    def gated(self) -> int:
        """How many steps are analyses."""
        return sum(isinstance(step, Rules) for step in self.steps)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rollout of `image` stands. `detail` is in the controller's words."""

    image: str
    stable: str | None  # the image that serves beside it; None in a first deployment
    phase: Phase = "progressing"
    step: int = 0  # currentStepIndex
    weight: float = 0.0  # of the last setWeight
    since: float  # when the pods last made progress
    run: Run | None = None
    intervals: tuple[Interval, ...] = ()
    cause: Cause | None = None
    detail: str = ""


def plan(rollout: rollouts.Rollout, rules: dict[str, Rules], progress_deadline: float) -> Plan:
    """Read the steps of a Rollout; `rules` are those of its templates, by name."""
    found: list[Step] = []
    for step in rollout.spec.strategy.canary.steps:
        if step.set_weight is not None:
            found.append(step.set_weight / 100)
        if step.analysis is not None:
            found.append(rules[step.analysis.templates[0].template_name])
    return Plan(steps=tuple(found), progress_deadline=progress_deadline)


def begin(asked: Plan, image: str, stable: str | None, now: float) -> State:
    """Begin with an image that the Deployment has got. Where it is the stable one there is nothing to do."""
    state = State(image=image, stable=stable, since=now, detail="more replicas need to be updated")
    if image == stable:
        return _healthy(asked, state)
    if stable is None:
        return msgspec.structs.replace(state, step=len(asked.steps))
    return state


def update(asked: Plan, state: State, image: str, now: float) -> State:
    """Take another image: back to stable at once, forward from the first step. The same image changes nothing."""
    if image == state.image:
        return state
    serving = state.image if state.phase == "healthy" or state.stable is None else state.stable
    return begin(asked, image, serving, now)


def see(asked: Plan, state: State, now: float, *, available: bool) -> State:
    """Look at the canary's pods, and take all steps that can be taken."""
    if state.phase != "progressing" or state.run is not None:
        return state
    if not available:
        if now - state.since < asked.progress_deadline:
            return state
        detail = f"RolloutAborted: the ReplicaSet of {state.image} has timed out progressing"
        return _aborted(state, "deadline", detail)
    while state.step < len(asked.steps):
        step = asked.steps[state.step]
        if isinstance(step, Rules):
            return _analysed(asked, state, now)
        state = msgspec.structs.replace(state, weight=step, step=state.step + 1, since=now)
    judged = "verdict" if state.intervals else None  # nobody was asked of a first deployment
    return msgspec.structs.replace(_healthy(asked, state), cause=judged)


def told(asked: Plan, state: State, found: Measurement, now: float) -> State:
    """Count a measurement of the analysis that runs."""
    rules = asked.steps[state.step] if state.run is not None and state.phase == "progressing" else None
    if state.run is None or not isinstance(rules, Rules):
        return state
    run = analysis.take(rules, state.run, found)
    if run.phase == "Running":
        return msgspec.structs.replace(state, run=run)
    *done, last = state.intervals
    state = msgspec.structs.replace(state, intervals=(*done, msgspec.structs.replace(last, end=now)), since=now)
    if run.phase == "Successful":
        return msgspec.structs.replace(state, run=None, step=state.step + 1)
    state = msgspec.structs.replace(state, run=run)
    if run.phase == "Inconclusive":
        return msgspec.structs.replace(state, phase="paused", detail="InconclusiveAnalysisRun")
    detail = f"RolloutAborted: Step-based analysis phase error/failed: {run.message}"
    return _aborted(state, analysis.cause(run), detail)


def share(state: State, *, available: bool) -> float:
    """Of all requests, what the router sends to the canary."""
    return state.weight if available or state.phase == "healthy" else 0.0


def _analysed(asked: Plan, state: State, now: float) -> State:
    number = sum(isinstance(step, Rules) for step in asked.steps[: state.step + 1])
    interval = Interval(start=now, end=None, weight=state.weight, step=number)
    return msgspec.structs.replace(
        state,
        run=Run(),
        intervals=(*state.intervals, interval),
        detail=f"analysis {number} of {asked.gated} at {state.weight:.0%}",
    )


def _healthy(asked: Plan, state: State) -> State:
    return msgspec.structs.replace(state, phase="healthy", step=len(asked.steps), weight=1.0, run=None, detail="")


def _aborted(state: State, cause: Cause | None, detail: str) -> State:
    return msgspec.structs.replace(state, phase="aborted", step=0, weight=0.0, cause=cause, detail=detail)
