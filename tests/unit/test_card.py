"""The model card: its numbers are the records', its words a person's, and what is no card of the package is refused."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from slipway import features, records
from slipway.card import check, picture, read, words, writing
from slipway.card.reading import Card, digest
from slipway.errors import Broken, Rejected
from slipway.records import Bundle, Estimate, Metrics, ModelInfo, Package, RuntimeLock, Window

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements/serving.txt").read_text()
WORDS = yaml.safe_load((ROOT / "bentos/flights/card.yaml").read_text())
METRICS = records.loads(Metrics, (ROOT / "artifacts/metrics.json").read_bytes(), "metrics.json")
PACKAGE = Package(
    bundle=Bundle(
        version="1.2.0",
        source_commit="c" * 40,
        data_digest=f"md5:{'d' * 32}.dir",
        recipe_digest="sha256:" + "e" * 64,
        model_digest=METRICS.model_digest,
        request_version=1,
    ),
    bento_digest="sha256:" + "b" * 64,
    image_digest="sha256:" + "1" * 64,
)
FACTS = writing.Facts(
    words=words.parse(WORDS, "card.yaml"),
    package=PACKAGE,
    model=ModelInfo(
        model_digest=METRICS.model_digest,
        estimator="hist_gradient_boosting",
        request_version=1,
        features=(),
        threshold=0.166666667,
        train=Window(first="2013-01-01", last="2013-03-31", rows=77911, late_share=0.236192579, coverage=0.964376338),
        validation_log_loss={},
        parity=1.43e-7,
    ),
    metrics=METRICS,
    runtime=records.loads(RuntimeLock, (ROOT / "bentos/flights/runtime.lock.json").read_bytes(), "runtime.lock.json"),
    lock_name="requirements/serving.txt",
    lock=LOCK,
)
DOCUMENT = json.loads(writing.write(FACTS))

Place = tuple[Any, ...]
shares = st.floats(0, 1).map(lambda value: round(value, records.DIGITS))
estimates = st.lists(shares, min_size=3, max_size=3).map(
    lambda drawn: Estimate(low=min(drawn), value=sorted(drawn)[1], high=max(drawn))
)


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Each place in a document, the whole first."""
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*place, key))


def changed(document: Any, place: Place, change: Callable[[Any, Any], None]) -> Any:
    """Copy a document, but for one place: `change` gets what holds it, and its key there."""
    copy = deepcopy(document)
    holder = copy
    for key in place[:-1]:
        holder = holder[key]
    change(holder, place[-1])
    return copy


def put(new: Any) -> Callable[[Any, Any], None]:
    """Put something else there."""
    return lambda holder, key: holder.__setitem__(key, new)


def drop(holder: Any, key: Any) -> None:
    """Take it away."""
    del holder[key]


@settings(max_examples=50)
@given(st.data())
def test_the_numbers_are_those_of_the_records(data: st.DataObject) -> None:
    """Each metric, interval, slice and window reads back as the very record that it was written from."""
    drawn = msgspec.structs.replace(
        METRICS,
        overall={name: data.draw(estimates) for name in METRICS.overall},
        slices=tuple(
            msgspec.structs.replace(each, late_share=data.draw(shares), auc=data.draw(st.none() | estimates))
            for each in METRICS.slices
        ),
        importance={name: data.draw(shares) - 0.5 for name in METRICS.importance},
        test=msgspec.structs.replace(METRICS.test, rows=data.draw(st.integers(0, 10**9)), coverage=data.draw(shares)),
    )
    card = read(json.loads(writing.write(replace(FACTS, metrics=drawn))))
    assert (card.overall, card.slices, card.importance) == (drawn.overall, drawn.slices, drawn.importance)
    assert (card.train, card.test) == (FACTS.model.train, drawn.test)


def test_it_says_what_the_person_says() -> None:
    """Every text of card.yaml stands in the document."""
    text = json.dumps(DOCUMENT, ensure_ascii=False)
    said = words.parse(WORDS, "card.yaml")
    assert [line for line in words._texts(msgspec.to_builtins(said)) if line not in text] == []
    assert said.limits == read(DOCUMENT).says.considerations.technical_limitations


