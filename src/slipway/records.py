"""What travels between steps: frozen records, to and from JSON text.

Every record that reaches a disk carries `schema_version`. Reading is strict: an unknown key, a missing one, a wrong
type or a NaN (which JSON writes as null) is an error, never a default.
"""

import math
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from slipway.errors import Broken

Record = TypeVar("Record", bound=msgspec.Struct)
DIGITS = 9  # floats are rounded on the way out, so that the last bits of a processor do not reach Git

Digest = Annotated[str, msgspec.Meta(pattern=r"\Asha256:[0-9a-f]{64}\Z")]


def dumps(record: msgspec.Struct) -> str:
    """Render a record as JSON with sorted keys, rounded floats and a final newline: the same record, the same bytes."""
    plain = _rounded(msgspec.to_builtins(record))
    return msgspec.json.format(msgspec.json.encode(plain, order="sorted"), indent=2).decode() + "\n"


def loads(kind: type[Record], text: str | bytes, origin: str) -> Record:
    """Read a record of `kind` from JSON text; `origin` names the place it came from in an error.

    Raises:
        Broken: the text is no JSON, or not exactly such a record.

    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:  # bytes of a shell that are no text
        raise Broken(
            f"{origin} holds no valid {kind.__name__}: {error}", "Make it again with the command that wrote it."
        ) from error


def _rounded(value: Any) -> Any:  # noqa: ANN401  # JSON values, of any shape
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


class _Frozen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Window(_Frozen, frozen=True, kw_only=True):
    """A stretch of days, both ends included (ISO 8601), and the rows with a known truth in it."""

    first: str
    last: str
    rows: int
    late_share: float
    coverage: float  # rows with a known truth / all rows; a cancelled flight has none


class Split(_Frozen, frozen=True, kw_only=True):
    """What `prepare` made: two windows in time, and the months they came from."""

    schema_version: int = 1
    train: Window
    test: Window


class ModelFeature(_Frozen, frozen=True, kw_only=True):
    """One input of the model: its name, the column it encodes, and the vocabulary where it has one."""

    name: str
    column: str
    choices: tuple[str, ...]


class ModelInfo(_Frozen, frozen=True, kw_only=True):
    """What stands beside `model.onnx`: enough to serve it, to compare it, and to refuse a foreign one."""

    schema_version: int = 1
    model_digest: str  # sha256:... of model.onnx
    estimator: str
    request_version: int  # schema.VERSION
    features: tuple[ModelFeature, ...]
    threshold: float  # a flight is called late from this probability on: where both mistakes cost the same
    train: Window
    validation_log_loss: dict[str, float]  # by estimator, on the last days of training
    parity: float  # largest |ONNX - estimator| over the test split


class Estimate(_Frozen, frozen=True, kw_only=True):
    """A metric and its confidence interval."""

    value: float
    low: float
    high: float


def interval(estimate: Estimate, sign: str = "") -> str:
    """An estimate for a person; `sign` "+" where it is a difference."""
    return f"{estimate.value:{sign}.3f} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


class SliceMetrics(_Frozen, frozen=True, kw_only=True):
    """One group of the test rows. `auc` is None when there are too few rows, or only one outcome."""

    by: str
    group: str
    rows: int
    late_share: float
    auc: Estimate | None


class Metrics(_Frozen, frozen=True, kw_only=True):
    """What `evaluate` measured on the test window."""

    schema_version: int = 1
    model_digest: str
    test: Window
    confidence: float
    overall: dict[str, Estimate]  # auc, average_precision, log_loss, brier, calibration_error, f1, cost
    slices: tuple[SliceMetrics, ...]
    importance: dict[str, float]  # AUC lost when the feature is shuffled


class Descriptor(_Frozen, frozen=True, kw_only=True, rename={"media_type": "mediaType"}, forbid_unknown_fields=False):
    """A blob of a registry, in the words of the OCI image specification; what others write into theirs is dropped."""

    media_type: str
    digest: Digest
    size: int


class RuntimeLock(_Frozen, frozen=True, kw_only=True):
    """The runtime image that releases stand on: what must be known of it to append a layer without its blobs."""

    schema_version: int = 1
    platform: str  # os/architecture
    repository: str | None  # host/name that holds its blobs; None until somebody has built it on a registry of theirs
    manifest_digest: Digest
    config: dict[str, Any]  # the image configuration, as its registry holds it
    layers: tuple[Descriptor, ...]


class Bundle(_Frozen, frozen=True, kw_only=True):
    """What a bento was made from, baked into it: the chain from a prediction back to the commit and the data."""

    schema_version: int = 1
    version: str  # of the release, semantic
    source_commit: str
    data_digest: str
    recipe_digest: str
    model_digest: str  # of model.onnx; the service is ready only with exactly that model
    request_version: int


class ManifestImages(_Frozen, frozen=True, kw_only=True):
    """What the rendered manifests run: by environment the image, or None before its first release."""

    schema_version: int = 1
    running: dict[str, str | None]


class LedgerTables(_Frozen, frozen=True, kw_only=True):
    """A ledger's tables, and whether they were made just now."""

    schema_version: int = 1
    ledger: str  # its address, without what is secret
    schema: int  # the version of the tables
    made: bool


