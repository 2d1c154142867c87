"""What stands in a card, as records; and whether it is the card of a package and says what a card must say.

A card's form is the schema's business (adapters/cyclonedx.py). Here nothing is taken for granted that is read: what
cannot be read as a card is refused.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import msgspec

from slipway.card.parts import Component, Document, Metric, ModelCard, Property
from slipway.card.writing import DATA, IMAGE, LOCK, PREFIX, RUNTIME
from slipway.errors import Rejected
from slipway.records import Estimate, Package, SliceMetrics, Window

FACTS = ("commit", "recipe", "bento", "confidence", "intervals", "threshold", "parity")  # of the model, in properties
AGAIN = "Run `slipway package` again, and sign what it makes."


@dataclass(frozen=True)
class Card:
    """A document as it is read."""

    serial: str
    model: Component
    says: ModelCard
    components: Mapping[str, Component]
    overall: Mapping[str, Estimate]  # the metrics of the whole test window
    slices: tuple[SliceMetrics, ...]
    importance: Mapping[str, float]  # AUC lost when the feature is shuffled
    train: Window
    test: Window

    @property
    def packages(self) -> list[Component]:
        """What the service runs on."""
        return [each for each in self.components.values() if each.type == "library"]

    @property
    def facts(self) -> dict[str, str]:
        """What is known of the model besides: commit, recipe, bento, how it was measured, what it uses."""
        return values(self.model.properties) | values(self.says.properties)


def values(properties: tuple[Property, ...]) -> dict[str, str]:
    """Properties as a mapping, without our prefix."""
    return {each.name.removeprefix(PREFIX): each.value for each in properties}


def digest(component: Component) -> str:
    """Name a component as the field does: sha256:... or md5:..."""
    return ", ".join(f"{each.alg.replace('-', '').lower()}:{each.content}" for each in component.hashes)


def read(document: object) -> Card:
    """Read a parsed document.

    Raises:
        Rejected: it is no model card, or lacks what a card must say: metrics with intervals, intended use, limits.

    """
    try:
        found = msgspec.convert(document, Document)
    except msgspec.ValidationError as error:
        raise Rejected(f"the model card cannot be read: {error}", AGAIN) from error
    if (found.bom_format, found.spec_version) != ("CycloneDX", "1.6"):
        raise Rejected(f"the model card is {found.bom_format} {found.spec_version}, not CycloneDX 1.6", AGAIN)
    model, components = found.metadata.component, {each.ref: each for each in found.components}
    if model.type != "machine-learning-model" or model.model_card is None:
        raise Rejected("the model card's component is no model with a modelCard", AGAIN)
    if missing := [reference for reference in (DATA, IMAGE, RUNTIME, LOCK) if reference not in components]:
        raise Rejected(f"the model card names no {', no '.join(missing)}", AGAIN)
    try:
        return _card(found.serial_number, model, model.model_card, components)
    except (KeyError, ValueError) as error:
        raise Rejected(f"the model card tells nothing that can be read about {error}", AGAIN) from error


def check(document: object, package: Package) -> Card:
    """See that a parsed document is the card of a package, and says what a card must say.

    Raises:
        Rejected: it is the card of something else, or as `read`; the fact is named.

    """
    card, bundle = read(document), package.bundle
    for fact, there, expected in (
        ("version", card.model.version, bundle.version),
        ("model", digest(card.model), bundle.model_digest),
        ("data", digest(card.components[DATA]), bundle.data_digest.removesuffix(".dir")),
        ("image", digest(card.components[IMAGE]), package.image_digest),
        ("bento", card.facts.get("bento"), package.bento_digest),
        ("source commit", card.facts.get("commit"), bundle.source_commit),
        ("recipe", card.facts.get("recipe"), bundle.recipe_digest),
    ):
        if there != expected:
            raise Rejected(f"the model card is about the {fact} {there}, the package holds {expected}", AGAIN)
    return card


def _card(serial: str, model: Component, says: ModelCard, components: Mapping[str, Component]) -> Card:
    measured = says.quantitative_analysis.performance_metrics
    windows = {each.name: values(each.contents.properties) for each in components[DATA].data}
    overall = {each.type: _estimate(each) for each in measured if not each.slice}
    if "auc" not in overall:
        raise ValueError("the AUC of the whole test window")
    if missing := [name for name in FACTS if name not in values(model.properties) | values(says.properties)]:
        raise ValueError(f"the {', the '.join(missing)}")
    lost = {name.partition("importance:")[2]: value for name, value in values(says.properties).items()}
    sliced = {each.slice: _estimate(each) for each in measured if each.slice}
    return Card(
        serial=serial,
        model=model,
        says=says,
        components=components,
        overall=overall,
        slices=tuple(_slices(windows["test"], sliced)),
        importance={name: _number(value) for name, value in lost.items() if name},
        train=_window(windows["train"]),
        test=_window(windows["test"]),
    )


def _estimate(metric: Metric) -> Estimate:
    interval = metric.confidence_interval
    low, value, high = (_number(text) for text in (interval.lower_bound, metric.value, interval.upper_bound))
    if low > high:
        raise ValueError(f"{metric.type}: its interval ends at {high} before it begins")
    return Estimate(value=value, low=low, high=high)


def _window(facts: Mapping[str, str]) -> Window:
    first, last = (date.fromisoformat(facts[name]) for name in ("first", "last"))
    if first > last:
        raise ValueError(f"a window that ends on {last} before it begins")
    return Window(
        first=first.isoformat(),
        last=last.isoformat(),
        rows=int(facts["rows"]),
        late_share=_share(facts["late_share"]),
        coverage=_share(facts["coverage"]),
    )


def _slices(facts: Mapping[str, str], known: Mapping[str, Estimate]) -> Iterator[SliceMetrics]:
    """Every group of the test rows, with its AUC where it has one."""
    for name in [name.removeprefix("rows:") for name in facts if name.startswith("rows:")]:
        by, _, group = name.partition("=")
        share = _share(facts[f"late_share:{name}"])
        yield SliceMetrics(by=by, group=group, rows=int(facts[f"rows:{name}"]), late_share=share, auc=known.get(name))


def _share(text: str) -> float:
    if not 0 <= (share := _number(text)) <= 1:
        raise ValueError(f"{text}, which is no share")
    return share


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text}, which is no number")
    return number
