"""`slipway card`: the document as it is, in the terminal, and as a page; what is no card of the release is refused."""

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from slipway.adapters import files
from slipway.commands import shelf
from slipway.records import GateDecision, Metrics, Package, Release, ReleaseEvent

Run = Callable[..., tuple[int, str, str]]
VOID = {"meta", "line", "circle", "rect"}  # elements that hold nothing; SVG's are written closed
GATE = GateDecision(
    accepted=True,
    first=True,
    model_digest="sha256:00",
    champion=None,
    base=40 * "0",
    thresholds_digest="sha256:00",
    guards_changed=(),
    checks=(),
    latency_ms=1.0,
    model_bytes=1,
    comparison=None,
)


@pytest.fixture
def root(packaged: Any, tmp_path: Path) -> Path:
    """What was packaged, and nothing else: the verb needs no repository."""
    shutil.copytree(packaged.root / "build", tmp_path / "root/build", ignore=shutil.ignore_patterns("bentos", "images"))
    return tmp_path / "root"


@pytest.fixture
def metrics(packaged: Any) -> Metrics:
    """What was measured."""
    return files.read_record(Metrics, packaged.root / "artifacts/metrics.json")


class Read(HTMLParser):
    """A page as a browser reads it: elements with attributes, and what is left open."""

    def __init__(self, page: str) -> None:
        """Read it."""
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends: the one that began last."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Words."""
        if self.open and self.open[-1] not in ("style", "title"):
            self.words += data.split()


def test_the_document_as_it_is(root: Path, slipway: Run) -> None:
    """`--json` prints the very bytes that were signed."""
    assert slipway(root, "card", "--json") == (0, (root / "build/card.cdx.json").read_text(), "")


def test_the_terminal_says_what_matters(root: Path, slipway: Run, metrics: Metrics) -> None:
    """For whom, what for, where it ends; each metric with its interval, each group; the window, the packages."""
    code, said, _ = slipway(root, "card")
    assert code == 0
    for name, estimate in metrics.overall.items():
        shown = {"auc": "AUC", "brier": "Brier score", "f1": "F1"}.get(name, name.replace("_", " ").capitalize())
        numbers = rf"{estimate.value:.3f} +{estimate.low:.3f} to {estimate.high:.3f}"
        assert re.search(rf"^{shown} .*─●?─*.* {numbers}  [↑↓] better *$", said, re.MULTILINE), name
    for each in metrics.slices:
        assert re.search(rf"^{each.by} {each.group} .* {each.rows:,} rows", said, re.MULTILINE), each
    for words in ("for whom", "what for", "where it ends", "It gives no minutes", f"{metrics.test.rows:,} rows"):
        assert words in said
    assert "80 packages" in said
    assert max(len(line) for line in said.splitlines() if "sha256" not in line and "md5" not in line) <= 80


def test_the_page_says_and_draws_it(root: Path, slipway: Run, metrics: Metrics) -> None:
    """Every metric and every measured group has an interval that is drawn where its numbers lie."""
    page = root / "card.html"
    assert slipway(root, "card", "--html", str(page))[0] == 0
    read = Read(page.read_text())
    text = " ".join(read.words)
    known = [each for each in metrics.slices if each.auc]
    reaches = [attributes for tag, attributes in read.found if attributes.get("class") == "reach"]
    dots = [attributes for tag, attributes in read.found if attributes.get("class") == "dot"]
    assert len(reaches) == len(dots) == len(metrics.overall) + len(known)
    for reach, dot in zip(reaches, dots, strict=True):
        left, at, right = (float(value.rstrip("%")) for value in (reach["x1"], dot["cx"], reach["x2"]))
        assert 0 <= left <= at <= right <= 100
    for estimate in metrics.overall.values():
        assert f"{estimate.value:.3f} {estimate.low:.3f} to {estimate.high:.3f}" in text
    for each in metrics.slices:
        assert f"{each.group} {f'{each.auc.value:.3f} ' if each.auc else ''}{each.rows:,} rows" in text
    for words in ("For whom", "Where it ends", "It gives no minutes", "bentoml 1.4.39", metrics.model_digest):
        assert words in text


