"""The fields of the document that are read, typed. A card must say for whom it is, what for, and where it ends."""

from typing import Annotated

import msgspec

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


class Metadata(_Part, frozen=True):
    """What the document is about."""

    component: Component


class Document(_Part, frozen=True):
    """The whole document."""

    bom_format: str
    spec_version: str
    serial_number: str
    metadata: Metadata
    components: tuple[Component, ...]
