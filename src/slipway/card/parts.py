"""The fields of the document that are read, typed. A card must say for whom it is, what for, and where it ends."""

from typing import Annotated

import msgspec

Line = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00-\x1f\x7f-\x9f]*\Z")]  # a terminal obeys none of it
Text = Annotated[str, msgspec.Meta(pattern=r"\A(?=.*\S)[^\x00-\x1f\x7f-\x9f]*\Z")]
Texts = Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """A part of the document. What it does not name is read by others."""


class Hash(_Part, frozen=True):
    """A digest of some bytes."""

    alg: Line
    content: Line


class Property(_Part, frozen=True):
    """A fact that CycloneDX has no field for."""

    name: Line
    value: Line


class Interval(_Part, frozen=True):
    """Where a metric lies, with the confidence that the card names."""

    lower_bound: Line
    upper_bound: Line


class Metric(_Part, frozen=True):
    """A metric of the test window, or of a slice of it."""

    type: Line
    value: Line
    confidence_interval: Interval
    slice: Line | None = None


class Format(_Part, frozen=True):
    """A field of the request or of the answer."""

    format: Line


class Parameters(_Part, frozen=True):
    """What the model is, reads and answers."""

    task: Line
    model_architecture: Line
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

    name: Line
    contents: Contents


class LicenceName(_Part, frozen=True):
    """A licence by its SPDX identifier."""

    id: Line


class Licence(_Part, frozen=True):
    """A licence."""

    license: LicenceName


class Component(_Part, frozen=True):
    """The model, its data, its images, or a package."""

    type: Line
    ref: Line = msgspec.field(name="bom-ref")
    name: Line
    version: Line | None = None
    description: Line = ""
    scope: Line = "required"
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

    bom_format: Line
    spec_version: Line
    serial_number: Line
    metadata: Metadata
    components: tuple[Component, ...]