class Package(_Frozen, frozen=True, kw_only=True):
    """What `slipway package` made of a bundle: the bento as a tree, and the image as a manifest."""

    schema_version: int = 1
    bundle: Bundle
    bento_digest: Digest
    image_digest: Digest


class Evidence(_Frozen, frozen=True, kw_only=True):
    """What an outcome rests on: the judge's last word on a canary, without its paths."""

    detail: str  # one sentence for a person
    blame: str | None  # the metric with most evidence against the canary
    requests: dict[str, float]  # that were compared, by arm
    seconds: float  # since the attempt began
    abort: float  # evidence against the canary, the natural logarithm of an e-value
    abort_needed: float
    attempt: int
    step: int  # the gated step, from 1


EventKind = Literal["proposed", "promoted", "reverted", "superseded", "rolled-back", "restored"]
Cause = Literal["verdict", "unavailable", "error", "deadline", "person"]


class ReleaseEvent(_Frozen, frozen=True, kw_only=True):
    """Something that happened to a release in an environment.

    `rolled-back` happens to the release that was left, `restored` to the earlier one that came back in its place.
    """

    kind: EventKind
    environment: str
    at: str  # ISO 8601, UTC
    cause: Cause | None  # of an outcome
    commit: str | None = None  # of `promoted`: the release commit, whose rendered manifests are those of this release
    why: str | None = None  # in a person's words
    evidence: Evidence | None = None


class Release(_Frozen, frozen=True, kw_only=True):
    """releases/<version>.json: what is released, the decision that let it in, and all that happened to it since."""

    schema_version: int = 1
    package: Package
    gate: "GateDecision"
    events: tuple[ReleaseEvent, ...]


class Stable(_Frozen, frozen=True, kw_only=True):
    """The recorded stable: the version to go back to, by environment."""

    schema_version: int = 1
    environments: dict[str, str]


Part = Literal["image", "bento", "model", "recipe"]  # of a release, by whose digest it may be barred


class QuarantineEvent(_Frozen, frozen=True, kw_only=True):
    """A digest was barred from release, or let in again."""

    kind: Literal["quarantined", "lifted"]
    what: Part
    digest: Digest
    version: str  # of the release that it was quarantined with
    environment: str
    at: str  # ISO 8601, UTC
    cause: Cause
    why: str | None = None  # of `lifted`, in a person's words


class Quarantine(_Frozen, frozen=True, kw_only=True):
    """releases/quarantine.json: append-only; the last event of a digest says whether it is barred."""

    schema_version: int = 1
    events: tuple[QuarantineEvent, ...] = ()


class CheckedMonth(_Frozen, frozen=True, kw_only=True):
    """A month of flights that passed validation; `late_share` is None when no flight of it has a known truth."""

    month: str
    rows: int
    late_share: float | None


class Validation(_Frozen, frozen=True, kw_only=True):
    """What `validate` held the data to: expectations checked by rule; 0 where a rule is switched off."""

    schema_version: int = 1
    months: tuple[CheckedMonth, ...]
    rules: dict[str, int]


class Difference(_Frozen, frozen=True, kw_only=True):
    """One metric of the candidate and of the champion on the same rows; the difference is candidate minus champion."""

    candidate: float
    champion: float
    difference: Estimate


class SliceDifference(_Frozen, frozen=True, kw_only=True):
    """AUC of the candidate minus that of the champion in one group; None where `SliceMetrics` has none."""

    by: str
    group: str
    rows: int
    auc: Estimate | None


class Comparison(_Frozen, frozen=True, kw_only=True):
    """Candidate against champion, on the days of the test window that the champion was not trained on."""

    champion_digest: str
    champion_version: str  # in the registry
    first: str
    last: str
    rows: int
    overall: dict[str, Difference]
    slices: tuple[SliceDifference, ...]


class Check(_Frozen, frozen=True, kw_only=True):
    """One rule of the gate and what became of it; `passed` is None where nothing was judged, `detail` says why."""

    name: str  # evidence, champion, quarantine, or a key of `gate` in params.yaml
    passed: bool | None
    detail: str


class GateDecision(_Frozen, frozen=True, kw_only=True):
    """build/gate.json: whether a model is let in, by which thresholds, and why."""

    schema_version: int = 1
    accepted: bool
    first: bool  # let in without a champion to compare with, because a person said so
    model_digest: str
    champion: str | None  # digest of the model it was held against
    base: str  # the commit that the thresholds were read from
    thresholds_digest: str
    guards_changed: tuple[str, ...]  # sections of params.yaml that are not those of the base commit
    checks: tuple[Check, ...]
    latency_ms: float  # of one call with one row, on the machine that decided: the only number here a clock has made
    model_bytes: int
    comparison: Comparison | None


class Tracked(_Frozen, frozen=True, kw_only=True):
    """A training that is noted in MLflow."""

    schema_version: int = 1
    run_id: str
    model_digest: str


class Registered(_Frozen, frozen=True, kw_only=True):
    """A version of the registered model; `new` is false when it was there already."""

    schema_version: int = 1
    name: str
    version: str
    model_digest: str
    new: bool
