"""The document: every number from a record, every judgement from the card's words, nothing from a clock."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway import digests, features, schema
from slipway.card import packages
from slipway.card.words import Fairness, Words
from slipway.errors import Rejected
from slipway.records import Estimate, Metrics, ModelInfo, Package, RuntimeLock, SliceMetrics, Window
from slipway.schema import Column

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
SPACE = uuid.UUID("5f1a6d2e-3b0c-5a57-9d46-0c8f1f6b7e21")  # of our serial numbers; any fixed one would do
MODEL, DATA, IMAGE, RUNTIME, LOCK = "model", "data", "image", "runtime", "lock"
PREFIX = "slipway:"
MANY = 20  # choices; more are counted, not listed
INTERVALS = "percentiles of a bootstrap that draws whole days"

Plain = dict[str, Any]


@dataclass(frozen=True)
class Facts:
    """What the card is made from: records, and the lock that the runtime image was built from, its name and text."""

    words: Words
    package: Package
    model: ModelInfo
    metrics: Metrics
    runtime: RuntimeLock
    lock_name: str
    lock: str


def write(facts: Facts) -> str:
    """Write the card: the same facts give the same text.

    Raises:
        Rejected: a record is about another model, or a slicing has no words about its fairness, or words no slices.

    """
    document = _document(facts)
    serial = uuid.uuid5(SPACE, digests.of_bytes(_text(document).encode()))
    return _text(document | {"serialNumber": f"urn:uuid:{serial}"})


def _text(document: Plain) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _document(facts: Facts) -> Plain:
    _agree(facts)
    installed = packages.components(facts.lock, facts.lock_name)
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _model(facts)},
        "components": [_data(facts), _image(facts), _runtime(facts), _lock(facts), *installed],
        "dependencies": [
            {"ref": IMAGE, "dependsOn": [MODEL, RUNTIME]},
            {"ref": MODEL, "dependsOn": [DATA]},
            {"ref": RUNTIME, "dependsOn": [LOCK, *(package["bom-ref"] for package in installed)]},
        ],
    }


def _agree(facts: Facts) -> None:
    about = facts.package.bundle.model_digest
    for name, digest in (("model.json", facts.model.model_digest), ("metrics.json", facts.metrics.model_digest)):
        if digest != about:
            raise Rejected(f"{name} is about the model {digest}, the package holds {about}", "Run `dvc repro`.")
    sliced, said = {each.by for each in facts.metrics.slices}, set(facts.words.fairness)
    if sliced != said:
        raise Rejected(
            f"the card speaks of fairness by {_listed(said)}, the model is measured by {_listed(sliced)}",
            "Say in the card's `fairness` what each slicing means for people, and of no other.",
        )


def _model(facts: Facts) -> Plain:
    bundle, words = facts.package.bundle, facts.words
    return {
        "type": "machine-learning-model",
        "bom-ref": MODEL,
        "name": words.name,
        "version": bundle.version,
        "description": words.about,
        "hashes": [_hash(bundle.model_digest)],
        "licenses": [{"license": {"id": words.licence}}],
        "modelCard": {
            "modelParameters": _parameters(facts),
            "quantitativeAnalysis": {"performanceMetrics": _performance(facts.metrics)},
            "considerations": _considerations(facts),
            "properties": _properties(
                {
                    "confidence": _number(facts.metrics.confidence),
                    "intervals": INTERVALS,
                    "threshold": _number(facts.model.threshold),
                    "parity": _number(facts.model.parity),
                }
                | {f"importance:{name}": _number(lost) for name, lost in facts.metrics.importance.items()}
            ),
        },
        "properties": _properties(
            {
                "commit": bundle.source_commit,
                "recipe": bundle.recipe_digest,
                "bento": facts.package.bento_digest,
                "request": str(bundle.request_version),
            }
        ),
    }


def _parameters(facts: Facts) -> Plain:
    return {
        "approach": {"type": "supervised"},
        "task": facts.words.task,
        "modelArchitecture": facts.model.estimator,
        "datasets": [{"ref": DATA}],
        "inputs": [{"format": _input(schema.COLUMNS[name])} for name in features.READ],
        "outputs": [{"format": f"{output.name}: {output.about}"} for output in facts.words.outputs],
    }


def _input(column: Column) -> str:
    if column.choices:
        many = len(column.choices) > MANY
        values = f"one of {len(column.choices)} known values" if many else f"one of {', '.join(column.choices)}"
    elif column.kind is schema.Kind.NUMBER:
        values = f"{column.low:g} to {column.high:g}"
    else:
        values = str(column.kind)
    return f"{column.name}: {column.about}; {values}; {'required' if column.required else 'may be missing'}"


def _performance(metrics: Metrics) -> list[Plain]:
    """Every metric of the test window, then the AUC of each group that has enough rows for one."""
    whole = [_metric(name, estimate) for name, estimate in metrics.overall.items()]
    return whole + [_metric("auc", each.auc) | {"slice": _group(each)} for each in metrics.slices if each.auc]


def _metric(name: str, estimate: Estimate) -> Plain:
    interval = {"lowerBound": _number(estimate.low), "upperBound": _number(estimate.high)}
    return {"type": name, "value": _number(estimate.value), "confidenceInterval": interval}


def _considerations(facts: Facts) -> Plain:
    words = facts.words
    return {
        "users": list(words.users),
        "useCases": list(words.uses),
        "technicalLimitations": list(words.limits),
        "performanceTradeoffs": list(words.tradeoffs),
        "ethicalConsiderations": [{"name": risk.name, "mitigationStrategy": risk.mitigation} for risk in words.risks],
        "fairnessAssessments": [
            _fairness(said, [each for each in facts.metrics.slices if each.by == by], facts.metrics.overall["auc"])
            for by, said in sorted(words.fairness.items())
        ],
    }


def _fairness(said: Fairness, groups: Sequence[SliceMetrics], overall: Estimate) -> Plain:
    return {
        "groupAtRisk": said.group,
        "benefits": said.benefits,
        "harms": f"{said.harms} {_measured(groups, overall)}",
        "mitigationStrategy": said.mitigation,
    }


def _measured(groups: Sequence[SliceMetrics], overall: Estimate) -> str:
    """What the slices say, in a sentence or three."""
    known = sorted((each.auc.value, each.group, each.auc) for each in groups if each.auc)
    unknown = [each.group for each in groups if each.auc is None]
    said = []
    if known:
        (_, worst, low), (_, best, high) = known[0], known[-1]
        extremes = f"lowest for {worst} {_interval(low)}, highest for {best} {_interval(high)}"
        said.append(f"Measured: AUC {_interval(overall)} over all, {extremes}.")
    if unknown:
        said.append(f"Not measured, for want of rows: {', '.join(unknown)}.")
    return " ".join(said)


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _data(facts: Facts) -> Plain:
    said = facts.words.data
    sizes = {f"rows:{_group(each)}": str(each.rows) for each in facts.metrics.slices}
    shares = {f"late_share:{_group(each)}": _number(each.late_share) for each in facts.metrics.slices}
    listing = facts.package.bundle.data_digest.removeprefix("md5:").removesuffix(".dir")
    return {
        "type": "data",
        "bom-ref": DATA,
        "name": said.name,
        "description": said.about,
        "hashes": [{"alg": "MD5", "content": listing}],  # as data.dvc names a folder: of the list of its files' digests
        "licenses": [{"license": {"id": said.licence}}],
        "data": [
            _window("train", facts.model.train, {}, said.sensitive),
            _window("test", facts.metrics.test, sizes | shares, said.sensitive),
        ],
    }


def _window(name: str, window: Window, also: Mapping[str, str], sensitive: Sequence[str]) -> Plain:
    known = {
        "first": window.first,
        "last": window.last,
        "rows": str(window.rows),
        "late_share": _number(window.late_share),
        "coverage": _number(window.coverage),
    }
    return {
        "type": "dataset",
        "name": name,
        "sensitiveData": list(sensitive),
        "contents": {"properties": _properties(known | dict(also))},
    }


def _image(facts: Facts) -> Plain:
    return {
        "type": "container",
        "bom-ref": IMAGE,
        "name": facts.words.name,
        "version": facts.package.bundle.version,
        "description": "the runtime image and one layer with the bento, which holds the model",
        "hashes": [_hash(facts.package.image_digest)],
    }


def _runtime(facts: Facts) -> Plain:
    return {
        "type": "container",
        "bom-ref": RUNTIME,
        "name": f"{facts.words.name}-runtime",
        "description": f"the image that releases stand on, for {facts.runtime.platform}: Python and the packages",
        "hashes": [_hash(facts.runtime.manifest_digest)],
    }


def _lock(facts: Facts) -> Plain:
    return {
        "type": "file",
        "bom-ref": LOCK,
        "name": facts.lock_name,
        "description": "the packages by version, and by hash every file that may be installed for each",
        "hashes": [_hash(digests.of_bytes(facts.lock.encode()))],
    }


def _hash(digest: str) -> Plain:
    return {"alg": "SHA-256", "content": digest.removeprefix("sha256:")}


def _properties(values: Mapping[str, str]) -> list[Plain]:
    return [{"name": f"{PREFIX}{name}", "value": value} for name, value in values.items()]


def _group(each: SliceMetrics) -> str:
    return f"{each.by}={each.group}"


def _number(value: float) -> str:
    """Write a number as JSON does: it reads back as the record's."""
    return json.dumps(value)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
