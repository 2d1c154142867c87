"""The report of the gate, as a reviewer reads it."""

from pathlib import Path

import msgspec

from slipway import report
from slipway.records import (
    Check,
    Comparison,
    Difference,
    Estimate,
    GateDecision,
    Metrics,
    ModelInfo,
    SliceDifference,
    SliceMetrics,
    Window,
)

GOLDEN = Path(__file__).with_name("report.md")
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
    guards_changed=("gate",),
    checks=(
        Check(name="evidence", passed=True, detail="data, recipe, model and metrics belong together"),
        Check(name="auc_margin", passed=False, detail="-0.060 [-0.090, -0.030] against the champion; a | b"),
        Check(name="slice_auc_margin", passed=None, detail="switched off: null in params.yaml"),
    ),
    latency_ms=0.0064,
    model_bytes=33633,
    comparison=COMPARISON,
)


def test_rejected_against_a_champion() -> None:
    """The reasons and the changed guard come first, then each metric with its interval, against the champion."""
    assert report.markdown(DECISION, MODEL, METRICS) == GOLDEN.read_text(encoding="utf-8")


def test_arrows_point_up_for_better() -> None:
    """A lower cost is better, a lower AUC is worse, and an interval that holds zero is neither."""
    lines = report.markdown(DECISION, MODEL, METRICS).splitlines()
    end = {name: next(line for line in lines if line.startswith(f"| {name} ")) for name in ("AUC", "cost", "Brier")}

    assert end["AUC"].endswith("↓ worse |")
    assert end["cost"].endswith("↑ better |")
    assert end["Brier"].endswith("→ |")


def test_first_of_all_has_no_champion_column() -> None:
    """Without a champion the tables show the candidate alone."""
    first = msgspec.structs.replace(DECISION, accepted=True, first=True, comparison=None, guards_changed=())
    text = report.markdown(first, MODEL, METRICS)

    assert text.startswith("## ✅ Accepted")
    assert "champion" not in text.split("### Metrics")[1]
    assert "Guard changed" not in text


def test_without_metrics_the_reasons_still_stand() -> None:
    """Where the metrics cannot be believed the report says why, and shows none."""
    text = report.markdown(DECISION, MODEL, None)

    assert "**auc_margin**" in text
    assert "### Metrics" not in text
