"""What a candidate must reach before it may be registered and released. Pure: facts in, a decision out.

Every rule is reported, not only the first that fails. Conditions are written so that NaN fails them: a comparison with
NaN is false, and only a true one lets a model in.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from slipway import digests
from slipway.params import Evaluate, Gate
from slipway.records import Check, Comparison, Estimate, GateDecision, Metrics, SliceDifference, SliceMetrics, interval

RULES = (
    *("auc_floor", "calibration_ceiling", "cost_ceiling", "auc_margin", "cost_margin"),
    *("slice_auc_floor", "slice_auc_margin", "budget.latency_ms", "budget.model_bytes"),
)
Verdict = tuple[bool, str]


@dataclass(frozen=True)
class Candidate:
    """The model that asks to be let in.

    `barred`: why it or the recipe that made it is quarantined; `problems`: why what is at hand cannot be believed.
    """

    model_digest: str
    metrics: Metrics | None
    latency_ms: float
    model_bytes: int
    barred: tuple[str, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Incomparable:
    """A champion that the candidate cannot be held against."""

    champion_digest: str
    reason: str


@dataclass(frozen=True)
class Policy:
    """The guards, the commit they were read from, and those of them that the tree has changed since."""

    thresholds: Gate
    evaluate: Evaluate  # what a mistake costs, and how sure an interval is
    base: str
    changed: tuple[str, ...] = ()


def decide(
    candidate: Candidate, champion: Comparison | Incomparable | None, policy: Policy, *, first: bool
) -> GateDecision:
    """Judge a candidate by every rule. `champion` is None where the registry has none, which `first` must then say."""
    comparison = champion if isinstance(champion, Comparison) else None
    checks = (
        _evidence(candidate, policy),
        _champion(champion, first=first),
        _quarantine(candidate),
        *_rules(candidate, comparison, policy),
    )
    return GateDecision(
        accepted=all(check.passed is not False for check in checks),
        first=first,
        model_digest=candidate.model_digest,
        champion=champion.champion_digest if champion else None,
        base=policy.base,
        thresholds_digest=digests.of_bytes(msgspec.json.encode(policy.thresholds, order="sorted")),
        guards_changed=policy.changed,
        checks=checks,
        latency_ms=candidate.latency_ms,
        model_bytes=candidate.model_bytes,
        comparison=comparison,
    )


def _evidence(candidate: Candidate, policy: Policy) -> Check:
    problems = list(candidate.problems)
    if candidate.metrics is None:
        problems.append("there are no metrics")
    elif candidate.metrics.model_digest != candidate.model_digest:
        problems.append("the metrics are of another model")
    said = [f"{'; '.join(problems)}: run `dvc repro`"] if problems else []
    if "evaluate" in policy.changed:  # the metrics were made with the tree's
        said.append(
            f"`evaluate` in params.yaml differs from the base {policy.base[:12]}:"
            " merge that change first, alone, and name its commit with --base"
        )
    if said:
        return Check(name="evidence", passed=False, detail="; ".join(said))
    return Check(name="evidence", passed=True, detail="data, recipe, model and metrics belong together")


def _champion(champion: Comparison | Incomparable | None, *, first: bool) -> Check:
    match champion, first:
        case None, True:
            passed, detail = True, "none yet: the first of all, by --first"
        case None, False:
            passed, detail = False, "there is none to compare with; let the first of all in with --first"
        case _, True:
            passed, detail = False, "there is one already: --first is for the first of all, run again without it"
        case Incomparable(reason=reason), False:
            passed, detail = False, f"cannot compare: {reason}"
        case Comparison() as comparison, False:
            passed = True
            detail = (
                f"version {comparison.champion_version}, compared on {comparison.rows:,} flights"
                f" from {comparison.first} to {comparison.last}"
            )
    return Check(name="champion", passed=passed, detail=detail)


def _quarantine(candidate: Candidate) -> Check:
    if candidate.barred:
        remedy = "change the recipe, or let it in with `slipway quarantine lift DIGEST --why TEXT`"
        return Check(name="quarantine", passed=False, detail=f"{'; '.join(candidate.barred)}: {remedy}")
    return Check(name="quarantine", passed=True, detail="neither the model nor the recipe is barred")


def _rules(candidate: Candidate, comparison: Comparison | None, policy: Policy) -> Iterable[Check]:
    """One check per key of `gate`, in the order of RULES."""
    judges = _budget(candidate)
    if candidate.metrics is not None:
        judges |= _floors(candidate.metrics, policy.evaluate.missed_cost)
    if comparison is not None:
        judges |= _margins(comparison)
    plain = msgspec.to_builtins(policy.thresholds)
    plain |= {f"budget.{key}": value for key, value in plain.pop("budget").items()}
    for name in RULES:
        if plain[name] is None:
            yield Check(name=name, passed=None, detail="switched off: null in params.yaml")
        elif name not in judges:
            missing = "a champion to compare with" if "margin" in name else "metrics"
            yield Check(name=name, passed=None, detail=f"not judged without {missing}")
        else:
            passed, detail = judges[name](plain[name])
            yield Check(name=name, passed=passed, detail=detail)


def _floors(metrics: Metrics, missed_cost: float) -> dict[str, Callable[[float], Verdict]]:
    auc, error, cost = (metrics.overall.get(name) for name in ("auc", "calibration_error", "cost"))
    never = missed_cost * metrics.test.late_share or math.nan  # where nobody was late, no share can be given
    share = cost and Estimate(value=cost.value / never, low=cost.low / never, high=cost.high / never)
    return {
        "auc_floor": lambda limit: _at_least(auc, limit),
        "calibration_ceiling": lambda limit: _at_most(error, limit),
        "cost_ceiling": lambda limit: _at_most(share, limit, " of the cost of never warning"),
        "slice_auc_floor": lambda limit: _slices(metrics.slices, limit),
    }


def _margins(comparison: Comparison) -> dict[str, Callable[[float], Verdict]]:
    differences = {name: found.difference for name, found in comparison.overall.items()}
    return {
        "auc_margin": lambda limit: _at_least(differences.get("auc"), -limit, " against the champion"),
        "cost_margin": lambda limit: _at_most(differences.get("cost"), limit, " a flight against the champion"),
        "slice_auc_margin": lambda limit: _slices(comparison.slices, -limit, " against the champion"),
    }


def _budget(candidate: Candidate) -> dict[str, Callable[[float], Verdict]]:
    latency, size = candidate.latency_ms, candidate.model_bytes
    return {
        "budget.latency_ms": lambda limit: (latency <= limit, f"{latency:.3f} ms a call; needs ≤ {limit:g}"),
        "budget.model_bytes": lambda limit: (size <= limit, f"{size:,} bytes; needs ≤ {limit:,.0f}"),
    }


def _at_least(estimate: Estimate | None, limit: float, of: str = "") -> Verdict:
    """Hold the cautious end of an interval against a lower limit."""
    if estimate is None:
        return False, "not measured"
    return estimate.low >= limit, f"{interval(estimate)}{of}; needs a low end ≥ {limit:g}"


def _at_most(estimate: Estimate | None, limit: float, of: str = "") -> Verdict:
    """Hold the cautious end of an interval against an upper limit."""
    if estimate is None:
        return False, "not measured"
    return estimate.high <= limit, f"{interval(estimate)}{of}; needs a high end ≤ {limit:g}"


def _slices(slices: Iterable[SliceMetrics | SliceDifference], limit: float, of: str = "") -> Verdict:
    """Refuse what is shown to be bad: a slice whose hopeful end is below the limit. Small ones are not judged.

    Where all are small, nothing at all is known, and doubt is a no.
    """
    judged = [(f"{group.by} {group.group}", group.auc) for group in slices if group.auc is not None]
    if not judged:
        return False, "no slice has enough flights and both outcomes: lower evaluate.slice_min_rows, or switch this off"
    bad = [f"{name} {interval(auc)}" for name, auc in judged if not auc.high >= limit]
    if bad:
        return False, f"{', '.join(bad)}{of}; needs a high end ≥ {limit:g}"
    return True, f"none of {len(judged)} slices is shown to be below {limit:g}{of}"
