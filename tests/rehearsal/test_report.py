"""report.html: what stands on it, that nothing on it can act or fetch, and the same bytes again."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from tests.conftest import ROOT
from tests.rehearsal.played import play as played

from slipway import manifests
from slipway.adapters import chart, files
from slipway.canary import explaining
from slipway.canary.recorded import evidence
from slipway.commands import deciding
from slipway.commands.rehearse_play import Play, Side
from slipway.commands.rehearse_report import html
from slipway.manifests import tree
from slipway.rollout.records import Rehearsed, Tick

A, B = f"sha256:{64 * 'a'}", f"sha256:{64 * 'b'}"


@pytest.fixture(scope="module")
def play() -> Play:
    """What was rehearsed."""
    production, problems = manifests.examine(tree.objects(files.read_texts(ROOT / "k8s/next/production", "*.yaml")))
    assert production is not None, problems
    return Play(
        name="production",
        environment=production,
        settings=deciding.read(ROOT / deciding.SETTINGS),
        stable=Side("1.1.0", A, Path("stable")),
        canary=Side("1.2.0", B, Path("canary")),
        rows=(),
        folder=Path("folder"),
        speed=10.0,
        seed=3,
        overrides={"bake": "0s", "deadline": "40m"},
    )


def ended(tick: Tick, **changes: object) -> Rehearsed:
    """A result that fits the last tick."""
    assert tick.verdict is not None
    found = Rehearsed(
        environment="production",
        stable="1.1.0",
        canary="1.2.0",
        image=B,
        outcome="aborted" if tick.phase == "aborted" else "promoted",
        cause="verdict",
        message="RolloutAborted" if tick.phase == "aborted" else "",
        evidence=evidence(tick.verdict),
        traffic=tick.traffic,
        seconds=330.0,
        seed=3,
        arguments=(),
    )
    return msgspec.structs.replace(found, **changes)


BAD = played(0.26)
GOOD = played(0.2)


class Read(HTMLParser):
    """The words of a page, its elements and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self.found, self.open = "", list[tuple[str, dict[str, str | None]]](), list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note an element that has to be closed."""
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note one that closes itself."""
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, words: str) -> None:
        """Take words, but no style."""
        if self.open and self.open[-1] != "style":
            self.words += f" {words}"


def words(text: str) -> str:
    """What a person reads, outside the drawings."""
    return " ".join(Read(re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)).words.split())


def test_an_abort(play: Play) -> None:
    """Outcome with cause and sentence, who against whom, what was counted, and what it was set to."""
    found = words(html(play, ended(BAD[0][-1]), BAD[1]))
    for said in (
        "ABORTED, cause verdict: truth",
        "production: 1.2.0 beside 1.1.0, 6,600 requests in 5 min 30 s",
        "truth: mean loss 0.2683 of 764 canary requests against mean loss 0.1937 of 4,486 of stable",
        "RolloutAborted",
        f"canary 1.2.0 {B} stable 1.1.0 {A}",
        "stable 5,940 55 (0.93%) 4.1 ms canary 660 5 (0.76%) 4.3 ms",
        "truth 0.1937 of 4,486 0.2683 of 764 +7.46 pt 6 pt (0%) 100%",
        "sample-ratio 0 s",
        "seed 3 speed 10: times",
        "weights 10%, 30%, 60%, 100%",
        "analysis bake=0s, deadline=40m",
    ):
        assert said in found


def test_a_promotion_and_a_first_deployment(play: Play) -> None:
    """A promotion says what was shown; where nothing was judged there is no drawing."""
    found = words(html(play, ended(GOOD[0][-1]), GOOD[1]))
    assert " PROMOTED, cause verdict production: 1.2.0 beside 1.1.0, 9,600 requests" in found
    assert "errors less than 1 point worse, latency less than 3 points worse, truth less than 3 points worse" in found
    first = replace(play, stable=None)
    nothing = html(first, ended(GOOD[0][-1], stable="", cause=None, evidence=None), None)
    assert "Nothing was judged." in words(nothing)
    assert "production: 1.2.0 beside nothing" in words(nothing)
    assert "<svg" not in nothing
    assert A not in nothing


def test_it_stands_alone(play: Play) -> None:
    """One file: no script, no link, no address that a browser would fetch; every element is closed."""
    page = Read(html(play, ended(BAD[0][-1]), BAD[1]))
    assert page.open == []
    assert {tag for tag, _ in page.found} & {"script", "link", "img", "iframe", "object", "image", "style"} == {"style"}
    for _, attributes in page.found:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "xlink:href", "src", "action"):
                assert value.startswith("#"), value
    text = html(play, ended(BAD[0][-1]), BAD[1])
    assert not re.search(r"url\(\s*['\"]?(?!#)", text)
    assert "@import" not in text
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert ids
    assert len(ids) == len(set(ids))  # two drawings on one page


def test_what_others_say_is_text(play: Play) -> None:
    """A sentence, a message, a version or a reason with markup in it is shown as it is."""
    evil = "<script>alert(1)</script>&\"'"
    held = msgspec.structs.replace(BAD[1].held[0], reason="samples", detail=evil)
    trace = msgspec.structs.replace(
        BAD[1], held=(held,), verdict=msgspec.structs.replace(BAD[1].verdict, blame=None, detail=evil)
    )
    result = ended(BAD[0][-1], message=evil, canary=evil)
    result = msgspec.structs.replace(result, evidence=msgspec.structs.replace(result.evidence, detail=evil, blame=evil))
    page = html(replace(play, canary=Side(evil, evil, Path()), overrides={"bake": evil}), result, trace)
    assert "<script" not in page
    assert words(page).count("<script>alert(1)</script>&\"'") == 10  # headline, title, both again in <head>


def test_the_same_facts_give_the_same_bytes(play: Play) -> None:
    """Twice the same, and another one where a fact differs."""
    result = ended(BAD[0][-1])
    assert html(play, result, BAD[1]) == html(play, result, BAD[1])
    assert html(play, msgspec.structs.replace(result, seed=4), BAD[1]) != html(play, result, BAD[1])


def test_the_drawing_is_of_its_trace() -> None:
    """Both drawings show each weight, each metric and what held it up; colours are the page's."""
    picture = explaining.picture(BAD[1])
    for narrow in (False, True):
        drawn = chart.svg(picture, narrow=narrow)
        texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
        assert {"10%", "30%", "verdict", "errors", "latency", "truth", "sample-ratio", "0 s"} <= set(texts)
        assert not re.search(r"#[0-9a-fA-F]{6}", drawn)
        assert "var(--harmless)" in drawn
        assert 'aria-label="ABORT after 5 min 30 s: truth"' in drawn
    assert chart.svg(picture) != chart.svg(explaining.picture(GOOD[1]))


def test_colours_of_light_and_dark(play: Play) -> None:
    """Every colour that the drawings ask for is given in both."""
    text = html(play, ended(BAD[0][-1]), BAD[1])
    light, _, dark = text.partition("prefers-color-scheme: dark")
    asked = set(re.findall(r"var\((--[\w-]+)\)", text)) - {"--open", "--held"}  # the same in both
    assert asked <= set(re.findall(r"(--[\w-]+):", light))
    assert asked <= set(re.findall(r"(--[\w-]+):", dark.partition("</style>")[0].partition("body {")[0]))
