"""What a reviewer reads on a pull request; whatever the pull request says, it is no more than text there."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from slipway import comment, records
from slipway.comment import Known
from slipway.records import (
    Check,
    CheckedMonth,
    Comparison,
    Difference,
    Estimate,
    Evidence,
    GateDecision,
    Metrics,
    ModelInfo,
    SliceDifference,
    SliceMetrics,
    Window,
)
from slipway.report import NOTHING, Data, Report
from slipway.rollout.records import Rehearsed, Traffic

GOLDEN = Path(__file__).with_name("comment.md")
TRAIN = Window(first="2013-01-01", last="2013-03-31", rows=77911, late_share=0.236, coverage=0.96)
TEST = Window(first="2013-04-01", last="2013-04-30", rows=27564, late_share=0.286, coverage=0.97)
MODEL = ModelInfo(
    model_digest="sha256:" + "a" * 64,
    estimator="hist_gradient_boosting",
    request_version=1,
    features=(),
    threshold=1 / 6,
    train=TRAIN,
    validation_log_loss={},
    parity=0.0,
)
METRICS = Metrics(
    model_digest=MODEL.model_digest,
    test=TEST,
    confidence=0.95,
    overall={
        "auc": Estimate(value=0.64264, low=0.60271, high=0.69916),
        "brier": Estimate(value=0.19991, low=0.16843, high=0.23719),
        "cost": Estimate(value=0.90477, low=0.75559, high=1.11101),
    },
    slices=(
        SliceMetrics(
            by="origin", group="EWR", rows=10231, late_share=0.3089, auc=Estimate(value=0.68, low=0.64, high=0.73)
        ),
        SliceMetrics(by="carrier", group="HA", rows=30, late_share=0.1333, auc=None),
    ),
    importance={"carrier": 0.01, "minute": 0.0776, "temp": -0.008},
)
COMPARISON = Comparison(
    champion_digest="sha256:" + "c" * 64,
    champion_version="3",
    first="2013-04-16",
    last="2013-04-30",
    rows=13800,
    overall={
        "auc": Difference(candidate=0.65, champion=0.71, difference=Estimate(value=-0.06, low=-0.09, high=-0.03)),
        "brier": Difference(candidate=0.2, champion=0.19, difference=Estimate(value=0.01, low=-0.01, high=0.03)),
        "cost": Difference(candidate=0.9, champion=1.0, difference=Estimate(value=-0.1, low=-0.15, high=-0.05)),
    },
    slices=(
        SliceDifference(by="origin", group="EWR", rows=5100, auc=Estimate(value=-0.02, low=-0.05, high=0.01)),
        SliceDifference(by="carrier", group="HA", rows=15, auc=None),
    ),
)
DECISION = GateDecision(
    accepted=False,
    first=False,
    model_digest=MODEL.model_digest,
    champion=COMPARISON.champion_digest,
    base="b" * 40,
    thresholds_digest="sha256:" + "d" * 64,
    guards_changed=(),
    checks=(
        Check(name="evidence", passed=True, detail="data, recipe, model and metrics belong together"),
        Check(name="auc_margin", passed=False, detail="-0.060 [-0.090, -0.030] against the champion; a | b"),
        Check(name="slice_auc_margin", passed=None, detail="switched off: null in params.yaml"),
    ),
    latency_ms=0.0064,
    model_bytes=33633,
    comparison=COMPARISON,
)


REHEARSED = Rehearsed(
    environment="production",
    stable="1.2.0",
    canary="1.3.0",
    image="sha256:" + "e" * 64,
    outcome="aborted",
    cause="verdict",
    message="RolloutAborted",
    evidence=Evidence(
        detail="truth: the canary is worse by 3.1 pt, at most 2 pt are allowed.",
        blame="truth",
        requests={"stable": 900.0, "canary": 100.0},
        seconds=60.0,
        abort=4.2,
        abort_needed=3.9,
        attempt=1,
        step=1,
    ),
    traffic={
        "canary": Traffic(requests=1200, errors=3, p95=0.0123),
        "stable": Traffic(requests=9800, errors=0, p95=None),
    },
    seconds=192.0,
    seed=3,
    arguments=("--environment", "production", "--canary", "1.3.0", "--set", "bake=0s; rm -rf ~"),
)
JANUARY, FEBRUARY, LESS, MARCH, GONE = (
    CheckedMonth(month=month, rows=rows, late_share=late)
    for month, rows, late in (
        ("2013-01", 27004, 0.235),
        ("2013-02", 24951, 0.238),
        ("2013-02", 20000, 0.23),
        ("2013-03", 28834, None),
        ("2012-12", 26000, 0.2),
    )
)
FOUND = Report(
    gate=DECISION,
    model=MODEL,
    metrics=METRICS,
    rehearsal=REHEARSED,
    data=Data(digest="md5:1.dir", months=(JANUARY, FEBRUARY, MARCH)),
)
KNOWN = Known(
    commit="f" * 40,
    base="b" * 40,
    version="1.3.0",
    guards=("gate of params.yaml", "rollouts/judge.yaml"),
    data=Data(digest="md5:0.dir", months=(GONE, JANUARY, LESS)),
)
LIMIT = 65_536  # characters that GitHub takes
FIXED = {"aborted", "verdict", "canary", "stable"}  # where no other word can stand
PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")


def written(found: Report = FOUND, known: Known = KNOWN) -> str:
    """The comment."""
    return comment.comment(found, known).markdown


def reworded(value: Any, change: Callable[[str], str]) -> Any:
    """The same with other words, in names of mappings too."""
    if isinstance(value, msgspec.Struct):
        fields = {name: reworded(getattr(value, name), change) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **fields)
    if isinstance(value, dict):
        return {reworded(key, change): reworded(item, change) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(reworded(item, change) for item in value)
    return change(value) if isinstance(value, str) and value not in FIXED else value


def saying(words: str) -> tuple[Report, Known]:
    """What a hostile run may hand over: each text of it is these words and a number. As it is read."""
    texts: list[str] = []
    reworded(FOUND, lambda text: texts.append(text) or text)
    numbers = {text: f"{number:03d}" for number, text in enumerate(sorted(set(texts)))}
    found = reworded(FOUND, lambda text: f"{numbers[text]} {words}")
    return records.loads(Report, records.dumps(found), "a run"), replace(KNOWN, guards=(f"rollouts/{words}",))


def outside_code(text: str) -> list[tuple[str, str]]:
    """What a page is made of: every element and every letter, but for what stands in code."""
    tokens = [part for token in PARSER.parse(text) for part in (token, *(token.children or ()))]
    return [(token.type, "" if token.type in ("code_inline", "fence", "inline") else token.content) for token in tokens]


def test_the_whole_comment() -> None:
    """Verdict and reasons first, then the red line and the summary, then each part with its tables and bars."""
    assert written() == GOLDEN.read_text(encoding="utf-8")


@settings(max_examples=30)
@example("</details><script>alert(1)</script> <!--")
@example("![x](https://evil.example/x.png) [y](https://evil.example) <https://evil.example> www.evil.example")
@example("@example/release-owners #1 GH-1 example/slipway#1 " + "a" * 40)
@example("a ` b `` c ``` d\n```\n# Heading\n\n| a | b |\n|---|---|\n> [!CAUTION]\n")
@example("\\`*x*_y_ $z$ &lt;b&gt; \u202e ~~~ \\")
@given(st.text(max_size=300))
def test_words_of_a_pull_request_stay_words(words: str) -> None:
    """Feature names, slices, reasons, versions, months, file names: outside of code the comment does not change."""
    assert outside_code(written(*saying(f"x{words}x"))) == outside_code(written(*saying("harmless")))


def test_a_command_is_one_command() -> None:
    """What a run says of its own arguments is quoted: who copies the lines runs nothing else."""
    (line,) = [line for line in written().splitlines() if line.startswith("slipway rehearse")]
    assert line == "slipway rehearse --environment production --canary 1.3.0 --set 'bake=0s; rm -rf ~'"
    assert f"git checkout {KNOWN.commit}" in written()
    assert f"slipway gate --stable --base {DECISION.base}\n" in written()


def test_arrows_point_up_for_better() -> None:
    """A lower cost is better, a lower AUC is worse, and an interval that holds zero is neither."""
    lines = written().splitlines()
    end = {name: next(line for line in lines if line.startswith(f"| {name} ")) for name in ("AUC", "cost", "Brier")}

    assert end["AUC"].endswith("↓ worse |")
    assert end["cost"].endswith("↑ better |")
    assert end["Brier"].endswith("→ |")


def test_first_of_all_has_no_champion_column() -> None:
    """Without a champion the tables show the candidate alone."""
    first = msgspec.structs.replace(DECISION, accepted=True, first=True, comparison=None)
    text = written(msgspec.structs.replace(FOUND, gate=first))

    assert text.startswith("## ✅ Accepted")
    assert "champion" not in text.partition("### Metrics")[2]
    assert "- **release**: `1.3.0`, if nothing is released before it\n" in text


def test_what_is_not_accepted_has_no_release() -> None:
    """The summary then names the next version, and that this is not it."""
    assert "- **release**: nothing is released as it stands; the next version is `1.3.0`\n" in written()


def test_a_run_that_came_to_nothing_says_so() -> None:
    """No decision, no rehearsal, no data, no metrics; how to reproduce stands there all the same."""
    text = written(NOTHING)
    assert text.startswith("## ❔ No decision")
    assert "not validated in this run" in text
    assert "no canary of this model was played" in text
    assert "dvc repro" in text
    assert "### Gate" not in text
    assert "### Metrics" not in text


def test_no_guard_no_red_line() -> None:
    """The red line is there only where a guard was touched."""
    assert "> 🔴 **Guard changed:** `gate of params.yaml`, `rollouts/judge.yaml`." in written()
    quiet = replace(KNOWN, guards=())
    assert "🔴" not in written(known=quiet)


@pytest.mark.parametrize(
    ("before", "said", "months"),
    [
        (FOUND.data, "`md5:1.dir`, as before\n", []),
        (None, "before it there were none\n", ["2013-01", "2013-02", "2013-03"]),
        (KNOWN.data, "before 73,004 in 3; `md5:1.dir`, before `md5:0.dir`\n", ["2012-12", "2013-02", "2013-03"]),
        (Data(digest="md5:0.dir", months=FOUND.data.months), "**data**: changed: 80,789 flights in 3 months", []),
    ],
    ids=["the same", "the first", "other months", "other rows alone"],
)
def test_what_changed_in_the_data(before: Data | None, said: str, months: list[str]) -> None:
    """The summary says whether the bytes differ; the table has the months that are new, gone, or of another size."""
    text = written(known=replace(KNOWN, data=before))
    assert said in text
    rows = [line for line in text.partition("### Data")[2].splitlines() if line.startswith("| `20")]
    assert [row[3:10] for row in rows] == months


@pytest.mark.parametrize("words", ["x", "é🔴" * 200], ids=["short", "long"])
def test_it_is_never_too_long(words: str) -> None:
    """With thousands of slices, metrics, months, reasons and files it fits, and says what it leaves out."""
    many = [f"{words} {number}" for number in range(3_000)]
    metrics = msgspec.structs.replace(
        METRICS,
        overall=dict.fromkeys(many, METRICS.overall["auc"]),
        slices=tuple(msgspec.structs.replace(METRICS.slices[0], group=each) for each in many),
    )
    checks = tuple(Check(name=each, passed=False, detail=each) for each in many)
    months = tuple(msgspec.structs.replace(JANUARY, month=each) for each in many)
    found = msgspec.structs.replace(
        FOUND,
        gate=msgspec.structs.replace(DECISION, checks=checks, comparison=None),
        metrics=metrics,
        data=Data(digest=words, months=months),
    )
    text = written(found, replace(KNOWN, guards=tuple(many)))

    assert len(text.encode()) < LIMIT
    assert "🔴" in text
    assert "2,980 more" in text
    assert ("2,940 more are left out" in text) is (words == "x")
    assert text.startswith("## ❌ Rejected")
    assert ("Left out, as a comment takes no more:" in text) is (words != "x")


def test_codeowners_name_the_guards() -> None:
    """Paths from the root are guards; comments, and patterns that may be anywhere, are not."""
    assert comment.guards("# why\n* @all\n/rollouts/   @a @b\n\n*.md @c\n/params.yaml @a\n") == (
        "rollouts",
        "params.yaml",
    )