def test_the_page_stands_alone(root: Path, slipway: Run) -> None:
    """One file: no script, no link, no address that a browser would fetch; every element is closed."""
    page = root / "card.html"
    slipway(root, "card", "--html", str(page))
    read = Read(page.read_text())
    assert read.open == []
    assert {tag for tag, _ in read.found} & {"script", "link", "img", "iframe", "object", "image", "style"} == {"style"}
    for _, attributes in read.found:
        assert not attributes.keys() & {"href", "xlink:href", "src", "action"}
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import", page.read_text())


def test_a_page_shows_words_as_words(root: Path, slipway: Run) -> None:
    """Markup in a text is shown, not obeyed; on the terminal neither."""
    path = root / "build/card.cdx.json"
    document = json.loads(path.read_text())
    document["metadata"]["component"]["description"] = "<script>alert(1)</script> [bold]x[/] [/]"
    path.write_text(json.dumps(document))
    code, said, _ = slipway(root, "card")
    assert code == 0
    assert "[bold]x[/] [/]" in said
    slipway(root, "card", "--html", str(root / "card.html"))
    assert "<script>" not in (root / "card.html").read_text()
    assert "&lt;script&gt;alert(1)" in (root / "card.html").read_text()


def test_the_card_of_a_release(root: Path, slipway: Run) -> None:
    """A version's card is the one that Git keeps, held against the release's record."""
    package = files.read_record(Package, root / "build/package.json")
    event = ReleaseEvent(kind="proposed", environment="production", at="2026-11-21T00:00:00Z", cause=None)
    shelf.write(root, Release(package=package, gate=GATE, events=(event,)))
    assert slipway(root, "card", "1.0.0")[0] == 2  # nobody has committed it
    (root / "attestations").mkdir()
    shutil.move(root / "build/card.cdx.json", root / "attestations/1.0.0.cdx.json")
    shutil.rmtree(root / "build")
    code, said, _ = slipway(root, "card", "1.0.0")
    assert (code, said.split()[:2]) == (0, ["flights", "1.0.0"])
    assert slipway(root, "card", "1.1.0")[0] == 2


def unknown(document: Any) -> None:
    """Add a field."""
    document["metadata"]["component"]["modelCard"]["mood"] = "good"


def no_card(document: Any) -> None:
    """Take the card out."""
    del document["metadata"]["component"]["modelCard"]


def other_model(document: Any) -> None:
    """Say that it is about another model."""
    digest = document["metadata"]["component"]["hashes"][0]
    digest["content"] = digest["content"][::-1]


def other_data(document: Any) -> None:
    """Say that it learned from other data."""
    digest = document["components"][0]["hashes"][0]
    digest["content"] = digest["content"][::-1]


def no_interval(document: Any) -> None:
    """Take an interval out, which the schema allows."""
    del document["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][1][
        "confidenceInterval"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            unknown,
            "build/card.cdx.json is no valid CycloneDX 1.6: $.metadata.component.modelCard: Additional properties",
        ),
        (no_card, "the model card's component is no model with a modelCard"),
        (other_model, "the model card is about the model sha256:"),
        (other_data, "the model card is about the data md5:"),
        (no_interval, "missing required field `confidenceInterval`"),
    ],
)
def test_what_is_no_card_of_the_package_is_refused(
    root: Path, slipway: Run, change: Callable[[Any], None], said: str
) -> None:
    """Exit code 1, and the fact is named."""
    path = root / "build/card.cdx.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    code, printed, refused = slipway(root, "card")
    assert (code, printed) == (1, "")
    assert said in " ".join(refused.split())


def test_without_a_card_there_is_no_answer(root: Path, slipway: Run) -> None:
    """Exit code 2: nothing was packaged."""
    (root / "build/card.cdx.json").unlink()
    assert slipway(root, "card")[0] == 2
