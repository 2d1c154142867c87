"""A decision of the gate as Markdown, for a pull request: readable without an image, the reasons first."""

from collections.abc import Iterable

from slipway.records import Comparison, Estimate, GateDecision, Metrics, ModelInfo

MARKS = {True: "✅", False: "❌", None: "·"}
NAMES = {
    "auc": "AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "f1": "F1",
    "cost": "cost per flight",
}
MORE_IS_BETTER = ("auc", "average_precision", "f1")
TOP = 5
TOO_FEW = "too few"


def markdown(decided: GateDecision, model: ModelInfo, metrics: Metrics | None) -> str:
    """Render the decision, the metrics and the slices; `metrics` is None where there are none to be believed."""
    parts = [_headline(decided), _checks(decided)]
    if metrics is not None:
        parts += [_metrics(metrics, decided.comparison), _slices(metrics, decided.comparison), _importance(metrics)]
    return "\n\n".join([*parts, _footer(decided, model)]) + "\n"


def _headline(decided: GateDecision) -> str:
    failed = [check for check in decided.checks if check.passed is False]
    lines = [f"## {'✅ Accepted' if decided.accepted else '❌ Rejected'}: model `{_short(decided.model_digest)}`"]
    lines += [f"- **{check.name}**: {check.detail}" for check in failed]
    if decided.guards_changed:
        changed = ", ".join(f"`{name}`" for name in decided.guards_changed)
        base = decided.base[:12]
        lines.append(f"\n> 🔴 **Guard changed:** {changed} of `params.yaml`. The thresholds are those of `{base}`.")
    return "\n".join(lines)


def _checks(decided: GateDecision) -> str:
    rows = ((MARKS[check.passed], f"`{check.name}`", check.detail) for check in decided.checks)
    return "### Gate\n\n" + _table(("", "rule", "what was found"), rows)


def _metrics(metrics: Metrics, comparison: Comparison | None) -> str:
    window = f"{metrics.test.rows:,} flights from {metrics.test.first} to {metrics.test.last}"
    title = f"### Metrics\n\nOn {window}, with {metrics.confidence:.0%} intervals by whole days."
    if comparison is None:
        rows = ((_name(name), _interval(estimate)) for name, estimate in metrics.overall.items())
        return f"{title}\n\n{_table(('metric', 'candidate'), rows)}"
    unseen = (
        f" Compared with the champion, version {comparison.champion_version}, on the {comparison.rows:,} flights"
        f" from {comparison.first} to {comparison.last}: it was not trained on them."
    )
    compared = (
        (
            _name(name),
            _interval(estimate),
            f"{found.candidate:.3f}",
            f"{found.champion:.3f}",
            _change(name, found.difference),
        )
        for name, estimate in metrics.overall.items()
        if (found := comparison.overall.get(name))
    )
    header = ("metric", "candidate", "candidate there", "champion there", "difference")
    return f"{title}{unseen}\n\n{_table(header, compared)}"


def _slices(metrics: Metrics, comparison: Comparison | None) -> str:
    against = {(group.by, group.group): group.auc for group in comparison.slices} if comparison else {}
    header = ["slice", "flights", "late", "AUC"] + ["against champion"] * bool(comparison)
    rows = []
    for group in metrics.slices:
        auc = TOO_FEW if group.auc is None else _interval(group.auc)
        row = [f"{group.by} {group.group}", f"{group.rows:,}", f"{group.late_share:.0%}", auc]
        if comparison:
            row.append(_change("auc", against.get((group.by, group.group))))
        rows.append(row)
    return f"<details><summary>Slices</summary>\n\n{_table(header, rows)}\n\n</details>"


def _importance(metrics: Metrics) -> str:
    ranked = sorted(metrics.importance.items(), key=lambda item: -item[1])[:TOP]
    rows = ((f"`{name}`", f"{lost:.3f}") for name, lost in ranked)
    table = _table(("feature", "AUC lost when it is shuffled"), rows)
    return f"<details><summary>What the model uses most</summary>\n\n{table}\n\n</details>"


def _footer(decided: GateDecision, model: ModelInfo) -> str:
    return (
        f"{model.estimator}, trained on {model.train.rows:,} flights from {model.train.first} to {model.train.last}."
        f" One call takes {decided.latency_ms:.3f} ms, the model has {decided.model_bytes:,} bytes."
        f" Thresholds of `{decided.base[:12]}`."
    )


def _change(name: str, difference: Estimate | None) -> str:
    """A difference with an arrow, where its interval leaves zero: what is better points up, whatever the sign."""
    if difference is None:
        return TOO_FEW
    clear = "↑ better" if (difference.low > 0) == (name in MORE_IS_BETTER) else "↓ worse"
    arrow = "→" if difference.low <= 0 <= difference.high else clear
    return f"{_interval(difference, sign='+')} {arrow}"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(header)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _name(metric: str) -> str:
    return NAMES.get(metric, metric)


def _interval(estimate: Estimate, sign: str = "") -> str:
    return f"{estimate.value:{sign}.3f} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