def test_it_names_what_is_read() -> None:
    """Inputs are the fields of a request, each with what it may hold; harms end with what the slices say."""
    formats = [each.format for each in read(DOCUMENT).says.model_parameters.inputs]
    assert [text.partition(":")[0] for text in formats] == list(features.READ)
    assert "origin: airport of departure; one of EWR, JFK, LGA; required" in formats
    assert "dest: airport of arrival; one of 105 known values; required" in formats
    assert "visib: miles; 0 to 20; may be missing" in formats
    airlines = read(DOCUMENT).says.considerations.fairness_assessments[0]
    worst = min((each for each in METRICS.slices if each.by == "carrier" and each.auc), key=lambda each: each.auc.value)
    assert (
        f"lowest for {worst.group} {worst.auc.value:.3f} [{worst.auc.low:.3f}, {worst.auc.high:.3f}]" in airlines.harms
    )
    assert "for want of rows: AS, F9, FL, HA, VX, YV." in airlines.harms


def test_every_package_of_the_lock_is_in_it() -> None:
    """By name, version, and the condition on which it is installed, as another reader of the lock understands it."""
    lines = [line.removesuffix("\\") for line in LOCK.splitlines() if line[0].isalnum()]
    asked = [Requirement(line) for line in lines]
    assert len(asked) > 60
    found = {(each.name, f"=={each.version}"): each for each in read(DOCUMENT).packages}
    assert found.keys() == {(each.name, str(each.specifier)) for each in asked}
    for each in asked:
        component = found[each.name, str(each.specifier)]
        assert component.ref == f"pkg:pypi/{each.name}@{component.version}"
        assert component.scope == ("optional" if each.marker else "required")
        assert [Requirement(f"x; {fact.value}").marker for fact in component.properties] == [each.marker] * bool(
            each.marker
        )


@pytest.mark.parametrize(
    "line",
    ["numpy>=2", "numpy==2.4.6", "--index-url https://example.org", "git+https://x", "numpy==2 \\\n  --hash=md5:ab"],
)
def test_a_lock_that_locks_nothing_is_no_lock(line: str) -> None:
    """A package without a version or a digest cannot be named."""
    with pytest.raises(Broken, match=r"serving\.txt locks no package"):
        writing.write(replace(FACTS, lock=f"{LOCK}{line}\n"))


def test_the_same_facts_give_the_same_bytes() -> None:
    """No clock and no order gets in; other facts have another serial number."""
    assert writing.write(FACTS) == writing.write(deepcopy(FACTS))
    assert "timestamp" not in DOCUMENT["metadata"]
    other = replace(FACTS, lock=LOCK.replace("msgspec==", "msgspec==9"))
    assert json.loads(writing.write(other))["serialNumber"] != DOCUMENT["serialNumber"]


def test_every_reference_leads_somewhere() -> None:
    """Each bom-ref is given once, and each that is named is given; the image is made of the model and the runtime."""
    given_ = [DOCUMENT["metadata"]["component"]["bom-ref"], *(each["bom-ref"] for each in DOCUMENT["components"])]
    assert len(given_) == len(set(given_))
    edges = {each["ref"]: each["dependsOn"] for each in DOCUMENT["dependencies"]}
    named = {*edges, *(name for names in edges.values() for name in names)}
    assert named == set(given_)  # and nothing stands there unrelated
    datasets = DOCUMENT["metadata"]["component"]["modelCard"]["modelParameters"]["datasets"]
    assert [each["ref"] for each in datasets] == ["data"]


def test_a_record_of_another_model_is_refused() -> None:
    """Metrics, or a model, that are not those of the package."""
    for name in ("model", "metrics"):
        other = msgspec.structs.replace(getattr(FACTS, name), model_digest="sha256:" + "0" * 64)
        with pytest.raises(Rejected, match=rf"{name}.json is about the model sha256:0000"):
            writing.write(replace(FACTS, **{name: other}))


def test_fairness_is_spoken_of_where_it_is_measured() -> None:
    """A slicing without words, and words without a slicing, are refused."""
    for fairness in (
        {name: said for name, said in FACTS.words.fairness.items() if name != "hour"},
        FACTS.words.fairness | {"colour": FACTS.words.fairness["hour"]},
    ):
        with pytest.raises(Rejected, match=r"the card speaks of fairness by .* the model is measured by carrier, hour"):
            writing.write(replace(FACTS, words=msgspec.structs.replace(FACTS.words, fairness=fairness)))


