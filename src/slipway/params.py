"""`params.yaml` as frozen records: one section per stage, and one for the gate. An unknown key is an error.

A rule whose value is null is switched off; the file says so in the open, and a pull request that does it touches a
guard (the gate reads `gate` and `evaluate` from the base commit).
"""

from typing import Annotated, Any, TypeVar

import msgspec

from slipway.errors import Broken

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e9)]  # infinity is none
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


Section = TypeVar("Section", bound=_Section)


class Validate(_Section, frozen=True):
    """Rules that each batch of data is held to; ranges, choices and types stand in the catalogue (schema.py)."""

    columns: bool  # exactly the catalogue's columns, in any order
    types: bool
    ranges: bool
    choices: bool  # known carriers and airports
    nulls: dict[str, Share] | None  # column -> largest share of missing values; required columns allow none
    duplicates: bool  # no flight twice
    contiguous: bool  # no month missing between the first and the last
    row_count: Share | None  # largest relative change against the month before
    target_rate: Share | None  # largest absolute change of the share of late flights against the month before


class Prepare(_Section, frozen=True):
    """How the rows are split: the newest `test_months` months are the test window, all before is training."""

    test_months: Count


class LogisticRegression(_Section, frozen=True):
    """Hyperparameters of the baseline."""

    C: Positive
    max_iter: Count


class HistGradientBoosting(_Section, frozen=True):
    """Hyperparameters of the histogram gradient boosting."""

    max_iter: Count
    learning_rate: Positive
    max_leaf_nodes: Count
    min_samples_leaf: Count
    l2_regularization: Annotated[float, msgspec.Meta(ge=0)]


class Train(_Section, frozen=True):
    """The estimators, and how the better one is found: log loss on the last `validation_days` of training."""

    validation_days: Count
    seed: Seed
    parity: Positive  # largest |probability of ONNX - probability of the estimator| on the test split
    logistic_regression: LogisticRegression
    hist_gradient_boosting: HistGradientBoosting


class Evaluate(_Section, frozen=True):
    """What a mistake costs, and how sure we want to be of a metric."""

    missed_cost: Positive  # a late flight that was not foreseen
    false_alarm_cost: Positive
    bootstrap_rounds: Annotated[int, msgspec.Meta(ge=1, le=100_000)]  # day-block bootstrap
    confidence: Annotated[float, msgspec.Meta(gt=0, lt=1)]  # at 0 an interval is a point, at 1 it is all draws
    slice_min_rows: Count  # smaller slices are reported without a metric
    importance_rows: Count
    seed: Seed


class Budget(_Section, frozen=True):
    """What the bundle may cost. Milliseconds are of one call to the model with one row; bytes of the model file."""

    latency_ms: Positive | None
    model_bytes: Count | None


class Gate(_Section, frozen=True):
    """What a candidate must reach; null switches a rule off."""

    auc_floor: Share | None
    calibration_ceiling: Share | None
    cost_ceiling: Positive | None  # as a share of what it costs never to warn
    auc_margin: Share | None
    cost_margin: Positive | None  # per flight
    slice_auc_floor: Share | None
    slice_auc_margin: Share | None
    budget: Budget


class Monitor(_Section, frozen=True):
    """What the live champion is held to, by predictions whose truth is known; null switches a rule off."""

    window_days: Count
    maturity_hours: Annotated[float, msgspec.Meta(ge=0, le=1e6)]  # younger predictions are left out: truth comes late
    least_days: Annotated[int, msgspec.Meta(ge=2, le=1_000_000)]  # with a known truth; intervals draw whole days
    least_truths: Count
    coverage_floor: Share  # of the window's predictions, those whose truth is known: the rest may be another kind
    auc_floor: Share | None
    brier_ceiling: Share | None
    cost_ceiling: Positive | None  # as a share of what it costs never to warn
    training_interval: bool  # AUC, Brier score and cost must not lie beyond the intervals that they had in training


class Guards(_Section, frozen=True, forbid_unknown_fields=False):
    """The sections that decide about a change: the thresholds, and how what is held against them comes about."""

    gate: Gate
    evaluate: Evaluate


class Params(_Section, frozen=True):
    """The whole file."""

    validate: Validate
    prepare: Prepare
    train: Train
    evaluate: Evaluate
    gate: Gate
    monitor: Monitor


def parse(raw: Any, origin: str = "params.yaml") -> Params:  # noqa: ANN401  # whatever the YAML holds
    """Check the parsed YAML of a parameter file.

    Raises:
        Broken: a key is unknown or missing, or a value has the wrong type or range.

    """
    return _convert(raw, Params, origin)


def guards(raw: Any, origin: str) -> Guards:  # noqa: ANN401
    """Check only the guards: a base commit may have other keys in the other sections.

    Raises:
        Broken: as `parse`.

    """
    return _convert(raw, Guards, origin)


def _convert(raw: Any, kind: type[Section], origin: str) -> Section:  # noqa: ANN401
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise Broken(
            f"{origin}: {error}", "Compare the file with src/slipway/params.py, which documents each key."
        ) from error
