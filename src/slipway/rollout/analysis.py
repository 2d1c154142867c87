"""An AnalysisRun as the controller counts it (Argo Rollouts v1.10.1): measurement by measurement, to an end. Pure.

Only what `manifests.kinds.rollouts` lets in is here: one Prometheus question, two conditions. An Error is none of the
`count` measurements and never a success, so it cannot promote: it is asked again after a fixed time, and ends the run
only when it lasts. When the count is used up without a success the run is Inconclusive.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from slipway.canary import query
from slipway.errors import Broken
from slipway.manifests.kinds.rollouts import Metric
from slipway.records import Cause

ERROR_RETRY = 10.0  # seconds, whatever the interval is
CONDITIONS: dict[str, Callable[[Sequence[float]], bool]] = {
    "len(result) == 1 && result[0] == 1": lambda result: len(result) == 1 and result[0] == 1,
    "len(result) == 1 && result[0] < 0": lambda result: len(result) == 1 and result[0] < 0,
}

Measured = Literal["Successful", "Failed", "Inconclusive", "Error"]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of an AnalysisTemplate; times in seconds."""

    name: str
    interval: float
    retry: float
    count: int
    success: str
    failure: str
    failure_limit: int
    success_limit: int  # consecutive
    inconclusive_limit: int
    error_limit: int  # consecutive


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: the vector, or why there is none."""

    phase: Measured
    value: float | None = None
    message: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted so far; `phase` is Running until it has ended."""

    phase: Literal["Running", "Successful", "Failed", "Inconclusive", "Error"] = "Running"
    message: str = ""
    value: float | None = None  # the last one
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    errors: int = 0
    consecutive_successes: int = 0
    consecutive_errors: int = 0


def rules(metric: Metric, speed: float = 1.0) -> Rules:
    """Read the metric of a template; its times are divided by `speed`, its counts are not.

    Raises:
        Broken: a condition is not known.

    """
    for field in ("success_condition", "failure_condition"):
        if getattr(metric, field) not in CONDITIONS:
            raise Broken(
                f"the condition {getattr(metric, field)!r} of metric {metric.name} is not known",
                f"Known are: {', '.join(CONDITIONS)}.",
            )
    return Rules(
        name=metric.name,
        interval=query.seconds(metric.interval) / speed,
        retry=ERROR_RETRY / speed,
        count=metric.count,
        success=metric.success_condition,
        failure=metric.failure_condition,
        failure_limit=metric.failure_limit,
        success_limit=metric.consecutive_success_limit,
        inconclusive_limit=metric.inconclusive_limit,
        error_limit=metric.consecutive_error_limit,
    )


def measured(asked: Rules, result: Sequence[float] | None, message: str = "") -> Measurement:
    """Hold an answer against both conditions, failure first; None is no answer."""
    if result is None:
        return Measurement(phase="Error", message=message)
    value = result[0] if len(result) == 1 else None
    phase: Measured = "Inconclusive"
    if CONDITIONS[asked.failure](result):
        phase = "Failed"
    elif CONDITIONS[asked.success](result):
        phase = "Successful"
    return Measurement(phase=phase, value=value, message=message)


def take(asked: Rules, run: Run, found: Measurement) -> Run:
    """Count one measurement of a run that goes on; the limits are looked at in the controller's order."""
    good, wrong = found.phase == "Successful", found.phase == "Error"
    run = Run(
        value=found.value,
        successful=run.successful + good,
        failed=run.failed + (found.phase == "Failed"),
        inconclusive=run.inconclusive + (found.phase == "Inconclusive"),
        errors=run.errors + wrong,
        consecutive_successes=run.consecutive_successes + 1 if good else 0,
        consecutive_errors=run.consecutive_errors + 1 if wrong else 0,
    )
    assessed = f'Metric "{asked.name}" assessed {{}} due to {{}} ({{}}) > {{}} ({{}})'
    for phase, name, have, limit, most in (
        ("Failed", "failed", run.failed, "failureLimit", asked.failure_limit),
        ("Inconclusive", "inconclusive", run.inconclusive, "inconclusiveLimit", asked.inconclusive_limit),
        ("Error", "consecutiveErrors", run.consecutive_errors, "consecutiveErrorLimit", asked.error_limit),
    ):
        if have > most:
            message = assessed.format(phase, name, have, limit, most)
            if found.message:
                message += f': "Error Message: {found.message}"'
            return msgspec.structs.replace(run, phase=phase, message=message)
    if run.consecutive_successes >= asked.success_limit:
        return msgspec.structs.replace(run, phase="Successful")
    if run.successful + run.failed + run.inconclusive >= asked.count:
        return msgspec.structs.replace(run, phase="Inconclusive")
    return run


def wait(asked: Rules, found: Measurement) -> float:
    """Seconds from a measurement to the next one."""
    return asked.retry if found.phase == "Error" else asked.interval


def cause(run: Run) -> Cause | None:
    """Say what a run that failed was about; what the judge has never answered quarantines nothing."""
    if run.phase == "Failed":
        return query.CAUSES.get(run.value if run.value is not None else 0, "error")
    return "error" if run.phase == "Error" else None