@pytest.mark.parametrize(
    "place", [place for place in places(WORDS) if place], ids=lambda place: ".".join(map(str, place))
)
def test_words_are_strict(place: Place) -> None:
    """Nothing is left out, nothing is empty, nothing is of another kind, nothing is added; the place is named."""
    for change in (drop, put(""), put(" \n "), put("\x1b[2J"), put(15), put(None)):
        if change is drop and isinstance(place[-1], int):
            continue  # one limit fewer is a matter of opinion
        if change is drop and len(place) == 2 and place[0] == "fairness":
            continue  # what is sliced, the metrics know
        with pytest.raises(Rejected, match=r"card\.yaml: "):
            words.parse(changed(WORDS, place, change), "card.yaml")


@pytest.mark.parametrize("place", [(), ("data",), ("outputs", 0), ("risks", 0), ("fairness", "hour")])
def test_an_unknown_key_is_refused(place: Place) -> None:
    """A typing error would be a thing unsaid."""
    with pytest.raises(Rejected, match="unknown field `limitations`"):
        words.parse(changed(WORDS, (*place, "limitations"), put("none")), "card.yaml")


@pytest.mark.parametrize("key", ["users", "uses", "limits", "tradeoffs", "risks", "outputs"])
def test_an_empty_list_is_refused(key: str) -> None:
    """A model without a limit is a model that nobody has looked at."""
    with pytest.raises(Rejected, match="length >= 1"):
        words.parse(WORDS | {key: []}, "card.yaml")


@pytest.mark.parametrize("figure", ["0.64", ".5", "71 %", "71%", "7.5%"])
def test_a_measured_number_in_the_words_is_refused(figure: str) -> None:
    """It would be wrong after the next training."""
    with pytest.raises(Rejected, match=f"card.yaml says '{figure}' in 'It is right in"):
        words.parse(WORDS | {"about": f"It is right in {figure} of all cases."}, "card.yaml")


@pytest.mark.parametrize("figure", ["15 minutes", "10,000 rows", "2013", "version 1.2.0", "Boeing 737-800"])
def test_other_numbers_are_none_of_its_business(figure: str) -> None:
    """Units, years, versions."""
    assert words.parse(WORDS | {"about": f"It knows {figure}."}, "card.yaml").about.endswith(f"{figure}.")


def test_it_is_the_card_of_its_package() -> None:
    """What was written for a package is accepted for it, and says its digests."""
    card = check(DOCUMENT, PACKAGE)
    assert isinstance(card, Card)
    assert (digest(card.model), card.model.version) == (METRICS.model_digest, "1.2.0")


@pytest.mark.parametrize(
    ("fact", "there"),
    [
        ("version", "bundle"),
        ("model_digest", "bundle"),
        ("data_digest", "bundle"),
        ("source_commit", "bundle"),
        ("recipe_digest", "bundle"),
        ("image_digest", "package"),
        ("bento_digest", "package"),
    ],
)
def test_the_card_of_something_else_is_refused(fact: str, there: str) -> None:
    """Another version, model, data, commit, recipe, image, bento: the fact is named."""
    old = getattr(PACKAGE.bundle if there == "bundle" else PACKAGE, fact)
    new = old.replace(old[-6], "0" if old[-6] != "0" else "9") if fact != "version" else "1.2.1"
    bundle = msgspec.structs.replace(PACKAGE.bundle, **{fact: new}) if there == "bundle" else PACKAGE.bundle
    other = msgspec.structs.replace(PACKAGE, bundle=bundle, **({} if there == "bundle" else {fact: new}))
    with pytest.raises(
        Rejected, match=f"the model card is about the {fact.removesuffix('_digest').replace('_', ' ')} "
    ):
        check(DOCUMENT, other)


CARD = ("metadata", "component", "modelCard")
REQUIRED = [
    CARD,
    (*CARD, "quantitativeAnalysis"),
    (*CARD, "quantitativeAnalysis", "performanceMetrics"),
    (*CARD, "quantitativeAnalysis", "performanceMetrics", 0),  # the AUC of the whole window
    (*CARD, "quantitativeAnalysis", "performanceMetrics", 1, "confidenceInterval"),
    (*CARD, "quantitativeAnalysis", "performanceMetrics", 9, "confidenceInterval", "upperBound"),
    (*CARD, "considerations"),
    *((*CARD, "considerations", name) for name in DOCUMENT["metadata"]["component"]["modelCard"]["considerations"]),
    ("metadata", "component", "hashes"),
    ("components", 0, "hashes"),
    ("components", 0),
    ("serialNumber",),
]


