"""What Git keeps of a verdict."""

from slipway.canary.records import Verdict
from slipway.records import Evidence


def evidence(verdict: Verdict) -> Evidence:
    """Shorten a verdict to what an outcome rests on; requests are those of the metric that compared most."""
    counted = [{str(arm): count.requests for arm, count in each.counts.items()} for each in verdict.metrics]
    most = max(counted, key=lambda requests: sum(requests.values()), default=dict[str, float]())
    return Evidence(
        detail=verdict.detail,
        blame=verdict.blame,
        requests=most,
        seconds=verdict.looked_at - verdict.started,
        abort=verdict.abort,
        abort_needed=verdict.abort_needed,
        attempt=verdict.attempt,
        step=verdict.step,
    )
