"""What each gated step asks for: of which metrics, and at which margin."""

import msgspec

from slipway.canary.records import Policy


def within(policy: Policy, steps: int) -> Policy:
    """Ask for every metric at the last step at the latest: one that no step asks for would gate nothing."""
    replace = msgspec.structs.replace
    metrics = {
        kind: replace(metric, required_from=min(metric.required_from, steps)) for kind, metric in policy.metrics.items()
    }
    return replace(policy, metrics=metrics)


def margins(margin: float, steps: int) -> tuple[float, ...]:
    """What each gated step asks: the last the margin, the one before twice as much, all earlier ones four times."""
    return tuple(margin * min(4, 2 ** (steps - step)) for step in range(1, steps + 1))