@pytest.mark.parametrize("place", REQUIRED, ids=lambda place: ".".join(map(str, place)))
def test_a_card_that_lacks_what_it_must_say_is_refused(place: Place) -> None:
    """No modelCard, no interval, no intended use, no limits, no digest."""
    first = DOCUMENT["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]
    assert first["type"] == "auc"
    with pytest.raises(Rejected, match="the model card"):
        check(changed(DOCUMENT, place, drop), PACKAGE)


@pytest.mark.parametrize("name", ["users", "useCases", "technicalLimitations", "performanceTradeoffs"])
def test_a_card_that_says_it_with_empty_words_is_refused(name: str) -> None:
    """An empty list, an empty text, blanks, or something that a terminal obeys."""
    for empty in ([], [""], ["  "], ["\x1b[2J"]):
        with pytest.raises(Rejected, match=name):
            check(changed(DOCUMENT, (*CARD, "considerations", name), put(empty)), PACKAGE)


@pytest.mark.parametrize("text", ["nan", "inf", "good", "", "0,64"])
def test_a_metric_that_is_no_number_is_refused(text: str) -> None:
    """It would be drawn somewhere."""
    place = (*CARD, "quantitativeAnalysis", "performanceMetrics", 0, "value")
    with pytest.raises(Rejected, match="can be read"):
        check(changed(DOCUMENT, place, put(text)), PACKAGE)


SHORT = DOCUMENT | {"components": [each for each in DOCUMENT["components"] if each["type"] != "library"]}


@pytest.mark.parametrize("new", [None, [], {}, "", "x", -1, [None]], ids=repr)
def test_nothing_that_is_read_is_taken_for_granted(new: Any) -> None:
    """Whatever stands at any place, a card is read and drawn, or refused; it never breaks the reader."""
    refused = 0
    for place in list(places(SHORT))[1:]:
        for change in (put(new), drop):
            try:
                picture.draw(check(changed(SHORT, place, change), PACKAGE))
            except Rejected:
                refused += 1
    assert refused > 100


def test_a_terminal_obeys_no_card() -> None:
    """A name, a version or a property may hold no control characters."""
    model = ("metadata", "component")
    for place in (
        (*model, "name"),
        (*model, "description"),
        ("components", 0, "name"),
        (*model, "properties", 0, "value"),
    ):
        with pytest.raises(Rejected, match="cannot be read"):
            read(changed(DOCUMENT, place, put("\x9b2J")))


def test_no_document_at_all_is_refused() -> None:
    """Neither nothing, nor a list, nor another format."""
    for document in (None, [], {}, 7, DOCUMENT | {"bomFormat": "SPDX"}, DOCUMENT | {"specVersion": "1.5"}):
        with pytest.raises(Rejected, match="the model card"):
            read(document)


@settings(max_examples=100)
@given(st.lists(estimates, min_size=1, max_size=5))
def test_a_drawing_is_true(drawn: list[Estimate]) -> None:
    """Each value lies within its axis, in its order, where the labels of the axis say that it lies."""
    axis = picture._axis([value for each in drawn for value in (each.low, each.high)])
    labels = [(place, float(label)) for place, label in axis.ticks]
    assert (labels[0][0], labels[-1][0]) == (0, 100)
    assert 2 <= len(labels) <= picture.TICKS + 2
    for each in drawn:
        whisker = picture._whisker(each, axis)
        assert 0 <= whisker.left <= whisker.at <= whisker.right <= 100
        (low, start), (high, end) = labels[0], labels[-1]
        assert whisker.at == pytest.approx(low + (each.value - start) / (end - start) * (high - low), abs=0.01)


def test_the_picture_shows_the_card() -> None:
    """Every metric and group once, the windows side by side, and what knowing only the share would score."""
    drawn = picture.draw(read(DOCUMENT))
    assert [each.name for each in drawn.measures][:3] == ["AUC", "Average precision", "Log loss"]
    assert len(drawn.measures) == len(METRICS.overall)
    assert [(each.by, len(each.groups)) for each in drawn.slicings] == [("origin", 3), ("carrier", 15), ("hour", 5)]
    assert [(each.name, each.left, each.width) for each in drawn.windows] == [("train", 0, 75), ("test", 75, 25)]
    auc, precision = drawn.measures[:2]
    assert (auc.guess, auc.axis.ticks[0]) == (0, (0, "0.5"))
    assert precision.guess == precision.axis.place(METRICS.test.late_share)
    assert [bar.name for bar in drawn.importance][:2] == ["minute", "seats"]
    assert (drawn.importance[-1].name, drawn.importance[-1].left) == ("temp", 0)
