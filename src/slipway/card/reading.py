"""What stands in a card, typed; and whether it is the card of a package and says what a card must say.

A card's form is the schema's business (adapters/cyclonedx.py). Here nothing is taken for granted that is read: what
cannot be read as a card is refused.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from slipway.card.writing import DATA, IMAGE, LOCK, MODEL, PREFIX, RUNTIME
from slipway.errors import Rejected
from slipway.records import Estimate, Package

AGAIN = "Run `slipway package` again, and sign what it makes."

Text = Annotated[str, msgspec.Meta(pattern=r"\S")]
Texts = Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """A part of the document. What it does not name is read by others."""


class Hash(_Part, frozen=True):
    """A digest of some bytes."""

    alg: str
    content: str


class Property(_Part, frozen=True):
    """A fact that CycloneDX has no field for."""

    name: str
    value: str


class Interval(_Part, frozen=True):
    """Where a metric lies, with the confidence that the card names."""

    lower_bound: str
    upper_bound: str


class Metric(_Part, frozen=True):
    """A metric of the test window, or of a slice of it."""

    type: str
    value: str
    confidence_interval: Interval
    slice: str | None = None

    @property
    def estimate(self) -> Estimate:
        """Its numbers."""
        low, high = self.confidence_interval.lower_bound, self.confidence_interval.upper_bound
        return Estimate(value=_number(self, self.value), low=_number(self, low), high=_number(self, high))


class Format(_Part, frozen=True):
    """A field of the request or of the answer."""

    format: str


class Parameters(_Part, frozen=True):
    """What the model is, reads and answers."""

    task: str
    model_architecture: str
    inputs: tuple[Format, ...]
    outputs: tuple[Format, ...]


class Analysis(_Part, frozen=True):
    """What was measured."""

    performance_metrics: Annotated[tuple[Metric, ...], msgspec.Meta(min_length=1)]


class Risk(_Part, frozen=True):
    """What may go wrong for people."""

    name: Text
    mitigation_strategy: Text


class Fairness(_Part, frozen=True):
    """What a slicing means for people."""

    group_at_risk: Text
    benefits: Text
    harms: Text
    mitigation_strategy: Text


class Considerations(_Part, frozen=True):
    """What a person says."""

    users: Texts
    use_cases: Texts
    technical_limitations: Texts
    performance_tradeoffs: Texts
    ethical_considerations: tuple[Risk, ...]
    fairness_assessments: tuple[Fairness, ...]


class ModelCard(_Part, frozen=True):
    """The card itself."""

    model_parameters: Parameters
    quantitative_analysis: Analysis
    considerations: Considerations
    properties: tuple[Property, ...]


class Contents(_Part, frozen=True):
    """The facts of a dataset."""

    properties: tuple[Property, ...]


class Dataset(_Part, frozen=True):
    """A window of the data."""

    name: str
    contents: Contents


class LicenceName(_Part, frozen=True):
    """A licence by its SPDX identifier."""

    id: str


class Licence(_Part, frozen=True):
    """A licence."""

    license: LicenceName


class Component(_Part, frozen=True):
    """The model, its data, its images, or a package."""

    type: str
    ref: str = msgspec.field(name="bom-ref")
    name: str
    version: str | None = None
    description: str = ""
    scope: str = "required"
    hashes: tuple[Hash, ...] = ()
    licenses: tuple[Licence, ...] = ()
    properties: tuple[Property, ...] = ()
    data: tuple[Dataset, ...] = ()
    model_card: ModelCard | None = None


class _Metadata(_Part, frozen=True):
    component: Component


class _Document(_Part, frozen=True):
    bom_format: str
    spec_version: str
    serial_number: str
    metadata: _Metadata
    components: tuple[Component, ...]


@dataclass(frozen=True)
class Card:
    """A document as it is read."""

    serial: str
    model: Component
    card: ModelCard
    components: Mapping[str, Component]

    @property
    def packages(self) -> list[Component]:
        """What the service runs on."""
        return [each for each in self.components.values() if each.type == "library"]

    def facts(self, reference: str) -> dict[str, str]:
        """The properties of a component, without our prefix."""
        return values((self.model if reference == MODEL else self.components[reference]).properties)

    def window(self, name: str) -> dict[str, str]:
        """What is known of the train or test window."""
        found = [each for each in self.components[DATA].data if each.name == name]
        return values(found[0].contents.properties) if found else {}

    @property
    def overall(self) -> dict[str, Estimate]:
        """The metrics of the whole test window."""
        return {
            each.type: each.estimate for each in self.card.quantitative_analysis.performance_metrics if not each.slice
        }

    @property
    def slices(self) -> dict[str, Estimate]:
        """AUC by group, such as carrier=UA."""
        return {each.slice: each.estimate for each in self.card.quantitative_analysis.performance_metrics if each.slice}


def values(properties: tuple[Property, ...]) -> dict[str, str]:
    """Properties as a mapping, without our prefix."""
    return {each.name.removeprefix(PREFIX): each.value for each in properties}


def read(document: object) -> Card:
    """Read a parsed document.

    Raises:
        Rejected: it is no model card, or lacks what a card must say: metrics with intervals, intended use, limits.

    """
    try:
        found = msgspec.convert(document, _Document)
    except msgspec.ValidationError as error:
        raise Rejected(f"the model card cannot be read: {error}", AGAIN) from error
    if (found.bom_format, found.spec_version) != ("CycloneDX", "1.6"):
        raise Rejected(f"the model card is {found.bom_format} {found.spec_version}, not CycloneDX 1.6", AGAIN)
    model, components = found.metadata.component, {each.ref: each for each in found.components}
    if model.type != "machine-learning-model" or model.model_card is None:
        raise Rejected("the document's component is no model with a modelCard", AGAIN)
    if missing := [reference for reference in (DATA, IMAGE, RUNTIME, LOCK) if reference not in components]:
        raise Rejected(f"the model card names no {', no '.join(missing)}", AGAIN)
    card = Card(found.serial_number, model, model.model_card, components)
    if "auc" not in card.overall:
        raise Rejected("the model card holds no metric of the whole test window", AGAIN)
    return card


def check(document: object, package: Package) -> Card:
    """See that a parsed document is the card of a package, and says what a card must say.

    Raises:
        Rejected: it is the card of something else, or as `read`; the fact is named.

    """
    card, bundle = read(document), package.bundle
    said = card.facts(MODEL)
    for fact, there, expected in (
        ("version", card.model.version, bundle.version),
        ("model", _digest(card.model), bundle.model_digest),
        ("data", _digest(card.components[DATA]), bundle.data_digest.removesuffix(".dir")),
        ("image", _digest(card.components[IMAGE]), package.image_digest),
        ("bento", said.get("bento"), package.bento_digest),
        ("source commit", said.get("commit"), bundle.source_commit),
        ("recipe", said.get("recipe"), bundle.recipe_digest),
    ):
        if there != expected:
            raise Rejected(f"the model card is about the {fact} {there}, the package holds {expected}", AGAIN)
    return card


def _digest(component: Component) -> str | None:
    """Name it as the field does: sha256:... or md5:..."""
    names = {"SHA-256": "sha256", "MD5": "md5"}
    found = [f"{names[each.alg]}:{each.content}" for each in component.hashes if each.alg in names]
    return found[0] if len(found) == 1 else None


def _number(metric: Metric, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Rejected(f"the model card's {metric.type} is {text!r}, no number", AGAIN)
    return number
