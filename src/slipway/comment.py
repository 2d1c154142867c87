"""The comment on a pull request: what a run has found out, and what main's code knows without it.

What protects main in it, the commit, the guards that it touches, the data before it, is not the run's to say: that is
`Known`. Nothing that the run says can become a link, a mention or markup.
"""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from slipway.canary.records import ARMS
from slipway.canary.units import duration
from slipway.markdown import bar, code, codes, fitting, folded, plain, table
from slipway.records import (
    Check,
    CheckedMonth,
    Comparison,
    Estimate,
    GateDecision,
    Metrics,
    SliceMetrics,
    Window,
    interval,
)
from slipway.report import Data, Report
from slipway.rollout.records import Rehearsed

MOST = 60_000  # bytes of a comment: GitHub takes 65,536 characters
MARKS = {True: "✅", False: "❌", None: "·"}
ENDED = {"promoted": "✅ promoted", "aborted": "❌ aborted", "inconclusive": "❔ the judge cannot tell"}
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
MOST_GUARDS, MOST_REASONS = 20, 12  # the gate's own table has all of its rules
TOO_FEW = "too few"


class Comment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is said on a pull request about a commit, and which guards that commit touches."""

    schema_version: int = 1
    commit: str
    guards: tuple[str, ...]
    markdown: str


def guards(codeowners: str) -> tuple[str, ...]:
    """Paths that decide about a change: those that a CODEOWNERS file names from the root, without their slashes."""
    return tuple(line.split()[0].strip("/") for line in codeowners.splitlines() if line.startswith("/"))


@dataclass(frozen=True)
class Known:
    """What the writer of a comment knows without the run: from the event, and from Git as main has it."""

    commit: str  # that the run was about
    base: str  # the last commit that everybody agreed on
    version: str  # what the next release is called
    guards: tuple[str, ...]  # files that the commit changes and that decide about a change; sections of params.yaml
    data: Data | None  # where the change began; None where none had passed validation


def comment(found: Report, known: Known) -> Comment:
    """Write the comment. It is about MOST bytes at most, and says what does not fit."""
    told = ((name, text) for name, text in _parts(found, known) if text)
    return Comment(commit=known.commit, guards=known.guards, markdown=fitting(told, MOST))


def _parts(found: Report, known: Known) -> Iterator[tuple[str, str]]:
    """Name and text of each part, what a reviewer needs first comes first."""
    yield "the verdict", _headline(found.gate)
    yield "the reasons", _reasons(found.gate.checks if found.gate else ())
    yield "the guards", _guards(known)
    yield "the summary", _summary(found, known)
    if found.gate is not None:
        yield "the gate", _checks(found.gate)
    comparison = found.gate.comparison if found.gate else None
    if found.metrics is not None:
        yield "the metrics", _metrics(found.metrics, comparison)
        yield "the slices", _slices(found.metrics.slices, comparison)
    yield "the rehearsal", _rehearsal(found.rehearsal)
    yield "the data", _data(found.data, known.data)
    if found.metrics is not None:
        yield "what the model uses most", _importance(found.metrics)
    yield "how to reproduce", _again(found, known)
    yield "the footer", _footer(found)


def _headline(decided: GateDecision | None) -> str:
    if decided is None:
        return "## ❔ No decision\n\nThe run ended before the gate, or left nothing that can be read; its log says why."
    return f"## {'✅ Accepted' if decided.accepted else '❌ Rejected'}: model {_short(decided.model_digest)}"


def _reasons(checks: Iterable[Check]) -> str:
    failed = [f"- {code(check.name)} {code(check.detail)}" for check in checks if check.passed is False]
    return "\n".join(failed[:MOST_REASONS])


def _guards(known: Known) -> str:
    """The red line; GitHub draws it as a red box, others as a quotation."""
    if not known.guards:
        return ""
    return (
        f"> [!CAUTION]\n> 🔴 **Guard changed:** {codes(known.guards, MOST_GUARDS)}. Thresholds and quarantine are those"
        f" of {_short(known.base)} here, not its own; a rehearsal plays its own manifests and margins."
        " Once it is merged, its own decide about all that follows."
    )


def _summary(found: Report, known: Known) -> str:
    if found.gate and found.gate.accepted:
        called = f"{code(known.version)}, if nothing is released before it"
    else:
        called = f"nothing is released as it stands; the next version is {code(known.version)}"
    rows = (
        ("commit", f"{code(known.commit)}, held against {_short(_base(found, known))}"),
        ("release", called),
        ("rehearsal", _ending(found.rehearsal) if found.rehearsal else "none"),
        ("data", _change_of_data(found.data, known.data)),
    )
    return "\n".join(f"- **{name}**: {text}" for name, text in rows)


def _checks(decided: GateDecision) -> str:
    rows = ((MARKS[check.passed], code(check.name), code(check.detail)) for check in decided.checks)
    return "### Gate\n\n" + table(("", "rule", "what was found"), rows)


def _metrics(metrics: Metrics, comparison: Comparison | None) -> str:
    title = f"### Metrics\n\nOn {_window(metrics.test)}, with {metrics.confidence:.0%} intervals by whole days."
    if comparison is None:
        rows = ((_name(name), interval(estimate)) for name, estimate in metrics.overall.items())
        return f"{title}\n\n{table(('metric', 'candidate'), rows)}"
    unseen = (
        f" Compared with the champion, version {code(comparison.champion_version)}, on the {comparison.rows:,} flights"
        f" from {code(comparison.first)} to {code(comparison.last)}: it was not trained on them."
    )
    compared = (
        (
            _name(name),
            interval(estimate),
            f"{found.candidate:.3f}",
            f"{found.champion:.3f}",
            _change(name, found.difference),
        )
        for name, estimate in metrics.overall.items()
        if (found := comparison.overall.get(name))
    )
    header = ("metric", "candidate", "candidate, unseen days", "champion, unseen days", "difference")
    return f"{title}{unseen}\n\n{table(header, compared)}"


def _slices(slices: Iterable[SliceMetrics], comparison: Comparison | None) -> str:
    against = {(group.by, group.group): group.auc for group in comparison.slices} if comparison else {}
    header = ["slice", "flights", "late", "AUC", "0.5 to 1"] + ["against champion"] * bool(comparison)
    rows = []
    for group in slices:
        row = [code(f"{group.by} {group.group}"), f"{group.rows:,}", f"{group.late_share:.0%}"]
        row += [TOO_FEW, ""] if group.auc is None else [interval(group.auc), bar(2 * group.auc.value - 1)]
        if comparison:
            row.append(_change("auc", against.get((group.by, group.group))))
        rows.append(row)
    return folded("Slices", table(header, rows))


def _rehearsal(result: Rehearsed | None) -> str:
    if result is None:
        return "### Rehearsal\n\nNone: no canary of this model was played."
    seen = {arm: result.traffic[arm] for arm in ARMS if arm in result.traffic}
    rows = (
        (
            arm,
            code(result.canary if arm == "canary" else result.stable),
            f"{one.requests:,}",
            f"{one.errors:,}",
            "" if one.p95 is None else f"{1000 * one.p95:.0f} ms",
        )
        for arm, one in seen.items()
    )
    said = [code(text) for text in (result.evidence.detail if result.evidence else "", result.message) if text]
    told = table(("arm", "version", "requests", "errors", "p95"), rows)
    ending = f"{_ending(result)}, in {duration(result.seconds)}, with the manifests of {code(result.environment)}."
    return "\n\n".join(("### Rehearsal", ending, *said, told))


def _ending(result: Rehearsed) -> str:
    blame = result.evidence.blame if result.evidence and result.outcome == "aborted" else None
    because = f", cause {result.cause}" if result.cause else ""
    return (
        f"{ENDED[result.outcome]}{because}{f', for {code(blame)}' if blame else ''}:"
        f" {code(result.canary)} beside {code(result.stable) if result.stable else 'nothing'}"
    )


def _data(here: Data | None, before: Data | None) -> str:
    """The months that differ, each beside what it was."""
    if here is None or (before is not None and before.months == here.months):
        return ""
    now, was = ({one.month: one for one in data.months} if data else {} for data in (here, before))
    changed = sorted(month for month in now | was if now.get(month) != was.get(month))
    most = max((one.rows for one in (now | was).values()), default=0) or 1
    rows = (
        (
            code(month),
            *_month(was.get(month)),
            *_month(now.get(month)),
            bar(now[month].rows / most) if month in now else "gone",
        )
        for month in changed
    )
    header = ("month", "flights before", "late before", "flights", "late", "of the largest")
    return f"### Data\n\nMonths that differ:\n\n{table(header, rows)}"


def _month(one: CheckedMonth | None) -> tuple[str, str]:
    if one is None:
        return "", ""
    return f"{one.rows:,}", "" if one.late_share is None else f"{one.late_share:.1%}"


def _change_of_data(here: Data | None, before: Data | None) -> str:
    if here is None:
        return "not validated in this run"
    total = f"{sum(one.rows for one in here.months):,} flights in {len(here.months):,} months"
    if before is None:
        return f"{total}, {code(here.digest)}; before it there were none"
    if before.digest == here.digest:
        return f"{total}, {code(here.digest)}, as before"
    was = f"{sum(one.rows for one in before.months):,} in {len(before.months):,}"
    return f"changed: {total}, before {was}; {code(here.digest)}, before {code(before.digest)}"


def _importance(metrics: Metrics) -> str:
    ranked = sorted(metrics.importance.items(), key=lambda item: -item[1])[:TOP]
    most = max((lost for _, lost in ranked), default=0) or 1
    rows = ((code(name), f"{lost:.3f}", bar(lost / most)) for name, lost in ranked)
    return folded("What the model uses most", table(("feature", "AUC lost when it is shuffled", ""), rows))


def _again(found: Report, known: Known) -> str:
    """The commands of the workflow, for a shell: what the run says of its own is quoted."""
    lines = [
        f"git fetch origin {known.commit}",
        f"git checkout {known.commit}    # the next lines run its code",
        'make venv && export PATH="$PWD/.venv/bin:$PATH"',
        "dvc pull data.dvc",
        "dvc repro",
        'git add dvc.lock artifacts && git commit --allow-empty --message "Record what the pipeline computed"',
        "slipway pull    # the image of the recorded stable",
        f"slipway gate --stable --base {_word(_base(found, known))}",
    ]
    if found.rehearsal is not None:
        lines += [
            f"slipway package --version {_word(found.rehearsal.canary)}",
            f"slipway rehearse {' '.join(map(_word, found.rehearsal.arguments))}".rstrip(),
        ]
    return folded("How to reproduce", "\n".join(("```sh", *lines, "```")))


def _base(found: Report, known: Known) -> str:
    """Whose thresholds decided; main may have moved on since."""
    return found.gate.base if found.gate else known.base


def _word(text: str) -> str:
    return shlex.quote(plain(text))


def _footer(found: Report) -> str:
    said = []
    if found.model is not None:
        said.append(f"{code(found.model.estimator)}, trained on {_window(found.model.train)}.")
    if found.gate is not None:
        speed = f"{found.gate.latency_ms:.3f} ms"
        said.append(f"One call takes {speed}, the model has {found.gate.model_bytes:,} bytes.")
    said.append("These are the numbers of a run of this change's own code; main trains, gates and signs anew.")
    return " ".join(said)


def _change(name: str, difference: Estimate | None) -> str:
    """A difference with an arrow, where its interval leaves zero: what is better points up, whatever the sign."""
    if difference is None:
        return TOO_FEW
    clear = "↑ better" if (difference.low > 0) == (name in MORE_IS_BETTER) else "↓ worse"
    arrow = "→" if difference.low <= 0 <= difference.high else clear
    return f"{interval(difference, sign='+')} {arrow}"


def _name(metric: str) -> str:
    return NAMES.get(metric) or code(metric)


def _window(window: Window) -> str:
    return f"{window.rows:,} flights from {code(window.first)} to {code(window.last)}"


def _short(digest: str) -> str:
    return code(digest.removeprefix("sha256:")[:12])
